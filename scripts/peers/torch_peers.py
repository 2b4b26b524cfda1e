"""PyTorch: timm's model as it is, compiled, and with Token Merging."""

import torch
from torch._inductor import config as inductor

from peers import timm_models, tome_timm

DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16}


def load(task):
    if task.training:
        # The weights stay in float32; bf16 is autocast.
        weights, pixels = timm_models.load_weights(task), timm_models.load_input(task)
        return [trainer(model(task, weights, r), pixels, DTYPES[task.dtype]) for r in task.rs]
    weights = timm_models.load_weights(task, DTYPES[task.dtype])
    pixels = timm_models.load_input(task).to(DTYPES[task.dtype])
    return [runner(model(task, weights, r), pixels) for r in task.rs]


def model(task, weights, r):
    model = timm_models.load(task, weights)
    if task.name == "compile":
        inductor.freezing = True  # weights become constants, which are packed for the CPU beforehand
        return torch.compile(model)
    if task.name in ("tome-sdpa", "tome-manual"):
        # With r=0 too: what is patched is not the same program.
        return tome_timm.apply(model, r, manual_attention=task.name == "tome-manual")
    return model


def runner(model, pixels):
    @torch.inference_mode()
    def run():
        return model(pixels)

    return run


def trainer(model, pixels, dtype):
    """Steps without the optimizer, as `vitome bench --training` does them."""
    model.train()

    def run():
        with torch.autocast("cpu", torch.bfloat16, enabled=dtype is torch.bfloat16):
            logits = model(pixels)
        targets = torch.arange(len(logits)) % logits.shape[-1]
        torch.nn.functional.cross_entropy(logits.float(), targets).backward()
        model.zero_grad(set_to_none=True)
        return logits.detach()

    return run
