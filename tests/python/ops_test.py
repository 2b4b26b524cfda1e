"""The operators that libvitome_tome registers, called from Python: the reference data of
tests/tome/golden_ops_test.cpp gives the same results here, and gradients are right.

    python3 ops_test.py libvitome_tome.so tests/data/vit/merge_ops
"""

import json
import pathlib
import struct
import sys
import unittest
import warnings

warnings.filterwarnings("ignore", message="Failed to initialize NumPy")

import torch

DATA = pathlib.Path(sys.argv.pop(2))
torch.ops.load_library(sys.argv.pop(1))
tome = torch.ops.tome

DTYPES = {"F32": torch.float32, "I64": torch.int64}


def read_safetensors(path):
    raw = bytearray(path.read_bytes())
    (length,) = struct.unpack_from("<Q", raw)
    header = json.loads(raw[8 : 8 + length])
    header.pop("__metadata__", None)
    tensors = {}
    for name, entry in header.items():
        begin, end = entry["data_offsets"]
        data, dtype = raw[8 + length + begin : 8 + length + end], DTYPES[entry["dtype"]]
        values = torch.frombuffer(data, dtype=dtype) if data else torch.empty(0, dtype=dtype)
        tensors[name] = values.reshape(entry["shape"])
    return tensors


class GoldenOps(unittest.TestCase):
    """Every case of the reference data."""

    @classmethod
    def setUpClass(cls):
        cls.cases = json.loads((DATA / "cases.json").read_text())["ops"]
        cls.io = read_safetensors(DATA / "io.safetensors")

    def close(self, actual, expected):
        torch.testing.assert_close(actual, expected, rtol=0, atol=1e-5)

    def match(self, case, metric):
        if case["kind"] == "kth":
            return tome.kth_bipartite_matching(metric, case["k"])
        prefix = case.get("prefix", case.get("class_token", False) + case.get("distill_token", False))
        return tome.bipartite_soft_matching(metric, case["r"], int(prefix))

    def test_every_case(self):
        self.assertGreater(len(self.cases), 5)
        for case in self.cases:
            with self.subTest(case["name"]):
                at = lambda tensor: self.io.get(f"{case['name']}/{tensor}")
                x, matching = at("x"), self.match(case, at("metric"))
                self.close(tome.merge(x, *matching), at("merge_mean"))
                for mode in ("sum", "amax"):
                    if at(f"merge_{mode}") is not None:
                        self.close(tome.merge(x, *matching, mode), at(f"merge_{mode}"))
                self.assertTrue(torch.equal(tome.unmerge(at("merge_mean"), *matching), at("unmerge")))
                if case["kind"] == "kth":
                    continue
                size_in = at("size_in")
                merged, size = tome.merge_weighted(
                    x, *matching, None if size_in is None else size_in.squeeze(-1)
                )
                self.close(merged, at("wavg_x"))
                self.close(size, at("wavg_size").squeeze(-1))
                source = at("source_in")
                if source is None:
                    source = torch.eye(x.shape[1]).expand(x.shape[0], -1, -1)
                self.assertTrue(torch.equal(tome.merge_source(source, *matching), at("source")))


class Operators(unittest.TestCase):
    def test_gradients(self):
        torch.manual_seed(0)
        x = torch.randn(2, 9, 3, dtype=torch.float64, requires_grad=True)
        size = torch.randint(1, 5, (2, 9)).to(torch.float64)
        matching = tome.bipartite_soft_matching(x.detach(), 3, 1)
        self.assertTrue(torch.autograd.gradcheck(lambda x: tome.merge(x, *matching), x))
        self.assertTrue(
            torch.autograd.gradcheck(lambda x: tome.merge_weighted(x, *matching, size)[0], x)
        )
        merged = torch.randn(2, 6, 3, dtype=torch.float64, requires_grad=True)
        self.assertTrue(torch.autograd.gradcheck(lambda m: tome.unmerge(m, *matching), merged))

    def test_random_matching_follows_its_generator(self):
        metric = torch.randn(1, 21, 4)
        draw = lambda seed: tome.random_bipartite_matching(
            metric, 8, 1, torch.Generator().manual_seed(seed)
        )
        for first, again in zip(draw(3), draw(3)):
            self.assertTrue(torch.equal(first, again))
        self.assertFalse(torch.equal(draw(3)[1], draw(4)[1]))

    def test_wrong_arguments_are_errors(self):
        with self.assertRaisesRegex(RuntimeError, "bipartite_soft_matching"):
            tome.bipartite_soft_matching(torch.randn(4, 4), 1)
        matching = tome.bipartite_soft_matching(torch.randn(1, 8, 4), 2)
        with self.assertRaisesRegex(RuntimeError, "mode"):
            tome.merge(torch.randn(1, 8, 4), *matching, "median")


if __name__ == "__main__":
    unittest.main()
