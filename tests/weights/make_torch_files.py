#!/usr/bin/env python3
"""Writes tests/data/torch: one small model in every way torch and training scripts save one.

Needs torch; run it as  python3 tests/weights/make_torch_files.py  (the files there are of 2.13)."""

import argparse
import collections
import io
import json
import pathlib
import shutil
import struct

import torch

DATA = pathlib.Path(__file__).resolve().parent.parent / "data"
OUT = DATA / "torch"


def read_safetensors(path):
    data = path.read_bytes()
    (length,) = struct.unpack("<Q", data[:8])
    header = json.loads(data[8 : 8 + length])
    tensors = collections.OrderedDict()
    for name, entry in header.items():
        if name == "__metadata__":
            continue
        assert entry["dtype"] == "F32"
        begin, end = (8 + length + offset for offset in entry["data_offsets"])
        flat = torch.frombuffer(bytearray(data[begin:end]), dtype=torch.float32)
        tensors[name] = flat.reshape(entry["shape"]).clone()
    return tensors


class Node(torch.nn.Module):
    """A tree of modules with the parameters of a state dict."""

    def __init__(self, tensors):
        super().__init__()
        children = collections.OrderedDict()
        for name, tensor in tensors.items():
            head, _, rest = name.partition(".")
            if rest:
                children.setdefault(head, {})[rest] = tensor
            else:
                self.register_parameter(name, torch.nn.Parameter(tensor))
        for name, below in children.items():
            self.add_module(name, Node(below))
        self.grid = [2, 2]
        self.scale = 0.5
        self.options = {"r": 4}
        self.names = ["a", "b"]

    def forward(self, x):
        return x * self.scale + self.grid[0] + self.options["r"] + len(self.names)


def save_script(module, path):
    """torch.jit.save without the records for debugging, which hold paths of this machine."""
    whole = io.BytesIO()
    torch.jit.save(module, whole)
    whole.seek(0)
    reader = torch._C.PyTorchFileReader(whole)
    writer = torch._C.PyTorchFileWriter(str(path))
    for name in reader.get_all_records():
        if not name.endswith(".debug_pkl") and name not in ("version", ".data/serialization_id"):
            data = reader.get_record(name)
            writer.write_record(name, data, len(data))
    writer.write_end_of_file()


def prefixed(tensors, prefix):
    return collections.OrderedDict((prefix + name, tensor) for name, tensor in tensors.items())


