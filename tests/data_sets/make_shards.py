#!/usr/bin/env python3
"""Writes tests/data/shards: the same three labelled pictures as GNU tar and Python pack them in
every format. Needs GNU tar."""

import os
import pathlib
import subprocess
import tarfile
import tempfile

HERE = pathlib.Path(__file__).resolve().parent.parent / "data" / "shards"
LONG = "a-folder-with-a-name-that-fills-most-of-the-field/" * 5  # 250 characters
SAMPLES = [("0001", b"\x0a\x14\x1e", "cat"), (LONG + "0002", b"\x28\x32\x3c", "dog"), ("d/0003", b"\xc8\xd2\xdc", "cat")]


def write_files(folder, samples):
    names = []
    for key, colour, label in samples:
        for name, content in ((key + ".ppm", b"P6 1 1 255\n" + colour), (key + ".cls", label.encode())):
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
            os.utime(path, (0, 0))
            names.append(name)
    return names


def main():
    HERE.mkdir(parents=True, exist_ok=True)
    fixed = ["--owner=0", "--group=0", "--numeric-owner", "--mode=0644", "--blocking-factor=1"]
    for style, long_names in (("v7", False), ("ustar", True), ("gnu", True), ("pax", True)):
        samples = [s for s in SAMPLES if long_names or len(s[0]) < 90]
        if style == "ustar":  # whose names have 255 characters at most
            samples = [(s[0].replace(LONG, LONG[:150]), s[1], s[2]) for s in samples]
        with tempfile.TemporaryDirectory() as folder:
            names = write_files(pathlib.Path(folder), samples)
            subprocess.run(["tar", "-C", folder, f"--format={style}", *fixed, "-cf", HERE / f"{style}.tar", *names], check=True)
            if style == "pax":
                with tarfile.open(HERE / "python.tar", "w", format=tarfile.PAX_FORMAT) as tar:
                    for name in names:
                        info = tar.gettarinfo(pathlib.Path(folder) / name, name)
                        info.uid = info.gid = 0
                        info.uname = info.gname = ""
                        info.pax_headers = {"comment": "größer"}
                        with open(pathlib.Path(folder) / name, "rb") as file:
                            tar.addfile(info, file)


if __name__ == "__main__":
    main()
