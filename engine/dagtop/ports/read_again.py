"""Modules of the user's that were read again in this process: other processes may have an older version of them."""

from __future__ import annotations

#: Their names, as in `sys.modules`.
READ_AGAIN: set[str] = set()
