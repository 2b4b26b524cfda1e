"""timm loads what `vitome convert` writes and computes the same logits.

timm_test.py VITOME DATA: the program and the folder of reference checkpoints, each with the input
and the logits of its own library.
"""

import pathlib
import subprocess
import sys
import tempfile

import timm
import torch
from safetensors.torch import load_file

CHECKPOINTS = [
    "timm_vit_cls", "timm_vit_nonsquare", "timm_deit_distilled", "timm_mae_gap", "timm_dinov2_reg",
    "timm_dinov2_swiglu", "timm_clip_prenorm", "timm_qknorm", "timm_siglip_map", "timm_reg_map",
    "hf_vit", "hf_dinov2_registers", "hf_siglip", "torchvision_vit",
]
TOLERANCE = 1e-4  # float32 in both


def vitome(program, *words):
    done = subprocess.run([program, *map(str, words)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done


def check(program, source, folder, dtype):
    done = vitome(program, "convert", "--model", source, "--output", folder, "--dtype", dtype)
    if "timm cannot build" in done.stderr:
        raise AssertionError(f"{source.name}: {done.stderr}")
    reference = load_file(source / "io.safetensors")

    model = timm.create_model(f"local-dir:{folder}", pretrained=True).eval()
    with torch.no_grad():
        logits = model(reference["input"])
    vitome(program, "forward", "--model", folder, "--input", source / "io.safetensors",
           "--output", folder / "out.safetensors")
    ours = load_file(folder / "out.safetensors")["logits"]
    worst = (logits - ours).abs().max().item()
    assert logits.shape == ours.shape and worst < TOLERANCE, f"{source.name} {dtype}: off by {worst}"
    if dtype == "fp32":
        worst = (logits - reference["logits"]).abs().max().item()
        assert worst < TOLERANCE, f"{source.name}: off by {worst} from its own library"


def main():
    program, data = sys.argv[1], pathlib.Path(sys.argv[2])
    for name in CHECKPOINTS:
        for dtype in ["fp32", "bf16", "fp16"]:
            with tempfile.TemporaryDirectory() as folder:
                check(program, data / name, pathlib.Path(folder), dtype)
    print(f"{len(CHECKPOINTS)} checkpoints in three types: timm computes the same logits")


main()
