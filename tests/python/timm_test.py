"""timm loads what `vitome convert` writes and computes the same logits.

    python3 timm_test.py build/release/bin/vitome scripts tests/data

The data are reference checkpoints, each with the input and the logits of its own library.
"""

import pathlib
import subprocess
import sys
import tempfile

from needs import needs

needs("torch", "timm", "torchvision", "safetensors")

import torch
from safetensors.torch import load_file

sys.path.insert(0, sys.argv.pop(2))
from peers.import_timm import timm

CHECKPOINTS = [
    "vit/timm_vit_cls", "vit/timm_vit_nonsquare", "vit/timm_deit_distilled", "vit/timm_mae_gap",
    "vit/timm_dinov2_reg", "vit/timm_dinov2_swiglu", "vit/timm_clip_prenorm", "vit/timm_qknorm",
    "vit/timm_siglip_map", "vit/timm_reg_map", "vit/hf_vit", "vit/hf_siglip", "vit/torchvision_vit",
    "families/timm_siglip_rest", "families/timm_deit3", "families/timm_avgmax_prefix",
    "families/timm_reg_gap", "families/hf_msn", "families/hf_ijepa", "families/hf_siglip_classes",
    "encoders/timm_dinov3", "encoders/timm_dinov3_swiglu", "encoders/timm_sapiens2",
    "encoders/timm_eva02", "encoders/timm_eva02_subln", "encoders/timm_eva02_clip",
    "encoders/timm_pe_core", "encoders/timm_pe_lang", "encoders/timm_rope_axial",
    "encoders/timm_rope_mixed", "encoders/timm_rope_gap", "encoders/timm_beit",
    "encoders/timm_beitv2_shared", "encoders/timm_beit3", "encoders/timm_aimv2",
    "encoders/timm_radio", "encoders/timm_naflex_siglip",
    "encoders/hf_dinov3", "encoders/hf_dinov3_gated", "encoders/hf_siglip2_naflex",
    "encoders/hf_siglip2_naflex_cls",
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
