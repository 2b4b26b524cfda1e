#!/usr/bin/env python3
"""Writes tests/data/augment/pillow.safetensors: what Pillow makes of three small pictures.

Needs Pillow, NumPy and safetensors; run it as  python3 tests/train/make_augment_files.py  (the file
there is of Pillow 13.0). Tensors are named by picture, operation and arguments, as in
"photo posterize 3"; "photo" alone is the picture."""

import pathlib

import numpy
from PIL import Image, ImageEnhance, ImageOps
from safetensors.numpy import save_file

DATA = pathlib.Path(__file__).resolve().parent.parent / "data"
FILL = (124, 117, 104)


def pictures():
    photo = Image.open(DATA / "media/image/rgb.png").convert("RGB").resize((46, 33))
    random = numpy.random.default_rng(5)
    noise = random.integers(0, 256, (19, 24, 3), dtype=numpy.uint8)
    # Of little contrast, many pixels to each of a few values, and a channel of one value.
    dull = random.integers(90, 97, (40, 31, 3), dtype=numpy.uint8)
    dull[:, :, 1] = 200
    dull[:, :, 2] += 60
    return {"photo": photo, "noise": Image.fromarray(noise), "dull": Image.fromarray(dull)}


def affine(picture, matrix, resample):
    return picture.transform(
        picture.size, Image.Transform.AFFINE, matrix, resample=resample, fillcolor=FILL
    )


def operations(picture):
    yield "autocontrast", ImageOps.autocontrast(picture)
    yield "equalize", ImageOps.equalize(picture)
    yield "invert", ImageOps.invert(picture)
    for bits in (1, 3, 8):
        yield f"posterize {bits}", ImageOps.posterize(picture, bits)
    for threshold in (0, 100, 256):
        yield f"solarize {threshold}", ImageOps.solarize(picture, threshold)
    for factor in (0.0, 0.1, 0.55, 1.0, 1.37, 1.9):
        for name in ("Color", "Contrast", "Brightness", "Sharpness"):
            result = getattr(ImageEnhance, name)(picture).enhance(factor)
            yield f"{name.lower()} {factor}", result
    for name in ("nearest", "bilinear"):
        resample = Image.Resampling[name.upper()]
        for degrees in (-135.0, -13.5, 4.0, 30.0, 90.0):
            result = picture.rotate(degrees, resample=resample, fillcolor=FILL)
            yield f"rotate {name} {degrees}", result
        for matrix in (
            (1, 0.27, 0, 0, 1, 0),
            (1, -0.99, 0, 0, 1, 0),
            (1, 0, 0, -0.3, 1, 0),
            (1, 0, -7.3, 0, 1, 0),
            (1, 0, 0, 0, 1, 11.25),
            (0.8, 0.1, -2.5, -0.2, 1.3, 3.75),
        ):
            text = " ".join(str(number) for number in matrix)
            yield f"transform {name} {text}", affine(picture, matrix, resample)


def main():
    tensors = {}
    for name, picture in pictures().items():
        tensors[name] = numpy.asarray(picture)
        for operation, result in operations(picture):
            tensors[f"{name} {operation}"] = numpy.asarray(result)
    out = DATA / "augment"
    out.mkdir(exist_ok=True)
    save_file(tensors, out / "pillow.safetensors", metadata={"fill": " ".join(map(str, FILL))})


if __name__ == "__main__":
    main()
