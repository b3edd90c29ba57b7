"""The looks of the console: data only. Palettes are TOML, the layout is one stylesheet."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from pathlib import Path

import msgspec

_HERE = Path(__file__).parent


class Palette(msgspec.Struct, frozen=True, kw_only=True):
    """A set of colours, as #rrggbb."""

    name: str
    dark: bool
    base: Mapping[str, str]
    """primary, secondary, accent, success, warning, error, foreground, background, surface, panel."""
    states: Mapping[str, str] = {}
    """By name without the "dt-" in front: run, ok, fail, dim, rule …"""


def palettes() -> tuple[Palette, ...]:
    """Every palette that comes along, the default one first."""
    found = [_read(file.read_text("utf-8")) for file in (_HERE / "builtin").glob("*.toml")]
    return tuple(sorted(found, key=lambda palette: (palette.name != "dagtop-dark", palette.name)))


def _read(text: str) -> Palette:
    data = tomllib.loads(text)
    return Palette(name=data["name"], dark=data["dark"], base=data["base"], states=data["states"])


def stylesheet() -> str:
    """The console's layout, in Textual CSS."""
    return (_HERE / "console.tcss").read_text("utf-8")
