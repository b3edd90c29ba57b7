"""What could come next in the line that `:` opens: only what would be accepted as things are, the likeliest first. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from fnmatch import fnmatchcase
from itertools import islice
from typing import NamedTuple

from dagtop.core.snapshot import RunSnapshot, TaskRow
from dagtop.core.states import BAD, FINAL, RUN_OVER, RunState, TaskState

from dagtop_app.faces import face_of
from dagtop_app.tasks.row_orders import SORTS
from dagtop_app.tasks.tally import at_gates
from dagtop_app.text import clean, name_of, plural
from dagtop_app.words import completing_values as values
from dagtop_app.words.completing_tasks import is_of_use, nearest_names, tasks_for, test_of
from dagtop_app.words.edits import policies, policy_fields
from dagtop_app.words.reports import FORMS
from dagtop_app.words.tasks import Token, WordError, is_term, tokens
from dagtop_app.words.vocabulary import ONE_TASK, VOCABULARY, Entry, entry_of

#: So many offers are made at most.
OFFERED = 40

_TERMS: Mapping[str, str] = {
    "state:": "failed, running, waiting, retry, held, gate, …",
    "policy:": "no, on-failure, always",
    "tag:": "tasks with a tag",
    "pool:": "tasks of a pool",
    "circuit:": "tasks behind a breaker",
    "!state:": "not in that state",
}


class Offer(NamedTuple):
    """What could come next."""

    line: str
    """All of the line, if it is taken."""
    shown: str
    note: str = ""


class Known(NamedTuple):
    """What there is besides the run."""

    views: Sequence[str] = ()
    themes: Sequence[str] = ()
    chosen: Sequence[str] = ()
    """Tasks that are meant if none is named."""
    may_steer: bool = True
    """Whether anything can be changed: not in a replay."""
    useless: frozenset[str] = frozenset()
    """Words that would do nothing here, such as "undo" when there is nothing to undo."""


class _Line(NamedTuple):
    """A line that is being typed."""

    entry: Entry
    before: str
    """All but the last word."""
    last: str
    said: Sequence[Token]
    """The words before that, without the first."""
    now: RunSnapshot
    known: Known

    def names(self) -> list[str]:
        """The words that were said, those in quotes without them."""
        return [token.text for token in self.said]

    def begun(self, offers: Iterable[tuple[str, str]], *, space: bool = True) -> Iterator[Offer]:
        """Those that begin with the last word, then those that have it anywhere; none twice."""
        wanted, rest = self.last.strip("\"'").lower(), []
        for name, note in offers:
            if name in self.names():
                continue
            offer = Offer(f"{self.before}{quoted(name)}{' ' if space else ''}", clean(name, 80), note)
            if name.lower().startswith(wanted):
                yield offer
            elif wanted in name.lower():
                rest.append(offer)
        yield from rest

    def keywords(self, offers: Iterable[tuple[str, str]]) -> Iterator[Offer]:
        """Those that begin with the last word: a part of them is none."""
        for name, note in offers:
            if name.startswith(self.last.lower()) and name not in self.names():
                yield Offer(f"{self.before}{name}{'' if name.endswith('=') else ' '}", name, note)


def offers(text: str, snapshot: RunSnapshot, known: Known | None = None) -> list[Offer]:
    """What could come next in a line that ends where the cursor is."""
    known = known or Known()
    text = text.lstrip().removeprefix(":")
    before, last = _parted(text)
    if not before.strip():
        return _words(last, snapshot, known)
    entry = entry_of(before.split(maxsplit=1)[0])
    if entry is None or not is_possible(entry, snapshot, known):
        return []
    try:
        said = tokens(before)[1:]
    except WordError:
        return []
    if any(not token.quoted and token.text in {"because", "--because", "--reason"} for token in said):
        return []
    return list(islice(_unlike(_after(_Line(entry, before, last, said, snapshot, known))), OFFERED))


def _unlike(found: Iterable[Offer]) -> Iterator[Offer]:
    lines: set[str] = set()
    for offer in found:
        if offer.line not in lines:
            lines.add(offer.line)
            yield offer


def _parted(text: str) -> tuple[str, str]:
    """(all but the last word, the last word); a quote that is open goes on to the end."""
    quote = ""
    start = 0
    for place, char in enumerate(text):
        if quote:
            quote = "" if char == quote else quote
        elif char in "\"'" and place == start:
            quote = char
        elif char == " ":
            start = place + 1
    return text[:start], text[start:]


# -- the first word ------------------------------------------------------------------------------------------------------


def is_possible(entry: Entry, now: RunSnapshot, known: Known) -> bool:
    """Whether the word would do anything as things are."""
    if entry.asks:
        return entry.word not in known.useless
    if not known.may_steer or now.broken or entry.word in known.useless:
        return False
    match entry.word:
        case "cancel":
            return now.state not in RUN_OVER
        case "retry":
            return any(now.counts.get(state, 0) for state in FINAL | {TaskState.BACKOFF})
        case "pause":
            return now.state is RunState.RUNNING
        case "continue":
            return now.state in {RunState.PAUSED, RunState.DRAINING}
        case "drain":
            return now.state in {RunState.RUNNING, RunState.PAUSED}
        case "approve" | "reject" | "gate":
            return bool(at_gates(now))
        case "pool":
            return any(key.startswith("pool:") for key in now.limits)
        case "breaker":
            return bool(now.breakers)
        case "ack":
            return bool(now.escalations)
        case "scale":
            return any(name.endswith("[0]") for name in now.plan.names)
        case word:
            return is_of_use(word, now)


def _words(begun: str, now: RunSnapshot, known: Known) -> list[Offer]:
    wanted = begun.lower()
    first = [entry for entry in VOCABULARY if entry.word.startswith(wanted)]
    other = [
        entry for entry in VOCABULARY if entry not in first and any(one.startswith(wanted) for one in entry.aliases)
    ]
    third = [
        entry
        for entry in VOCABULARY
        if len(wanted) > 1 and entry not in first and entry not in other and wanted in entry.help.lower()
    ]
    found = [*first, *other, *third]
    if not found:
        words = {word: entry for entry in VOCABULARY for word in (entry.word, *entry.aliases)}
        found = list(dict.fromkeys(words[near] for near in nearest_names(wanted, list(words))))
    return [
        Offer(
            f"{entry.word} " if entry.usage else entry.word,
            f"{entry.word} {entry.usage}".rstrip(),
            entry.help.replace("`", ""),
        )
        for entry in found
        if is_possible(entry, now, known)
    ]


# -- what comes after it -------------------------------------------------------------------------------------------------


def _after(line: _Line) -> Iterator[Offer]:
    entry, now = line.entry, line.now
    single = {"view": line.known.views, "theme": line.known.themes, "sort": SORTS}
    match entry.takes:
        case "view" | "theme" | "sort" if not line.said:
            yield from line.begun((name, "") for name in single[entry.takes])
        case "form" if not line.said:
            yield from line.begun(FORMS.items())
        case "word" if not line.said:
            yield from line.begun((one.word, one.help.replace("`", "")) for one in VOCABULARY)
        case "number" if not line.said:
            yield from line.keywords(values.numbers(now.max_parallel, least=1))
        case "pool":
            yield from line.begun(values.pools(now, line.names()))
        case "breaker":
            yield from _of_breakers(line)
        case "scale":
            yield from _scaled(line)
        case "task":
            yield from _of_tasks(line)
        case _:
            return


def _of_breakers(line: _Line) -> Iterator[Offer]:
    """Deeds, states, settings and names, each where it may stand."""
    words, names = values.breaker_words(line.now, line.names())
    yield from line.keywords(words)
    yield from line.begun(names)


def _scaled(line: _Line) -> Iterator[Offer]:
    """A task with replicas, then how many there are to be."""
    from dagtop_app.tasks.upkeep import replicas_of, whole_of  # noqa: PLC0415 - where there is one

    if not line.said:
        whole = dict.fromkeys(whole_of(line.now, name) for name in _names(line))
        yield from line.begun((name, f"now {replicas_of(line.now, name)}") for name in whole)
    elif len(line.said) == 1:
        count = replicas_of(line.now, whole_of(line.now, line.said[0].text))
        if count is not None:
            yield from line.keywords(values.numbers(count, least=0))


def _names(line: _Line) -> list[str]:
    skips = line.entry.word == "mark" and "skipped" in line.names()
    return tasks_for(
        "skip" if skips else line.entry.word,
        line.now,
        line.last.strip("\"'"),
        said=line.names(),
        chosen=line.known.chosen,
        most=OFFERED,
    )


def _of_tasks(line: _Line) -> Iterator[Offer]:
    """Keywords, terms of the filter box, and tasks."""
    word, last, plan = line.entry.word, line.last, line.now.plan
    if word in ONE_TASK and line.said:
        return
    if word == "gate" and not line.said:
        yield from line.keywords((("approve", "let it through"), ("reject", "do not let it through")))
        return
    named = [token for token in line.said if token.quoted or token.text in plan.index or is_term(plan, token)]
    yield from line.keywords(_first_words(line, bool(named)))
    yield from _terms(line)
    if ":" not in last and not last.startswith(("/", "~", "!", "-")):
        found = _changed_by(line, _names(line))
        for name in found:
            face = face_of(line.now.rows[plan.index[name]])
            yield Offer(f"{line.before}{quoted(name)} ", name_of(name, 80), face.word.lower())
        pattern = last.lower() if "*" in last or "?" in last else f"*{last.lower()}*"
        if not found and not any(fnmatchcase(name.lower(), pattern) for name in plan.names):
            test = test_of(word, line.now)
            for name in nearest_names(last.strip("\"'"), plan.names):
                if test is None or test(line.now.rows[plan.index[name]]):
                    yield Offer(f"{line.before}{quoted(name)} ", name_of(name, 80), "did you mean this?")
    if line.entry.why and (named or line.known.chosen) and "because".startswith(last.lower()):
        yield Offer(f"{line.before}because ", "because …", "the reason, kept with the run")


def _first_words(line: _Line, named: bool) -> Iterator[tuple[str, str]]:
    """What may stand here besides tasks."""
    word, now, first = line.entry.word, line.now, not line.said
    if word == "cancel" and first and now.state is not RunState.CANCELLING:
        yield "run", "all of the run"
    elif word == "start" and first and now.state not in {RunState.DRAINING, RunState.CANCELLING}:
        yield "run", "all that should run"
    elif word == "retry" and first and any(now.counts.get(state, 0) for state in BAD - {TaskState.BLOCKED}):
        yield "failed", "all that failed"
    elif word == "restart":
        yield "--downstream", "and everything after them"
    elif word == "ack":
        yield from values.escalations(now, line.names())
    elif (
        word == "mark"
        and not {"succeeded", "skipped"}.intersection(line.names())
        and (named or line.known.chosen or line.last)
    ):
        yield "succeeded", "take it as done"
        if _may_be_skipped(line):
            yield "skipped", "do without it"
    elif word == "policy":
        yield from values.policy_words(now, line.names(), line.last)


def _may_be_skipped(line: _Line) -> bool:
    """Whether one of the tasks that were named, if any was, is not skipped already."""
    now = line.now
    places = [now.plan.index[name] for name in line.names() or line.known.chosen if name in now.plan.index]
    return not places or any(now.rows[place].state is not TaskState.SKIPPED for place in places)


def _changed_by(line: _Line, names: list[str]) -> list[str]:
    """Of the tasks for a change of policy those that are not so already."""
    if line.entry.word != "policy":
        return names
    try:
        fields, _ = policy_fields(line.said, line.now.plan)
    except WordError:
        return []

    def changes(name: str) -> bool:
        try:
            return bool(policies(line.now, [name], fields))
        except WordError:
            return False

    return [name for name in names if changes(name)] if fields else names


def _terms(line: _Line) -> Iterator[Offer]:
    """Words of the filter box, once a letter of one was typed, and the values that there are of tasks that can be meant."""
    key, colon, value = line.last.partition(":")
    if not colon:
        if line.last:
            for name, note in _TERMS.items():
                if name.startswith(line.last.lower()):
                    yield Offer(line.before + name, f"{name}…", note)
        return
    counted = _VALUES.get(key.lstrip("!").lower())
    if counted is not None:
        test = None if key.startswith("!") else test_of(line.entry.word, line.now)
        rows = line.now.rows if test is None else [row for row in line.now.rows if test(row)]
        for name, count in counted(rows).items():
            if value.lower() in name.lower() and f"{key}:{name}" not in line.names():
                yield Offer(f"{line.before}{key}:{name} ", f"{key}:{clean(name, 60)}", plural(count, "task"))


def _counted(names: Iterable[str]) -> dict[str, int]:
    counts: dict[str, int] = {}
    for name in names:
        if name and " " not in name and name.isprintable():
            counts[name] = counts.get(name, 0) + 1
    return dict(sorted(counts.items(), key=lambda it: -it[1]))


_VALUES: Mapping[str, Callable[[Sequence[TaskRow]], dict[str, int]]] = {
    "state": lambda rows: _counted(face_of(row).word.lower() for row in rows),
    "policy": lambda rows: _counted(str(row.policy.restart.policy) for row in rows),
    "tag": lambda rows: _counted(tag for row in rows for tag in row.policy.tags),
    "pool": lambda rows: _counted(row.policy.pool for row in rows),
    "circuit": lambda rows: _counted(row.policy.circuit for row in rows),
}


def quoted(name: str) -> str:
    """A name as it can be typed."""
    plain = name.isprintable() and not set(name) & set(" \"'*?=:/~!") and not name.startswith("-")
    return name if plain else f'"{name}"'
