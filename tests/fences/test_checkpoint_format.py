"""A replay takes no checkpoint for its own that another version laid out in another way."""

from __future__ import annotations

import hashlib

from dagtop.core.desired import Desired
from dagtop.core.ledger import Ledger
from dagtop.runtime import checkpoint_told
from dagtop.runtime.checkpoint_told import FORMAT, Outline, Told, ToldGraph

#: What was told by each format. If the test below fails: let `FORMAT` be one more, and add its line here.
LAYOUTS = {1: "2e27405dcf60b2c8", 2: "b72b28e4602f20f2"}


def test_what_checkpoints_tell_is_another_format_as_soon_as_it_is_laid_out_in_another_way() -> None:
    told = [(kind.__name__, sorted(kind.__annotations__.items())) for kind in (Told, ToldGraph, Outline)]
    state = sorted({*Ledger.__slots__, *Desired.__slots__})
    found = hashlib.sha256(repr((told, state)).encode()).hexdigest()[:16]
    assert LAYOUTS.get(FORMAT) == found, f"format {FORMAT} of {checkpoint_told.__name__} is another one now: {found}"
