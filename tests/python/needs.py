"""Leaves a test whose packages are missing: skipped, but failed where CI=true."""

import importlib.util
import os
import sys

SKIPPED = 77  # what ctest is told to list as skipped


def needs(*packages):
    missing = [package for package in packages if importlib.util.find_spec(package) is None]
    if missing:
        print(f"skipped: not installed for {sys.executable}: {', '.join(missing)} (scripts/setup --all helps)")
        sys.exit(1 if os.environ.get("CI") == "true" else SKIPPED)
