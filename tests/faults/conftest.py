"""Shares the helpers of the journal's contract tests."""

import sys
from pathlib import Path

for name in ("contracts", "runtime"):
    sys.path.append(str(Path(__file__).parent.parent / name))
