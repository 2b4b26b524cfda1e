#!/usr/bin/env bash
# timm 1.0.31: a table of relative position biases that gets wider changes along its height, too.
#
# resize_rel_pos_bias_table() fits the table of BEiT or a relpos ViT to another grid of patches: it lays the known
# displacements out at distances that grow geometrically, for both axes as soon as one of the sizes differs. An axis
# whose size stays is laid out at 0, 1, 1 + q, ... with a q of nearly but not exactly 1 and interpolated back to
# integers. A table for a wider picture therefore differs for displacements straight up or down, which no picture size
# has changed.
#
# Seen: from a 4x4 to a 4x8 grid, biases of pairs in one column move by up to 0.05 (of std 1).
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet torch==2.13.0
"$folder/venv/bin/pip" install --quiet --no-deps timm==1.0.31 torchvision==0.28.0
"$folder/venv/bin/pip" install --quiet pillow==13.0.0 numpy==2.2.6 safetensors huggingface_hub pyyaml
"$folder/venv/bin/python" -W ignore - <<'PYTHON'
import torch

try:
    import torchvision
except RuntimeError:
    # A torchvision for CUDA beside a torch for the CPU: its operators, which are not used here, want a declaration.
    library = torch.library.Library("torchvision", "DEF")
    for name in ("nms", "qnms"):
        library.define(name + "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
import timm
from timm.layers.pos_embed_rel import resize_rel_pos_bias_table

print("timm", timm.__version__, "torch", torch.__version__)
torch.manual_seed(0)
table = torch.randn(7 * 7, 1)  # displacements of a 4x4 grid
wider = resize_rel_pos_bias_table(table, new_window_size=(4, 8), new_bias_shape=(7 * 15, 1),
                                  old_window_size=(4, 4))
before, after = table.view(7, 7)[:, 3], wider.view(7, 15)[:, 7]  # pairs in one column
print("before", before.tolist())
print("after ", after.tolist())
moved = (before - after).abs().max().item()
print("moved by", moved)
assert 0.01 < moved < 0.1
same = resize_rel_pos_bias_table(table, new_window_size=(4, 4), new_bias_shape=(7 * 7, 1),
                                 old_window_size=(4, 4))
assert torch.equal(same, table)
PYTHON
