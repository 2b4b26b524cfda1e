#!/usr/bin/env bash
# transformers 5.23.0: null in preprocessor_config.json is not the same as leaving the field out.
#
# An absent field has the default of the image processor's class. A null one has no value: the switches
# do_resize, do_center_crop, do_rescale and do_normalize are silently off, so that the picture keeps its size
# or its bytes 0 to 255, while a null image_mean, size or rescale_factor is an error as soon as its step runs.
# Writers that spell every field, absent ones as null, so change what the model sees.
#
# Seen: do_resize absent -> (1, 3, 224, 224), null -> (1, 3, 20, 30); do_rescale and do_normalize null ->
# values up to 255; image_mean null -> ValueError.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet transformers==5.23.0 pillow==13.0.0 numpy==2.2.6
"$folder/venv/bin/python" - "$folder" <<'PYTHON'
import json, pathlib, sys
import transformers
from PIL import Image
from transformers import AutoImageProcessor

def prepare(**fields):
    folder = pathlib.Path(sys.argv[1], "model")
    folder.mkdir(exist_ok=True)
    (folder / "preprocessor_config.json").write_text(json.dumps(
        {"image_processor_type": "ViTImageProcessor"} | fields))
    processor = AutoImageProcessor.from_pretrained(folder, backend="pil")
    return processor(Image.new("RGB", (30, 20), "white"), return_tensors="np")["pixel_values"]

print("transformers", transformers.__version__)
absent, null = prepare().shape, prepare(do_resize=None).shape
print("do_resize absent:", absent, "null:", null)
assert absent == (1, 3, 224, 224) and null == (1, 3, 20, 30)
bytes_ = prepare(do_rescale=None, do_normalize=None)
print("do_rescale and do_normalize null: values up to", bytes_.max())
assert bytes_.max() == 255
try:
    prepare(image_mean=None)
except ValueError as error:
    print("image_mean null:", error)
else:
    raise AssertionError("a null image_mean is taken by now")
PYTHON
