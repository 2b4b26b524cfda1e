#!/usr/bin/env python3
"""Writes tests/data/media/any_aspect: how pictures become whole patches, at most so many of them.

sizes.json has rows of [height, width, patch, most patches, height, width] afterwards, which
Siglip2ImageProcessor of transformers 5.23 and ResizeToSequence of timm 1.0.31 agree on.
pictures.safetensors has what they make of the pictures of tests/data/media/processors in at most 20
patches of 8x8 pixels, "siglip2/NAME" and "timm/NAME", float32 [3, H, W]. Run it as
python3 tests/media/make_any_aspect.py"""

import json
import pathlib
import random
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT / "scripts" / "peers"))

from import_timm import timm  # noqa: E402,F401  (before transformers: it mends torchvision)

import safetensors.torch  # noqa: E402
from PIL import Image  # noqa: E402
from timm.data.naflex_transforms import get_image_size_for_seq  # noqa: E402
from timm.data.transforms_factory import transforms_imagenet_eval  # noqa: E402
from transformers import Siglip2ImageProcessor  # noqa: E402
from transformers.models.siglip2.image_processing_siglip2 import (  # noqa: E402
    get_image_size_for_max_num_patches,
)

MEDIA = ROOT / "tests" / "data" / "media"
OUT = MEDIA / "any_aspect"
COMMON = [(224, 224), (384, 384), (512, 512), (480, 640), (640, 480), (1080, 1920), (1920, 1080)]
ODD = [(1, 1), (1, 4000), (4000, 1), (16, 16), (17, 15), (31, 33), (9000, 60)]
PATCH, MOST = 8, 20


def sizes():
    draw = random.Random(17)
    pictures = COMMON + ODD
    while len(pictures) < 200:
        pictures.append((draw.randint(20, 2000), draw.randint(20, 2000)))
    for height, width in pictures:
        for patches in (256, 576, 1024):
            patch = draw.choice((14, 16, 16, 32))
            target = get_image_size_for_max_num_patches(height, width, patch, patches)
            assert target == get_image_size_for_seq((height, width), patch, patches)[1]
            yield [height, width, patch, patches, *target]


def pictures():
    processor = Siglip2ImageProcessor(patch_size=PATCH, max_num_patches=MOST)
    transform = transforms_imagenet_eval(
        interpolation="bicubic", naflex=True, patch_size=PATCH, max_seq_len=MOST)
    made = {}
    for name in ("odd", "tall", "wide"):
        file = MEDIA / "processors" / f"{name}.png"
        picture = Image.open(file).convert("RGB")
        output = processor(images=picture, return_tensors="pt")
        rows, columns = output["spatial_shapes"][0].tolist()
        patches = output["pixel_values"][0, : rows * columns]
        patches = patches.reshape(rows, columns, PATCH, PATCH, 3).permute(4, 0, 2, 1, 3)
        made["siglip2/" + file.stem] = patches.reshape(3, rows * PATCH, columns * PATCH).contiguous()
        made["timm/" + file.stem] = transform(picture).contiguous()
    return made


def main():
    OUT.mkdir(exist_ok=True)
    rows = ",\n".join(json.dumps(row) for row in sizes())
    (OUT / "sizes.json").write_text("[\n" + rows + "\n]\n")
    safetensors.torch.save_file(pictures(), OUT / "pictures.safetensors")


if __name__ == "__main__":
    main()
