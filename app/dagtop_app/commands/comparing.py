"""Two kept runs, read and compared: what `dagtop diff` and the list of runs tell."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from typing import Any

from dagtop.core.forecast import Usual
from dagtop.journal.compare import Comparison, compare
from dagtop.journal.compare_facts import Facts, facts_of
from dagtop.observe.redact import redactor
from dagtop.observe.secrets import secrets_in
from dagtop.ports.journal import StoredRun


def compared(journal: Any, earlier: str, later: str) -> tuple[Facts, Facts, Comparison]:
    """The facts of both runs, and what is different in the later one.

    Raises
    ------
    JournalError: there is no such run, or it cannot be read.
    """
    before, after = _facts(journal, earlier), _facts(journal, later)
    names = list(after.tasks)
    prints = [after.tasks[name].fingerprint for name in names]
    summary = before.summary
    usual: Mapping[str, Usual] = journal.usual(summary.source, summary.graph, names, prints, before=summary.run)
    return before, after, compare(before, after, usual)


def _facts(journal: Any, run: str) -> Facts:
    stored: StoredRun = journal.load(run)
    try:
        return facts_of(stored)
    finally:
        close: Callable[[], object] | None = getattr(stored, "close", None)
        if close is not None:
            close()


def redactor_for(before: Facts, after: Facts) -> Callable[[str], str]:
    """What takes secrets out of the texts of a comparison."""
    return redactor(secrets_in(before.inputs, os.environ) | secrets_in(after.inputs))
