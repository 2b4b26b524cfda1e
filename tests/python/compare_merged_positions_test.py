"""scripts/compare_merged_positions trains a model on a handful of pictures and compares all rules.

    python3 compare_merged_positions_test.py scripts/compare_merged_positions build/release/bin/vitome
"""

import importlib.machinery
import pathlib
import subprocess
import sys
import tempfile
import types
import unittest

from needs import needs

needs("numpy", "PIL")

import numpy
from PIL import Image

VITOME = sys.argv.pop(2)
SCRIPT = sys.argv.pop(1)


def load_script():
    module = types.ModuleType("compare_merged_positions")
    module.__file__ = SCRIPT
    sys.dont_write_bytecode = True
    importlib.machinery.SourceFileLoader(module.__name__, SCRIPT).exec_module(module)
    return module


def write_pictures(folder, count):
    for channel, name in enumerate(("red", "green")):
        (folder / name).mkdir(parents=True)
        for i in range(count):
            picture = numpy.random.default_rng(i).integers(0, 120, (32, 32, 3), dtype=numpy.uint8)
            picture[..., channel] += 100
            Image.fromarray(picture).save(folder / name / f"{i:03}.jpg")


class Compare(unittest.TestCase):
    def test_all_rules_are_measured(self):
        with tempfile.TemporaryDirectory() as folder:
            root = pathlib.Path(folder)
            write_pictures(root / "train", 60)
            write_pictures(root / "test", 8)
            words = [root, "--output", root / "out", "--epochs", 1, "--r", "4,6", "--images", 8, "--vitome", VITOME]
            command = [sys.executable, SCRIPT, *map(str, words)]
            run = subprocess.run(command, capture_output=True, text=True)
            self.assertEqual(run.returncode, 0, run.stderr)
            rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in run.stdout.splitlines()[2:]]
            self.assertEqual(run.stdout, (root / "out/rules.md").read_text())
            rules = ["mean", "keep", "mean-of-angles", "rotated-metric"]
            self.assertEqual([row[:2] for row in rows], [["0", ""]] + [[r, rule] for r in "46" for rule in rules])
            cosines = {tuple(row[:2]): float(row[5]) for row in rows}
            for rule in rules:
                self.assertLess(cosines["6", rule], cosines["4", rule])
                self.assertLess(cosines["4", rule], 1)
            self.assertNotEqual(cosines["6", "keep"], cosines["6", "mean"])

    def test_a_program_that_fails_ends_the_comparison(self):
        with tempfile.TemporaryDirectory() as folder:
            command = [sys.executable, SCRIPT, folder, "--output", folder + "/out", "--vitome", VITOME]
            self.assertEqual(subprocess.run(command, capture_output=True).returncode, 1)


class Interval(unittest.TestCase):
    def test_of_matched_pairs(self):
        # Of 100 pictures one recognises 10 that the other does not, the other 4: (10 - 4) / 102, and
        # 1.96 sqrt(10.5 + 4.5 - 36 / 102) / 102.
        better = numpy.arange(100) < 60
        worse = better.copy()
        worse[:10], worse[90:94] = False, True
        low, high = load_script().paired_interval(better, worse)
        self.assertAlmostEqual((low + high) / 2, 6 / 102)
        self.assertAlmostEqual(high - low, 2 * 1.959963984540054 * (15 - 36 / 102) ** 0.5 / 102)


unittest.main()
