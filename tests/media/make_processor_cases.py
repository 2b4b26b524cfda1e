#!/usr/bin/env python3
"""Writes tests/data/media/processors: how transformers, timm, OpenCLIP and torchvision prepare
pictures, for the fields of the files that say so.

cases.json lists, by picture, a config.json, where there is one the text of a preprocessor's file, and
what the library makes of it: "input" names the tensor of expected.safetensors (float32 [C, H, W]),
"error" says that it raises. Needs transformers 5.23, timm 1.0.31, torchvision 0.29, Pillow 13,
open_clip_torch 3.3; run it as  python3 tests/media/make_processor_cases.py"""

import json
import pathlib
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT / "scripts" / "peers"))

from import_timm import timm  # noqa: E402  (before transformers: it mends torchvision)

import numpy as np  # noqa: E402
import open_clip  # noqa: E402
import safetensors.numpy  # noqa: E402
import torchvision  # noqa: E402
import transformers  # noqa: E402
from PIL import Image  # noqa: E402

OUT = ROOT / "tests" / "data" / "media" / "processors"
PICTURES = {"wide": (37, 24), "tall": (15, 43), "square": (30, 30), "odd": (21, 22), "strip": (61, 9)}
HALF = [0.5, 0.5, 0.5]

ALL = [
    {},
    {"size": 20},
    {"size": {"height": 18, "width": 26}},
    {"size": [18, 26]},
    {"size": {"shortest_edge": 20}},
    {"size": {"shortest_edge": 20, "longest_edge": 33}},
    {"size": {"shortest_edge": 16, "longest_edge": 19}},
    {"size": {"max_height": 25, "max_width": 19}},
    {"size": {"longest_edge": 20}},
    {"size": {"height": 20}},
    {"size": {"shortest_edge": 20}, "crop_size": 16},
    {"size": {"shortest_edge": 20}, "crop_size": 16, "do_center_crop": True},
    {"size": {"shortest_edge": 20}, "crop_size": {"height": 13, "width": 18}, "do_center_crop": True},
    {"size": {"height": 21, "width": 27}, "crop_size": 15, "do_center_crop": True},
    {"size": {"height": 12, "width": 27}, "crop_size": 17, "do_center_crop": True},
    {"size": {"height": 17, "width": 14}, "crop_size": [22, 19], "do_center_crop": True},
    {"size": 20, "do_center_crop": False},
    {"size": 20, "crop_size": 14, "do_center_crop": True},
    {"do_resize": False},
    {"do_resize": False, "crop_size": 14, "do_center_crop": True},
    {"do_resize": False, "crop_size": 33, "do_center_crop": True},
    {"size": 16, "crop_size": 16, "do_rescale": False},
    {"size": 16, "crop_size": 16, "do_normalize": False},
    {"size": 16, "crop_size": 16, "do_normalize": False, "do_rescale": False},
    {"size": 16, "crop_size": 16, "rescale_factor": 0.00784313725490196},
    {"size": 16, "crop_size": 16, "image_mean": 0.4, "image_std": 0.3},
    {"size": 16, "crop_size": 16, "image_mean": [0.1, 0.2, 0.3], "image_std": [0.3, 0.4, 0.6]},
    {"size": 16, "crop_size": 16, "image_mean": [0.1]},
    {"size": 16, "crop_size": 16, "image_mean": None},
    {"size": 16, "crop_size": 16, "rescale_factor": None},
    {"size": 16, "crop_size": 16, "do_resize": None},
    {"size": 16, "crop_size": 16, "do_normalize": None},
    {"size": None},
    *({"size": 16, "crop_size": 16, "resample": filter} for filter in range(6)),
    *({"size": 45, "crop_size": 40, "resample": filter} for filter in (0, 1, 4, 5)),
    {"size": 16, "crop_size": 16, "default_to_square": True},
    {"size": 16, "crop_size": 16, "default_to_square": False},
    {"size": 16, "crop_size": 16, "crop_pct": 0.5, "unknown": "field"},
    {"size": {"shortest_edge": 20}, "crop_pct": 0.8},
    {"size": {"shortest_edge": 400}, "crop_pct": 0.8},
]
CLASSES = {
    "ViTImageProcessor": "vit",
    "DeiTImageProcessor": "deit",
    "BitImageProcessor": "dinov2",
    "CLIPImageProcessor": "clip_vision_model",
    "SiglipImageProcessor": "siglip_vision_model",
    "BlipImageProcessor": "vit",
    "BeitImageProcessor": "vit",
    "ConvNextImageProcessor": "vit",
    "ChineseCLIPImageProcessor": "clip_vision_model",
}
# Those of today's encoders. Where there is none by Pillow the library resizes tensors: those of bytes
# by other roundings than Pillow's.
LATER_CLASSES = {
    "DINOv3ViTImageProcessor": "vit",
    "FlavaImageProcessor": "flava_image_model",
    "OwlViTImageProcessor": "owlvit_vision_model",
    "Tipsv2ImageProcessor": "vit",
    "Sapiens2ImageProcessor": "vit",
    "GotOcr2ImageProcessor": "vit",
}
TENSORS = ("DINOv3ViTImageProcessor", "Tipsv2ImageProcessor", "Sapiens2ImageProcessor")
ROUNDED = {"Tipsv2ImageProcessor": 1 / 255, "Sapiens2ImageProcessor": 1 / 255 / 0.224}
# The plain fields are tried with every class, the rest with these.
THOROUGH = ("ViTImageProcessor", "CLIPImageProcessor", "BitImageProcessor")
BRIEF = 21


