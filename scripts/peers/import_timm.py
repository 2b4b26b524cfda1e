"""timm, beside any torch and torchvision."""

import torch

try:
    import timm
except RuntimeError:
    # A torchvision built for CUDA cannot load its operators beside a torch for the CPU alone, and
    # then fails to declare how they behave. timm's ViTs do not use them.
    library = torch.library.Library("torchvision", "DEF")
    for name in ("nms", "qnms"):
        library.define(name + "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    import timm

__all__ = ["timm"]
