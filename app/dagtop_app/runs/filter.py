"""What the filter of the list of runs understands: text, `/re/`, `!not`, `state:failed`, `graph:etl`, `since:3d`."""

from __future__ import annotations

import fnmatch
from collections.abc import Callable, Sequence
from typing import TypeAlias

from dagtop.core.nearest import nearest

from dagtop_app.commandline.options import UsageError
from dagtop_app.commands.history import STATES, moment_of
from dagtop_app.plain.events import counts_text
from dagtop_app.runs.list_model import Kept
from dagtop_app.tasks.filters import text_test, unknown_key, words_of

Test: TypeAlias = Callable[[Kept], bool]


class RunFilter:
    """A parsed filter; all its words must pass. `error` says what is wrong with it; such a filter lets everything through."""

    def __init__(self, text: str, now: float) -> None:
        self.text = text.strip()
        self.error = ""
        self.tests: list[Test] = []
        for word in words_of(self.text):
            try:
                self.tests.append(_test(word, now))
            except (ValueError, UsageError) as error:
                self.error = str(error)
            self.error = self.error or unknown_key(word, _BY)

    def __bool__(self) -> bool:
        return bool(self.tests)

    def passing(self, rows: Sequence[Kept], *, problems: bool) -> list[Kept]:
        """Those that pass."""
        found = [row for row in rows if row.is_problem or row.here] if problems else list(rows)
        for test in self.tests if not self.error else ():
            found = [row for row in found if test(row)]
        return found


def _test(word: str, now: float) -> Test:
    if word.startswith("!") and len(word) > 1:
        inner = _test(word[1:], now)
        return lambda row: not inner(row)
    key, colon, value = word.partition(":")
    if colon and key.lower() in _BY:
        return _BY[key.lower()](value, now) if value else lambda row: True
    passes = text_test(word)
    return lambda row: passes(_line(row))


def _line(row: Kept) -> str:
    run = row.summary
    return " ".join((run.run, run.state, run.graph, counts_text(dict(run.counts)), run.source))


def _by_state(value: str, now: float) -> Test:
    wanted = value.lower().replace("-", "_").split(",")
    found = {state for state in STATES if any(part and state.startswith(part) for part in wanted)}
    if not found:
        raise ValueError(
            f"no run is ever {value!r}{nearest(value.lower(), STATES) or ''}; there are {', '.join(STATES)}"
        )
    return lambda row: row.summary.state in found


def _by_graph(value: str, now: float) -> Test:
    wanted = value.lower()
    if any(char in wanted for char in "*?["):
        return lambda row: fnmatch.fnmatchcase(row.summary.graph.lower(), wanted)
    return lambda row: wanted in row.summary.graph.lower()


def _by_since(value: str, now: float) -> Test:
    began = moment_of(value, now)
    return lambda row: row.summary.started_at >= began


_BY: dict[str, Callable[[str, float], Test]] = {"state": _by_state, "graph": _by_graph, "since": _by_since}
