"""Token Merging in timm, the peer that scripts/compare_peers measures, computes what the reference
implementation does.

    python3 tome_timm_test.py scripts tests/data/vit/timm_vit_cls
"""

import json
import pathlib
import sys
import unittest

from needs import needs

needs("torch", "timm", "torchvision", "safetensors")

import torch
from safetensors.torch import load_file

DATA = pathlib.Path(sys.argv.pop(2))
sys.path.insert(0, sys.argv.pop(1))
from peers import tome_timm
from peers.timm_models import timm

TOLERANCE = 1e-4  # float32, as for ViToMe itself


class Golden(unittest.TestCase):
    def setUp(self):
        self.config = json.loads((DATA / "config.json").read_text())
        self.settings = json.loads((DATA / "cases.json").read_text())["settings"]
        self.io = load_file(DATA / "io.safetensors")

    def merging(self, setting, manual_attention):
        model = timm.create_model(
            self.config["architecture"], num_classes=self.config["num_classes"], **self.config["model_args"]
        ).eval()
        model.load_state_dict(load_file(DATA / "model.safetensors"))
        return tome_timm.apply(model, setting["r_per_layer"], manual_attention, setting["prop_attn"])

    def sizes_of(self, model):
        """Filled by a forward pass with the sizes after the last block."""
        sizes = []
        model.blocks[-1].register_forward_hook(lambda _module, _input, output: sizes.append(output[1]))
        return sizes

    def test_logits_features_and_sizes(self):
        self.assertGreater(len(self.settings), 3)
        for setting in self.settings:
            for manual_attention in (False, True):
                with self.subTest(setting=setting["name"], manual_attention=manual_attention):
                    model = self.merging(setting, manual_attention)
                    sizes = self.sizes_of(model)
                    with torch.inference_mode():
                        features = model.forward_features(self.io["input"])
                        logits = model.forward_head(features)
                    name = setting["name"]
                    torch.testing.assert_close(logits, self.io[f"{name}/logits"], rtol=0, atol=TOLERANCE)
                    torch.testing.assert_close(features, self.io[f"{name}/features"], rtol=0, atol=TOLERANCE)
                    if any(setting["merged_per_layer"]):
                        self.assertTrue(torch.equal(sizes[0], self.io[f"{name}/size"]))
                    else:
                        self.assertIsNone(sizes[0])

    def test_models_without_a_class_token_are_refused(self):
        model = timm.create_model("vit_tiny_patch16_224", class_token=False, global_pool="avg")
        with self.assertRaisesRegex(ValueError, "class token"):
            tome_timm.apply(model, 8)


if __name__ == "__main__":
    unittest.main()
