"""How each style class of the view models looks, in a theme's colours. Data only."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple


class Ink(NamedTuple):
    """One style class. Colours are names of a theme's variables; "" leaves what is there."""

    color: str = ""
    background: str = ""
    text_style: str = ""


#: The colour of a state is the theme's of the same name.
_STATES = ("run", "queue", "wait", "retry", "ok", "block", "skip", "stop", "held")

INKS: Mapping[str, Ink] = {
    **{name: Ink(f"dt-{name}") for name in _STATES},
    "fail": Ink("dt-fail", text_style="bold"),
    "dim": Ink("dt-dim"),
    "faint": Ink("dt-faint"),
    "rule": Ink("dt-rule"),
    "strong": Ink("foreground", text_style="bold"),
    "title": Ink("foreground", text_style="bold"),
    "head": Ink("dt-faint", text_style="bold"),
    "key": Ink("dt-key"),
    "off": Ink("dt-off"),
    "tab": Ink("dt-dim"),
    "tab-on": Ink("background", "primary", "bold"),
    "brand": Ink("background", "primary", "bold"),
    "match": Ink("background", "dt-key"),
    "good": Ink("dt-ok"),
    "warn": Ink("dt-retry"),
    "bad": Ink("dt-fail"),
    "alarm": Ink("background", "dt-retry", "bold"),
    "error": Ink("dt-fail"),
    "cursor": Ink(background="dt-cursor"),
    "cursor-idle": Ink(background="panel"),
    "mark": Ink("primary"),
    "bar-rest": Ink("dt-bar"),
    "chip": Ink(background="dt-chip"),
}

#: Text styles without colour: bold, reverse and underline carry what colour did.
COLOURLESS: Mapping[str, str] = {
    "fail": "bold underline",
    "bad": "bold underline",
    "error": "bold underline",
    "retry": "bold",
    "block": "bold",
    "warn": "bold",
    "alarm": "reverse bold",
    "cursor": "reverse",
    "tab-on": "reverse bold",
    "brand": "reverse bold",
    "match": "reverse bold",
    "key": "bold",
}
