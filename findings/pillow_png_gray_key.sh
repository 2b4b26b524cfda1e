#!/usr/bin/env bash
# Pillow 13.0.0: the transparent colour of a PNG of 2 or 4 bits of gray is lost.
#
# Such a PNG may name one gray sample as transparent (tRNS). Pillow scales the samples to 0..255 while it decodes, but
# not the sample that the chunk names, and compares the two afterwards: sample 5 of 15 becomes 85, the key stays 5,
# nothing matches, and the picture is opaque. Of 1 and 8 bits, and for the key 0, it is right. Libraries that composite
# transparency onto white (transformers' image processors) so give another picture than a browser shows.
#
# Seen: 4 bits, key 5: info 5, 0 transparent pixels of 1; 2 bits, key 2: info 2, 0 of 1; 8 bits, key 5: 1 of 1.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet pillow==13.0.0
"$folder/venv/bin/python" - <<'PYTHON'
import io, struct, zlib
import PIL
from PIL import Image

def chunk(name, data):
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

def png(bits, key, samples):
    row = 0
    for sample in samples:
        row = row << bits | sample
    row = b"\0" + row.to_bytes(len(samples) * bits // 8, "big")
    return (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", len(samples), 1, bits, 0, 0, 0, 0))
            + chunk(b"tRNS", struct.pack(">H", key)) + chunk(b"IDAT", zlib.compress(row)) + chunk(b"IEND", b""))

print("Pillow", PIL.__version__)
seen = {}
for bits, key, samples in ((4, 5, [0, 5, 9, 15]), (2, 2, [0, 1, 2, 3]), (8, 5, [0, 5, 9, 15])):
    picture = Image.open(io.BytesIO(png(bits, key, samples)))
    alpha = list(picture.convert("RGBA").getchannel("A").tobytes())
    seen[bits] = alpha.count(0)
    print(f"{bits} bits, key {key}: info {picture.info['transparency']}, {alpha.count(0)} transparent pixels of 1")
assert seen == {4: 0, 2: 0, 8: 1}, "Pillow finds the transparent sample by now"
PYTHON
