"""The models of timm that all contenders compute, with random weights, and what comes out of them."""

import json
import pathlib

import torch
from safetensors.torch import load_file, save_file

from peers import tome_timm
from peers.import_timm import timm


def create(task):
    size = {"img_size": tuple(task.image_size)} if task.image_size else {}
    return timm.create_model(task.arch, **size).eval()


def load_weights(task, dtype=torch.float32):
    """Those of the session."""
    return {name: tensor.to(dtype, copy=True) for name, tensor in load_file(task.path("model/model")).items()}


def load(task, weights=None):
    """The model of the session, in float32, or with its weights as they are given: models may share
    them.
    """
    with torch.device("meta"):
        model = create(task)
    model.load_state_dict(weights or load_weights(task), assign=True)
    return model


def load_input(task):
    return load_file(task.path("input"))["input"]


def prepare(task):
    """Makes weights, input and, in float32, the logits of every r that others must come up with."""
    torch.manual_seed(0)
    model = create(task)
    size = list(model.patch_embed.img_size)
    pathlib.Path(task.path("model/model")).parent.mkdir()
    save_file(model.state_dict(), task.path("model/model"))
    config = {
        "architecture": task.arch,
        "num_classes": model.num_classes,
        "model_args": {"img_size": size},
        "pretrained_cfg": {"input_size": [3, *size]},
    }
    pathlib.Path(task.path("model/model")).with_name("config.json").write_text(json.dumps(config))
    pixels = torch.randn(task.batch, 3, *size)
    save_file({"input": pixels}, task.path("input"))
    with torch.inference_mode():
        logits = {"r0": model(pixels)}
        for r in filter(None, task.rs if tome_timm.can_merge(model) else ()):
            logits[f"r{r}"] = tome_timm.apply(load(task), r)(pixels)
    save_file(logits, task.path("reference"))
