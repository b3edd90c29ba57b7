"""What a person who types words in `--plain` has chosen to look at: tasks, a filter, an order, a view. Told in lines."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from dagtop.core.forecast import Usual
from dagtop.core.snapshot import RunSnapshot, TaskRow
from dagtop.errors import JournalError

from dagtop_app.plain import answers
from dagtop_app.tasks.filters import Filter, matches
from dagtop_app.tasks.row_orders import SORTS, keys_of
from dagtop_app.tasks.table_columns import is_slow
from dagtop_app.text import name_of, plural
from dagtop_app.views.listed import BY_NAME
from dagtop_app.words.parsing import Worded, WordError
from dagtop_app.words.tasks import by_beginning

if TYPE_CHECKING:
    from dagtop.ports.journal import Journal

#: Words that are answered here.
LOOKS = frozenset({"goto", "select", "view", "sort", "filter", "tasks", "theme", "runs"})


class Looks:
    """What is chosen, and the answers to the words that choose it."""

    def __init__(self) -> None:
        self.chosen: Sequence[str] = ()
        """Tasks that words are meant for which name none."""
        self.journal: Journal | None = None
        """Where runs are kept, if that is known."""
        self.usual: Mapping[int, Usual] = {}
        """How long tasks usually take, by index."""
        self._order = ""
        self._filter = ""

    def answer(self, said: Worded, snapshot: RunSnapshot) -> Iterator[str]:
        """The lines that tell it.

        Raises
        ------
        WordError: there is no such filter, order or view.
        """
        match said.word:
            case "goto" | "select":
                yield from self._choose(said.tasks, snapshot)
            case "tasks":
                yield from self.tasks(snapshot, said.rest or self._filter)
            case "filter":
                if error := Filter(said.rest).error:
                    raise WordError(error)
                self._filter = said.rest
                yield from self.tasks(snapshot, said.rest)
            case "sort":
                self._order = by_beginning("order", said.rest, SORTS)
                yield f"Tasks are listed {SORTS[self._order]}."
            case "runs":
                yield from self._runs(said.rest)
            case "theme":
                yield "There are no colours in plain lines."
            case _:
                yield from self._view(by_beginning("view", said.rest, BY_NAME), snapshot)

    def _runs(self, text: str) -> Iterator[str]:
        from dagtop_app.commands.history import run_lines  # noqa: PLC0415 - only where it is asked
        from dagtop_app.runs.filter import RunFilter  # noqa: PLC0415 - as above
        from dagtop_app.runs.list_model import with_pasts  # noqa: PLC0415 - as above

        if self.journal is None:
            yield "No history is known here."
            return
        wanted = RunFilter(text, time.time())
        if wanted.error:
            raise WordError(wanted.error)
        try:
            found = wanted.passing(with_pasts(self.journal.runs()), problems=False)
        except JournalError as error:
            raise WordError(str(error)) from error
        yield from run_lines([one.summary for one in found[: answers.MOST]])
        if len(found) > answers.MOST:
            yield f"and {len(found) - answers.MOST:,} more: narrow it down, as in “runs state:failed”."
        elif not found:
            yield "No run is like that."

    def _choose(self, names: Sequence[str], snapshot: RunSnapshot) -> Iterator[str]:
        self.chosen = names
        if not names:
            yield "No task is chosen."
        elif len(names) == 1:
            yield answers.task_line(snapshot, snapshot.rows[snapshot.plan.index[names[0]]])
        else:
            told = ", ".join(name_of(name, 60) for name in names[:10])
            yield answers.sentence(f"{plural(len(names), 'task')} chosen: {told}{', …' if len(names) > 10 else ''}")

    def tasks(self, snapshot: RunSnapshot, text: str) -> Iterator[str]:
        """A line for each task that a filter lets through, in the order that was chosen."""

        def slow(row: TaskRow) -> bool:
            return is_slow(snapshot, row, self.usual)

        if not self._order:
            yield from answers.tasks(snapshot, text, slow=slow)
            return
        wanted = Filter(text)
        if wanted.error:
            raise WordError(wanted.error)
        wanted.slow = slow
        rows = [snapshot.rows[index] for index in matches(snapshot.rows, wanted, problems=False)]
        keys = keys_of(self._order, snapshot, rows, usual=self.usual, level=None)
        ordered = [rows[place] for place in sorted(range(len(rows)), key=keys.__getitem__)]
        yield from (answers.task_line(snapshot, row) for row in ordered[: answers.MOST])
        if len(rows) > answers.MOST:
            yield f"and {len(rows) - answers.MOST:,} more: narrow it down, as in “tasks state:failed”."
        elif not rows:
            yield "No task is like that."

    def _view(self, name: str, snapshot: RunSnapshot) -> Iterator[str]:
        match name:
            case "breakers" | "escalations":
                yield from answers.ANSWERS[name](snapshot)
            case "graph":
                yield from _graph(snapshot)
            case "meta":
                nodes = [snapshot.rows[index] for index in sorted(snapshot.plan.nodes)]
                yield from (answers.task_line(snapshot, row) for row in nodes[: answers.MOST])
                if not nodes:
                    yield "The run has one level."
            case "timeline":
                before, self._order = self._order, "start"
                yield from self.tasks(snapshot, self._filter)
                self._order = before
            case "events":
                yield "What happens is told line by line, as it happens; logs and why TASK tell of what was."
            case "logs":
                yield "logs tells the latest lines of all tasks, logs TASK those of one."
            case _:
                yield from self.tasks(snapshot, self._filter)


def _graph(snapshot: RunSnapshot) -> Iterator[str]:
    """Each task with what it needs, upstream first."""
    plan = snapshot.plan
    for index in plan.order[: answers.MOST]:
        needs = ", ".join(name_of(plan.names[above], 80) for above in plan.upstream[index][:20])
        more = len(plan.upstream[index]) - 20
        after = f" after {needs}{f' and {more:,} more' if more > 0 else ''}" if needs else ""
        yield answers.sentence(f"{name_of(plan.names[index], 120)}, {answers.word_of(snapshot.rows[index])}{after}")
    if len(plan.order) > answers.MOST:
        yield f"and {len(plan.order) - answers.MOST:,} more."