def pictures():
    random = np.random.default_rng(7)
    for name, (width, height) in PICTURES.items():
        rows, columns = np.mgrid[0:height, 0:width]
        waves = [127 + 120 * np.sin(rows / (3 + c) + columns / (4 - c) + c) for c in range(3)]
        noise = random.normal(0, 25, (height, width, 3))
        yield name, Image.fromarray(np.clip(np.stack(waves, -1) + noise, 0, 255).astype(np.uint8))


class Cases:
    def __init__(self):
        self.cases = []
        self.tensors = {}

    def add(self, picture, config, file, text, prepare, tolerance=None):
        """`prepare` gives the input, or raises."""
        case = {"picture": picture, "config": config}
        if file:
            case |= {"file": file, "text": text}
        try:
            result = np.ascontiguousarray(prepare(), dtype=np.float32)
        except (ValueError, TypeError, IndexError, KeyError, AttributeError) as error:
            case["error"] = f"{type(error).__name__}: {error}"[:100]
        else:
            if max(result.shape) > 48:
                # What is large tells by its corner and its mean.
                case["mean"] = float(result.astype(np.float64).mean())
                case["shape"] = list(result.shape)
                result = result[:, :12, :12]
            if tolerance:
                case["tolerance"] = tolerance
            case["input"] = str(len(self.tensors))
            self.tensors[case["input"]] = np.ascontiguousarray(result)
            if "image_size" not in config and "model_type" in config:
                shape = case.get("shape", result.shape)
                config["image_size"] = list(shape[1:])
        self.cases.append(case)


def of_transformers(cases, images, classes):
    for index, (name, model_type) in enumerate(classes.items()):
        tried = ALL if name in THOROUGH else ALL[:BRIEF] + ALL[-3:]
        if name in LATER_CLASSES and name != "DINOv3ViTImageProcessor":
            tried = ALL[:BRIEF:3]  # they differ from others by their defaults alone
        for number, fields in enumerate(tried):
            if fields.get("size") == {"shortest_edge": 400} and name != "ConvNextImageProcessor":
                continue
            if "size" not in fields and fields and "crop_size" not in fields and name in (
                "DeiTImageProcessor", "BeitImageProcessor"
            ):
                continue
            if fields.get("do_center_crop") and name == "ConvNextImageProcessor":
                continue  # refused: it has a crop of its own
            picture = list(images)[(index + number) % len(images)]
            nested = (index + number) % 3 == 0
            spelling = (name, name + "Fast", name.replace("ImageProcessor", "FeatureExtractor"))
            key = "feature_extractor_type" if number % 7 == 3 else "image_processor_type"
            text = dict(fields)
            text[key] = spelling[2] if key == "feature_extractor_type" else spelling[number % 2]
            config = {"model_type": model_type, "patch_size": 1, "hidden_size": 8,
                      "num_attention_heads": 2, "num_hidden_layers": 1, "intermediate_size": 16}
            file = "processor_config.json" if nested else "preprocessor_config.json"

            def prepare():
                with tempfile.TemporaryDirectory() as folder:
                    path = pathlib.Path(folder)
                    (path / "preprocessor_config.json").write_text(json.dumps(text))
                    processor = transformers.AutoImageProcessor.from_pretrained(
                        folder, backend="torchvision" if name in TENSORS else "pil"
                    )
                    return processor(images[picture], return_tensors="np")["pixel_values"][0]

            cases.add(picture, config, file, {"image_processor": text} if nested else text, prepare,
                      ROUNDED.get(name))


