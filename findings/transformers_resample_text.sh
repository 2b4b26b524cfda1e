#!/usr/bin/env bash
# transformers 5.23.0: "resample" as a text in preprocessor_config.json depends on the backend.
#
# The field holds Pillow's numbers (2 bilinear, 3 bicubic). A text is accepted without a word, too. With the
# Pillow backend any text at all, "bicubic" and nonsense alike, means bilinear, also where the class's own
# default is bicubic; with the torchvision backend it names the filter. So the same folder gives other pixels
# on a machine without torchvision. One would expect the named filter, or an error.
#
# Seen: bicubic -> bilinear, nonsense -> bilinear (largest difference to bilinear 0.0, to bicubic 0.12).
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet transformers==5.23.0 pillow==13.0.0 numpy==2.2.6
"$folder/venv/bin/python" - "$folder" <<'PYTHON'
import json, pathlib, sys
import numpy as np
import transformers
from PIL import Image
from transformers import AutoImageProcessor

picture = Image.fromarray(np.random.default_rng(0).integers(0, 256, (40, 60, 3), dtype=np.uint8))

def prepare(resample):
    folder = pathlib.Path(sys.argv[1], "model")
    folder.mkdir(exist_ok=True)
    (folder / "preprocessor_config.json").write_text(json.dumps(
        {"image_processor_type": "CLIPImageProcessor", "resample": resample, "size": 16, "crop_size": 16}))
    processor = AutoImageProcessor.from_pretrained(folder, backend="pil")
    return processor(picture, return_tensors="np")["pixel_values"]

print("transformers", transformers.__version__, "Pillow", Image.__version__)
bilinear, bicubic = prepare(2), prepare(3)
for text in ("bicubic", "nonsense"):
    seen = prepare(text)
    to_bilinear, to_bicubic = (float(abs(seen - other).max()) for other in (bilinear, bicubic))
    print(f'resample "{text}": largest difference to bilinear {to_bilinear:.2f}, to bicubic {to_bicubic:.2f}')
    assert to_bilinear == 0 and to_bicubic > 0.05, "texts mean something else by now"
PYTHON
