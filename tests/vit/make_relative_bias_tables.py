#!/usr/bin/env python3
"""Writes tests/data/vit/relative_bias/tables.safetensors: tables of relative position biases, and what
timm's resize_rel_pos_bias_table makes of them for other grids."""

import pathlib
import sys

import torch
from safetensors.torch import save_file

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent.parent / "scripts"))
from peers.import_timm import timm  # noqa: F401
from timm.layers.pos_embed_rel import resize_rel_pos_bias_table

# Rows and columns before and after, entries behind those of the displacements.
CASES = [((3, 3), (5, 4), 0), ((4, 6), (4, 3), 3), ((14, 14), (24, 24), 3), ((1, 1), (3, 2), 3),
         ((7, 7), (3, 3), 0), ((2, 5), (9, 5), 3)]
HEADS = 2


def displacements(grid):
    return (2 * grid[0] - 1) * (2 * grid[1] - 1)


torch.manual_seed(17)
tensors = {}
for before, after, more in CASES:
    table = torch.randn(displacements(before) + more, HEADS)
    name = "{}x{}_{}x{}_{}".format(*before, *after, more)
    tensors[name + ".from"] = table
    tensors[name + ".to"] = resize_rel_pos_bias_table(
        table, after, (displacements(after) + more, HEADS), old_window_size=before).contiguous()
folder = HERE.parent / "data" / "vit" / "relative_bias"
folder.mkdir(exist_ok=True)
save_file(tensors, folder / "tables.safetensors")