def of_timm(cases, images):
    defaults = {"input_size": [3, 16, 16]}
    for number, fields in enumerate([
        {},
        {"crop_pct": 0, "mean": [], "std": [], "interpolation": "", "crop_mode": ""},
        {"crop_pct": 1.0, "mean": HALF, "std": HALF},
        *({"crop_pct": 0.9, "interpolation": name} for name in
          ("nearest", "box", "bilinear", "hamming", "bicubic", "lanczos")),
        {"crop_mode": "squash", "crop_pct": 0.7},
        {"crop_mode": "border", "crop_pct": 1.0},
        {"crop_mode": "border", "crop_pct": 0.8, "mean": [0.1, 0.5, 0.9]},
        {"crop_mode": "border", "crop_pct": 1.3, "interpolation": "bilinear"},
        {"crop_pct": 1.4},
        {"input_size": [3, 18, 25]},
        {"input_size": [3, 25, 18], "interpolation": "lanczos", "crop_pct": 0.95},
        {"input_size": [3, 25, 18], "crop_mode": "squash"},
        {"input_size": [3, 19, 27], "crop_mode": "border", "crop_pct": 0.9},
        {"input_size": [3, 17, 17], "crop_pct": 0.9},
    ]):
        for picture in list(images)[number % 2::2]:
            pretrained = defaults | fields
            config = {"architecture": "test_vit", "num_classes": 0,
                      "model_args": {"img_size": pretrained["input_size"][1:], "patch_size": 1}}
            if number % 4 == 1:  # documents of older versions
                del config["model_args"]
                config |= pretrained | {"fixed_input_size": True}
            else:
                config["pretrained_cfg"] = pretrained

            def prepare():
                settings = timm.data.resolve_data_config(pretrained_cfg=pretrained)
                return timm.data.create_transform(**settings)(images[picture]).numpy()

            cases.add(picture, config, None, {}, prepare)


def of_open_clip(cases, images):
    vision = {"width": 64, "layers": 1, "patch_size": 1}
    for fields in [
        {},
        {"resize_mode": "longest"},
        {"resize_mode": "longest", "fill_color": 255, "interpolation": "bilinear"},
        {"resize_mode": "squash", "interpolation": "random"},
        {"mean": HALF, "std": HALF, "interpolation": "bilinear"},
        {"mean": 0.5, "std": 0.25},
        {"size": [19, 14]},
        {"size": [14, 19], "resize_mode": "longest"},
        {"size": [14, 19], "resize_mode": "squash"},
    ]:
        size = fields.get("size", 17)
        preprocess = {key: value for key, value in fields.items() if key != "size"}
        config = {"model_cfg": {"embed_dim": 8, "vision_cfg": vision | {"image_size": size}},
                  "preprocess_cfg": preprocess}
        for picture in images:

            def prepare():
                settings = open_clip.transform.PreprocessCfg(
                    **open_clip.transform.merge_preprocess_dict(
                        open_clip.transform.PreprocessCfg(size=size), preprocess
                    )
                )
                transform = open_clip.transform.image_transform_v2(settings, is_train=False)
                return transform(images[picture]).numpy()

            cases.add(picture, json.loads(json.dumps(config)), None, {}, prepare)


def main():
    OUT.mkdir(parents=True, exist_ok=True)
    images = dict(pictures())
    for name, image in images.items():
        image.save(OUT / f"{name}.png", optimize=True)
    cases = Cases()
    of_transformers(cases, images, CLASSES)
    of_timm(cases, images)
    of_open_clip(cases, images)
    of_transformers(cases, images, LATER_CLASSES)
    lines = ",\n ".join(json.dumps(case) for case in cases.cases)
    versions = {"transformers": transformers.__version__, "timm": timm.__version__,
                "torchvision": torchvision.__version__, "Pillow": Image.__version__,
                "open_clip": open_clip.__version__}
    (OUT / "cases.json").write_text(
        f'{{"versions": {json.dumps(versions)},\n "cases": [\n {lines}\n]}}\n')
    safetensors.numpy.save_file(cases.tensors, OUT / "expected.safetensors")
    print(len(cases.cases), "cases,", sum("error" in case for case in cases.cases), "of them errors")


if __name__ == "__main__":
    main()
