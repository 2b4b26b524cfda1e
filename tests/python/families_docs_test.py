"""README.md and docs/families.md say of the families what the library's tables say.

    python3 families_docs_test.py scripts/make_families_docs
"""

import subprocess
import sys

sys.exit(subprocess.run([sys.executable, sys.argv[1], "--check"]).returncode)
