"""Shares the helpers of the journal's contract tests and of the machine's fuzz."""

import sys
from pathlib import Path

TESTS = Path(__file__).parent.parent
sys.path += [str(TESTS / "contracts"), str(TESTS / "core"), str(TESTS / "runtime")]
