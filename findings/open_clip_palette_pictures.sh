#!/usr/bin/env bash
# open_clip_torch 3.3.0: pictures with a palette are resized by the nearest pixel, whatever the filter.
#
# The transform that OpenCLIP makes for inference converts to RGB after it has resized and cropped. Pillow cannot
# interpolate the indices of a palette and silently takes the nearest pixel for mode P, so an indexed PNG or a GIF
# gives other features than the same picture saved in RGB: jagged instead of bicubic. timm and transformers convert
# first.
#
# Seen: largest difference between the two inputs of one picture 1.86, with Pillow's conversion first 0.00.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet torch==2.13.0
"$folder/venv/bin/pip" install --quiet --no-deps open_clip_torch==3.3.0 timm==1.0.31 torchvision==0.28.0
"$folder/venv/bin/pip" install --quiet pillow==13.0.0 numpy==2.2.6 ftfy regex tqdm safetensors huggingface_hub pyyaml
"$folder/venv/bin/python" - <<'PYTHON'
import numpy as np
import torch
from PIL import Image

try:
    import torchvision
except RuntimeError:
    # A torchvision for CUDA beside a torch for the CPU: its operators, which are not used here, want a declaration.
    library = torch.library.Library("torchvision", "DEF")
    for name in ("nms", "qnms"):
        library.define(name + "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
import open_clip
from open_clip.transform import PreprocessCfg, image_transform_v2

print("open_clip", open_clip.__version__, "Pillow", Image.__version__)
transform = image_transform_v2(PreprocessCfg(size=32), is_train=False)
colors = np.random.default_rng(0).integers(0, 256, (90, 120, 3), dtype=np.uint8)
indexed = Image.fromarray(colors).quantize(16)
difference = (transform(indexed) - transform(indexed.convert("RGB"))).abs().max().item()
print(f"largest difference of the inputs: {difference:.2f}")
assert difference > 0.5, "pictures are converted first by now"
PYTHON
