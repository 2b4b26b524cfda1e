"""Architectures of each of timm's classes are what the installed timm builds.

    python3 architectures_test.py scripts/check_architectures build/release/bin/vitome

Without names the script compares all of them, which takes minutes; tests/data/architectures.json holds what it found.
"""

import subprocess
import sys

from needs import needs

needs("torch", "timm", "torchvision")

NAMES = ["vit_tiny_patch16_224", "test_vit3", "test_vit4", "deit_tiny_distilled_patch16_224",
         "aimv2_large_patch14_224", "beit3_base_patch16_224", "vit_base_patch16_rpn_224",
         "eva02_tiny_patch14_224", "vit_tiny_patch16_dinov3_qkvb", "vit_base_patch16_sapiens2",
         "vit_pe_core_tiny_patch16_384", "vit_small_patch16_rope_mixed_ape_224",
         "beit_base_patch16_224", "test_vit_relpos", "naflexvit_base_patch16_siglip",
         "naflexvit_base_patch16_parfac_gap", "vit_pwee_patch16_reg1_gap_256"]

sys.exit(subprocess.run([sys.executable, sys.argv[1], "--vitome", sys.argv[2], *NAMES]).returncode)
