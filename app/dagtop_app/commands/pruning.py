"""`dagtop runs prune`, and the retention that `config.toml` sets: which runs are let go of, and what that frees."""

from __future__ import annotations

import json
import math
import os
import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from dagtop.errors import DagtopError
from dagtop.journal.file import locate
from dagtop.journal.retention import Pruned, Retention, prune
from dagtop.journal.sqlite import SqliteJournal
from dagtop.observe.visible import storable
from dagtop.ports.journal import Journal

from dagtop_app.commandline.options import UsageError
from dagtop_app.plain.saying import say
from dagtop_app.settings import config
from dagtop_app.settings import places as settings
from dagtop_app.settings.config_file import ConfigError
from dagtop_app.text import clean, name_of, plural

_AGES = {"s": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0, "d": 86_400.0, "w": 7 * 86_400.0}
_SIZES = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9, "t": 10**12, "ki": 2**10, "mi": 2**20, "gi": 2**30, "ti": 2**40}
_UNITS = ("B", "kB", "MB", "GB", "TB")
#: Ends after which a run could have been gone on with.
_RESUMABLE = frozenset({"crashed", "incomplete", "cancelled", "failed", "timed_out"})


def age_of(text: str) -> float:
    """Seconds, of an age such as 12h, 30d, 2w or 1d12h.

    Raises
    ------
    ValueError: it is none.
    """
    parts = re.findall(r"([0-9]+(?:\.[0-9]+)?)(s|min|m|h|d|w)", text)
    if not parts or "".join(number + unit for number, unit in parts) != text:
        raise ValueError(text)
    return sum(float(number) * _AGES[unit] for number, unit in parts)


def bytes_of(text: str) -> int:
    """Bytes, of a size such as 500MB, 1.5 GiB or 200k.

    Raises
    ------
    ValueError: it is none.
    """
    found = re.fullmatch(r"([0-9]+(?:\.[0-9]+)?) ?([kmgt]i?)?b?", text.strip().lower())
    if found is None:
        raise ValueError(text)
    return math.floor(float(found[1]) * _SIZES[found[2] or ""])


def size_text(count: int) -> str:
    """A number of bytes for people: 812 B, 3.4 MB."""
    if count < 1000:
        return f"{count} B"
    power = next((power for power in (1, 2, 3) if count < 999.5 * 1000**power), 4)
    size = count / 1000**power
    return f"{size:.1f} {_UNITS[power]}" if size < 9.95 else f"{size:.0f} {_UNITS[power]}"


def wanted_of(keep: int | None, older_than: str, max_size: str, names: tuple[str, str, str]) -> Retention:
    """What options or settings say is kept. `names`: how the person knows the three.

    Raises
    ------
    UsageError: one is not understood.
    """
    if keep is not None and keep < 0:
        raise UsageError(f"{names[0]} takes a number of runs, not {keep}")
    try:
        age = age_of(older_than) if older_than else None
    except ValueError:
        raise UsageError(f"{names[1]} takes an age such as 12h, 30d or 2w, not {older_than!r}") from None
    try:
        size = bytes_of(max_size) if max_size else None
    except ValueError:
        raise UsageError(f"{names[2]} takes a size such as 500MB or 2GB, not {max_size!r}") from None
    return Retention(keep=keep, older_than=age, max_size=size)


def retention_of(given: Path | None = None, environ: Mapping[str, str] = os.environ) -> Retention:
    """What `[journal]` in the file of settings says.

    Raises
    ------
    ConfigError: the file cannot be followed.
    """
    own = config.journal_settings(given, environ)
    return wanted_of(own.keep, own.older_than, own.max_size, config.JOURNAL_NAMES)


def prune_command(
    db: Path | None, keep: int | None, older_than: str, max_size: str, *, dry: bool, as_json: bool
) -> int:
    """Let runs go, by the options or else by the file of settings, and say what was freed.

    Raises
    ------
    UsageError: nothing says which ones.
    DagtopError: the journal or the file of settings cannot be followed.
    """
    wanted = wanted_of(keep, older_than, max_size, ("--keep", "--older-than", "--max-size"))
    if not wanted.asks:
        wanted = retention_of()
    if not wanted.asks:
        raise UsageError(
            "nothing says which runs go: give --keep N, --older-than 30d or --max-size 500MB, or set them in [journal] of "
            "config.toml"
        )
    journal = settings.journal_at(db)
    pruned = prune(journal, wanted, dry=dry)
    if as_json:
        print(_json(pruned, journal, dry=dry))
        return 0
    for one in pruned.gone:
        run, state = clean(one.run.run, 100), clean(one.run.state, 20)
        print(f"{run}  {state:<9}  {size_text(one.size):>7}  {name_of(one.run.graph, 60)}  ({one.reason})")
    for spared, why in pruned.spared:
        print(f"{clean(spared.run, 100)} stays: {why}", file=sys.stderr)
    print(_sentence(pruned, journal, dry=dry), file=sys.stderr)
    return 0


def _sentence(pruned: Pruned, journal: SqliteJournal, *, dry: bool) -> str:
    where = clean(str(journal.path))
    if not pruned.gone:
        return f"no run is to go; {where} has {size_text(pruned.after)}"
    resumable = sum(one.run.state in _RESUMABLE for one in pruned.gone)
    lost = f", {resumable} of them could have been resumed" if resumable else ""
    if dry:
        size = size_text(sum(one.size for one in pruned.gone))
        return f"{plural(len(pruned.gone), 'run')} would go ({size} of events and outputs){lost.replace('have been', 'be')}"
    freed = size_text(max(0, pruned.before - pruned.after))
    return f"{plural(len(pruned.gone), 'run')} pruned{lost}; {freed} freed, {where} has {size_text(pruned.after)} now"


def _json(pruned: Pruned, journal: SqliteJournal, *, dry: bool) -> str:
    value: dict[str, Any] = {
        "journal": str(journal.path),
        "dry_run": dry,
        "pruned": [
            {
                "run": one.run.run,
                "graph": one.run.graph,
                "state": one.run.state,
                "bytes": one.size,
                "reason": one.reason,
            }
            for one in pruned.gone
        ],
        "spared": [{"run": run.run, "graph": run.graph, "reason": why} for run, why in pruned.spared],
        "bytes_before": pruned.before,
        "bytes_after": pruned.after,
    }
    return storable(json.dumps(value, ensure_ascii=False))


def after_a_run(journal: Journal | None, own: object, given: Path | None = None) -> None:
    """Apply the retention of the settings, once a run is over. What goes wrong is told in a line; the run is not touched by it.

    Parameters
    ----------
    own: the journal that the graph file names itself: its runs are for that file to keep.
    """
    if not isinstance(journal, SqliteJournal) or _is_own(journal, own):
        return
    try:
        wanted = retention_of(given)
        if wanted.asks:
            prune(journal, wanted, whole_check=False)
    except (DagtopError, ConfigError, UsageError) as error:
        say(f"no run was pruned: {clean(str(error), 600)}")


def _is_own(journal: SqliteJournal, own: object) -> bool:
    if own is None or own is journal:
        return own is journal
    return isinstance(own, (str, os.PathLike)) and locate(own) == journal.path