def main():
    (OUT / "sharded").mkdir(parents=True, exist_ok=True)
    tensors = read_safetensors(DATA / "hostile/config/timm_valid/model.safetensors")

    def save(name, value, **options):
        torch.save(value, OUT / name, **options)

    legacy = {"_use_new_zipfile_serialization": False}
    for protocol in (0, 1):
        save(f"protocol_{protocol}.bin", tensors, pickle_protocol=protocol, **legacy)
        save(f"protocol_{protocol}_zip.pt", tensors, pickle_protocol=protocol)
    # Text of protocol 0 that is more than letters: escapes, numbers, an epoch above 64 bits.
    odd = {"näme \\ \n": tensors["norm.bias"], "€𝄞": tensors["norm.weight"], "n": 2**70, "x": 0.5,
           "no": -(2**40), "yes": True}
    save("protocol_0_names.pth", odd, pickle_protocol=0, **legacy)

    half = dict(tensors)
    for name in ("model_ema", "state_dict_ema", "teacher", "model_state_dict", "weights"):
        save(f"in_{name}.pth", {"epoch": 3, "optimizer": {"lr": 0.1}, name: half})
    save("in_model_state_dict_nested.pth", {"model": {"state_dict": half, "step": 1}})
    # A running average wins over the weights it is of, wherever the two stand; None is none.
    other = {name: tensor + 1 for name, tensor in half.items()}
    save("in_both.pth", {"state_dict": other, "state_dict_ema": half})
    save("in_both_model.pth", {"model_ema": half, "model": other, "state_dict_ema": None})
    for name, prefix in {"ddp": "module.", "compiled": "_orig_mod.", "backbone": "backbone.",
                         "ddp_compiled": "module._orig_mod."}.items():
        save(f"{name}.pth", prefixed(half, prefix))
    save("lightning.ckpt", {"pytorch-lightning_version": "2.1.0", "epoch": 1, "global_step": 10,
                            "state_dict": prefixed(half, "model."), "hparams_name": "kwargs",
                            "hyper_parameters": {"lr": 1e-3, "betas": (0.9, 0.999)}})
    # As DINO's training writes it: the student under DistributedDataParallel, both with the head of
    # that training, and what else its loop needs.
    headless = {name: tensor for name, tensor in half.items() if not name.startswith("head.")}
    head = {f"head.{name}": torch.ones(2, 2) for name in
            ("mlp.0.weight", "mlp.0.bias", "last_layer.weight_g", "last_layer.weight_v")}
    dino = {"student": {**prefixed(other, "module.backbone."), **prefixed(head, "module.")},
            "teacher": {**prefixed(headless, "backbone."), **head}, "epoch": 5,
            "optimizer": {"state": {}, "param_groups": [{"lr": 1e-3, "params": [0, 1]}]},
            "args": argparse.Namespace(arch="vit_small", local_crops_scale=(0.05, 0.4)),
            "fp16_scaler": None, "dino_loss": {"center": torch.zeros(1, 4)}}
    save("dino.pth", dino)
    save("dino_student.pth", {"student": {**prefixed(headless, "module.backbone."),
                                          **prefixed(head, "module.")}, "epoch": 5})

    # Weights averaged by AveragedModel count what they are of beside its module; torchvision's
    # references keep them in model_ema.
    averaged = {"n_averaged": torch.tensor(3), **prefixed(half, "module.")}
    save("averaged.pth", averaged)
    save("averaged_in_model_ema.pth", {"model": other, "model_ema": averaged, "epoch": 3})
    # Under names that nobody agreed on.
    save("in_anything.pth", {"epoch": 3, "run": {"best weights": prefixed(half, "net.")}})
    save("in_list.pth", [{"lr": 0.1}, half])
    save("in_two_dicts.pth", {"first": half, "second": other})
    classifier = {name: tensors["head." + name] for name in ("weight", "bias")}
    save("backbone_and_classifier.pth", {"backbone": headless, "classifier": classifier})

    complex_numbers = torch.tensor([1 + 2j, 3 - 4j], dtype=torch.complex64)
    imaginary = complex_numbers.clone().conj().imag
    save("marks.pth", {"neg": imaginary, "conj": complex_numbers.conj(), "plain": complex_numbers})
    save("marks_legacy.pth", {"neg": imaginary, "conj": complex_numbers.conj()}, **legacy)
    octets = torch.arange(4, dtype=torch.uint8)
    exotic = {f"extra.{name}": octets.clone().view(getattr(torch, name)) for name in
              ("float8_e8m0fnu", "float8_e4m3fnuz", "float8_e5m2fnuz", "float4_e2m1fn_x2", "bits8")}
    exotic["extra.quantized"] = torch.quantize_per_tensor(torch.ones(4), 0.5, 0, torch.qint8)
    exotic["extra.quantized_rows"] = torch.quantize_per_channel(
        torch.ones(4, 2), torch.full((4,), 0.5), torch.zeros(4), 0, torch.quint8)
    exotic["extra.sparse"] = torch.eye(3).to_sparse()
    exotic["extra.sparse_csr"] = torch.eye(3).to_sparse_csr()
    exotic["extra.nested"] = torch.nested.nested_tensor([torch.zeros(2), torch.zeros(3)])
    exotic["extra.meta"] = torch.empty(2, device="meta")
    exotic["extra.complex32"] = octets.view(torch.complex32)
    save("exotic.pth", {**exotic, **half})
    save("exotic_legacy.pth", {**exotic, **half}, **legacy)

    module = Node(tensors).eval()
    save_script(torch.jit.script(module), OUT / "script.pt")
    save_script(torch.jit.trace(module, torch.ones(1)), OUT / "traced.pt")
    quantized = torch.ao.quantization.quantize_dynamic(torch.nn.Sequential(torch.nn.Linear(2, 2)))
    save_script(torch.jit.script(quantized), OUT / "script_quantized.pt")
    torch.save(torch.nn.Linear(2, 2), OUT / "whole_model.pt")

    names = list(tensors)
    weight_map = {}
    for i, part in enumerate((names[:8], names[8:]), 1):
        shard = f"pytorch_model-{i:05}-of-00002.bin"
        save(f"sharded/{shard}", {name: tensors[name] for name in part})
        weight_map.update({name: shard for name in part})
    total = sum(t.numel() * 4 for t in tensors.values())
    index = {"metadata": {"total_size": total}, "weight_map": weight_map}
    (OUT / "sharded/pytorch_model.bin.index.json").write_text(json.dumps(index, indent=1))
    shutil.copy(DATA / "hostile/config/timm_valid/config.json", OUT / "sharded")


main()
