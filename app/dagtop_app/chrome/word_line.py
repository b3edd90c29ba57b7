"""The line above the footer: what became of the last command, else how the run stands. Pure."""

from __future__ import annotations

from typing import NamedTuple

from dagtop.core.snapshot import BROKEN, RunSnapshot
from dagtop.core.states import ACTIVE, BAD, RunState
from dagtop.errors import DagtopError, IllegalTransitionError

from dagtop_app.chrome.around import trouble
from dagtop_app.faces import GATE_FACE, drawn
from dagtop_app.lines import Line, Span, joined, rule
from dagtop_app.tasks import upkeep
from dagtop_app.tasks.tally import at_gates, counts_of
from dagtop_app.text import clean, plural


class Standing(NamedTuple):
    """All that it is made of."""

    snapshot: RunSnapshot
    text: str = ""
    """What became of the last command."""
    tone: str = ""
    """The style of that."""
    wrong: str = ""
    """What is wrong with the filter."""
    error: BaseException | None = None
    """What the engine broke down over."""
    is_over: bool = False
    has_not_begun: bool = False
    leaves: bool = False
    """Whether the console leaves when the run has ended."""
    next_run: str = ""
    """When it runs next, unless that is told elsewhere."""
    waits_for_nodes: bool = False
    """Whether what is next is a node of it, and not all of it again."""
    is_replay: bool = False
    crashed: str = ""
    """Of a replay that stands where the process of its run ended: that run."""


def word_line(at: Standing, cells: int) -> Line:
    """The most important of it in so many cells: on the left what happens, on the right what waits for somebody."""
    if at.wrong:
        return rule([(clean(at.wrong, 200), "bad")], [], cells)
    if at.error is not None:
        return rule([(clean(at.text or _broken(at.error), 300), "bad"), (" · q leaves", "dim")], [], cells)
    if at.crashed and not at.text:
        resume = f" · dagtop resume {clean(at.crashed, 60)}"
        return rule([("its process ended before the run did", "bad"), (resume, "key")], [], cells)
    return rule(_left(at), _right(at), cells)


def _broken(error: BaseException) -> str:
    ours = isinstance(error, IllegalTransitionError) or not isinstance(error, DagtopError)
    return "this is a bug of dagtop, please report it" if ours else BROKEN


def _left(at: Standing) -> list[Span]:
    snapshot = at.snapshot
    if at.leaves and not at.is_over:
        counts = counts_of(snapshot)
        count = sum(counts.get(state, 0) for state in ACTIVE)
        told = f"leaves when {plural(count, 'task')} {'has' if count == 1 else 'have'} ended"
        return [(told, "warn"), (" · Ctrl+c leaves at once", "dim")]
    if snapshot.state is RunState.DRAINING and at.tone != "bad" and not at.is_over:
        return [("draining: it ends when what runs has", "warn"), (" · Z goes on · K stops all", "dim")]
    if at.text:
        return [(clean(at.text, 300), at.tone)]
    if at.is_over:
        return [*([(at.next_run, "queue"), (" · ", "dim")] if at.next_run else []), *_over(at)]
    last = trouble(snapshot)[1]
    if last is not None:
        return [(clean(f"{last.source}: {last.message}", 300), "warn")]
    return []


def _right(at: Standing) -> list[Span]:
    snapshot, parts = at.snapshot, list[Line]()
    if gates := at_gates(snapshot):
        decides = "" if at.is_replay else " · a decides"
        parts.append(((f" {drawn(GATE_FACE)} {plural(len(gates), 'task')} at a gate{decides} ", "alarm"),))
    if at.next_run and not at.is_over:
        parts.append(((at.next_run, "queue"),))
    count = trouble(snapshot)[0]
    if count:
        parts.append(((f"▲ {plural(count, 'problem')}", "warn"),))
    elif snapshot.problem_count:
        parts.append((("not every output can be kept", "dim"),))
    return joined(parts)


def _over(at: Standing) -> list[Span]:
    """How it ended; a key that would run something again is none in a replay."""
    snapshot, leave = at.snapshot, " · q leaves"
    if at.has_not_begun:
        return [(". runs it now · q leaves", "dim")]
    counts = counts_of(snapshot)
    bad = sum(counts.get(state, 0) for state in BAD)
    if upkeep.keeps(snapshot) and not bad and snapshot.state is RunState.CANCELLED:
        return [("everything is stopped", "warn"), (leave if at.is_replay else f" · K starts it again{leave}", "dim")]
    if bad:
        keys = f" · n next{'' if at.is_replay else ' · r runs one again'}{leave}"
        return [(f"the run is over: {plural(bad, 'task')} failed", "bad"), (keys, "dim")]
    good = snapshot.state is RunState.SUCCEEDED
    if good and at.waits_for_nodes:
        return [("all is done until then", "good"), (leave, "dim")]
    word = "all is well" if good else snapshot.state.value
    return [(f"the run is over: {word}", "good" if good else "warn"), (leave, "dim")]
