"""scripts/compare_peers with vitome alone, which every machine has: what it writes, and what it
refuses.

    python3 compare_peers_test.py scripts/compare_peers build/release/bin/vitome
"""

import json
import pathlib
import subprocess
import sys
import tempfile
import unittest

VITOME = sys.argv.pop(2)
SCRIPT = sys.argv.pop(1)


def compare_peers(*words):
    command = [sys.executable, SCRIPT, "--vitome", VITOME, "--arch", "vit_tiny_patch16_224", "--peers", "none", *words]
    return subprocess.run(command, capture_output=True, text=True, timeout=250)


class ComparePeers(unittest.TestCase):
    def test_figures_of_all_rounds_and_a_table(self):
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder) / "out.json"
            run = compare_peers(
                *("--image-size", "32x64", "--batch", "1", "--threads", "1", "--dtype", "fp32,bf16", "--r", "1"),
                *("--rounds", "3", "--seconds", "0.01", "--json", str(path)),
            )
            self.assertEqual(run.returncode, 0, run.stderr)
            document = json.loads(path.read_text())
        self.assertTrue(document["host"]["cpu"])
        (case,) = document["cases"]
        self.assertEqual(case["num_tokens"], 9)
        self.assertEqual([(result["dtype"], result["r"]) for result in case["results"]], [
            ("fp32", 0), ("fp32", 1), ("bf16", 0), ("bf16", 1),
        ])  # fmt: skip
        for result in case["results"]:
            self.assertEqual(len(result["rounds"]), 3)
            self.assertGreater(min(result["rounds"]), 0)
            self.assertEqual(sorted(result["rounds"])[1], result["throughput_median"])
            self.assertEqual(max(result["rounds"]), result["throughput_best"])
            self.assertEqual(result["vitome_over_it"], 1)
        merged, plain = case["results"][1], case["results"][0]
        gains = sorted(a / b for a, b in zip(merged["rounds"], plain["rounds"]))
        self.assertAlmostEqual(merged["speedup"], gains[1])
        self.assertAlmostEqual(merged["realised"], gains[1] / merged["flop_ratio"])
        rows = [line.split(" | ") for line in run.stdout.splitlines() if line.startswith("| ViToMe")]
        self.assertEqual([row[2] for row in rows], ["0", "1", "0", "1"])

    def test_training(self):
        run = compare_peers(
            *("--image-size", "32x64", "--batch", "2", "--threads", "1", "--r", "0", "--training"),
            *("--rounds", "1", "--seconds", "0.01"),
        )
        self.assertEqual(run.returncode, 0, run.stderr)
        self.assertIn("training", run.stdout)
        run = compare_peers("--training", "--dtype", "int8")
        self.assertEqual(run.returncode, 1)
        self.assertIn("nobody trains in int8", run.stdout)

    def test_a_contender_that_fails_is_left_out_with_its_reason(self):
        run = compare_peers("--image-size", "30", "--rounds", "1")
        self.assertEqual(run.returncode, 1)
        self.assertIn("nobody could be measured", run.stderr)
        self.assertRegex(run.stdout, "Left out: ViToMe, fp32: vitome bench: .*30")

    def test_wrong_usage(self):
        for words, message in (
            (("--suite",), "--suite has its own --arch"),
            (("--dtype", "fp8"), "'fp8' is none of fp32, bf16, int8"),
            (("--peers", "eager,jax"), "'jax' is none of eager"),
            (("--image-size", "1x2x3"), "neither N nor HEIGHTxWIDTH"),
            (("--r", "8,-1"), "'-1' is not a number from 0 on"),
            (("--rounds", "0"), "'0' is not a number from 1 on"),
            (("--seconds", "nan"), "'nan' is not a number"),
            (("--batch", "many"), "invalid number value: 'many'"),
            (("--vitome", "no/such/program"), "there is no no/such/program"),
            (("--vitome", __file__), "is no program"),
            (("--json", "no/such/folder/x.json"), "cannot write no/such/folder/x.json: No such file"),
        ):
            with self.subTest(words=words):
                run = compare_peers(*words)
                self.assertEqual(run.returncode, 2)
                self.assertIn(message, run.stderr)


if __name__ == "__main__":
    unittest.main()
