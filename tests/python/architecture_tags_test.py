"""The table of timm's tags is what the installed timm says.

    python3 architecture_tags_test.py scripts/make_architecture_tags
"""

import subprocess
import sys

from needs import needs

needs("torch", "timm", "torchvision")

sys.exit(subprocess.run([sys.executable, sys.argv[1], "--check"]).returncode)
