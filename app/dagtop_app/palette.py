"""The command line that `:` opens: what could come next, and what the line would do, while it is typed. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import NamedTuple

from dagtop.core.commands import BlastRadius
from dagtop.core.snapshot import RunSnapshot

from dagtop_app.faces import face_of
from dagtop_app.lines import Line
from dagtop_app.node_commands import together
from dagtop_app.row_orders import SORTS
from dagtop_app.text import clean, name_of, plural, wrap
from dagtop_app.worded import Worded, WordError, parse
from dagtop_app.worded_edits import FIELDS
from dagtop_app.worded_vocabulary import BY_WORD, TASK, VOCABULARY, Entry

#: So many offers are made at most; of more tasks than `LOOKED_AT` the first ones are looked through.
OFFERED, LOOKED_AT = 40, 200_000
#: What a command for more tasks would do is not worked out at every letter.
WEIGHED = 2_000

#: Words that are about the screen, and not about the run.
CONSOLE_WORDS = (
    Entry("view", "NAME", "Show a view.", (), "view", asks=True),
    Entry("sort", "ORDER", "Choose the order of the table.", (), "sort", asks=True),
    Entry("filter", "[FILTER]", "Show only these tasks; without a filter all.", (), TASK, asks=True),
    Entry("theme", "[NAME]", "Choose the colours.", (), "theme", asks=True),
    Entry("select", "TASK…", "Mark tasks: keys act on all of them.", ("mark-all",), TASK, asks=True),
)
WORDS = (*VOCABULARY, *CONSOLE_WORDS)
_BY_CONSOLE_WORD = {word: entry for entry in CONSOLE_WORDS for word in (entry.word, *entry.aliases)}

#: What may come right after a word, besides tasks.
_AFTER: Mapping[str, Sequence[str]] = {
    "cancel": ("run",),
    "start": ("run",),
    "retry": ("failed",),
    "gate": ("approve", "reject"),
    "policy": ("no", "on-failure", "always", *(f"{name}=" for name in FIELDS)),
    "breaker": ("trip", "close", "half-open", "force", "let-go"),
    "mark": ("succeeded", "skipped"),
    "restart": ("--downstream",),
}
_FORCED = ("open", "closed", "half-open")
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


class Outlook(NamedTuple):
    """What a line would do."""

    text: str
    tone: str
    """Style class."""


def entry_of(word: str) -> Entry | None:
    """The entry of a word, as it is typed."""
    return _BY_CONSOLE_WORD.get(word.lower()) or BY_WORD.get(word) or BY_WORD.get(word.lower())


def offers(text: str, snapshot: RunSnapshot, *, views: Iterable[str] = (), themes: Iterable[str] = ()) -> list[Offer]:
    """What could come next in a line that ends where the cursor is."""
    text = text.lstrip().removeprefix(":")
    before, last = _parted(text)
    if not before.strip():
        return _words(last)
    entry = entry_of(before.split(maxsplit=1)[0])
    if entry is None:
        return []
    known = {"view": views, "theme": themes, "sort": SORTS, "word": [one.word for one in WORDS]}
    if entry.takes in known:
        first = len(before.split()) == 1
        return _begun(before, last, ((name, "") for name in known[entry.takes])) if first else []
    return list(islice(_after(entry, before, last, snapshot), OFFERED))


def word_lines(begun: str, cells: int) -> list[Line]:
    """Every word with what comes after it and what it does; those that begin so, or all if none does."""
    wanted = begun.strip().lower()
    chosen = [entry for entry in WORDS if any(one.startswith(wanted) for one in (entry.word, *entry.aliases))] or WORDS
    lines: list[Line] = []
    for entry in chosen:
        also = f"   also {', '.join(entry.aliases)}" if entry.aliases else ""
        lines.append(((entry.word, "key"), (f" {entry.usage}", ""), (also, "faint")))
        lines += [((f"    {part}", "dim"),) for part in wrap(entry.help.replace("`", ""), cells - 4)]
    lines += [
        (),
        (
            (
                "TASK… is names, patterns (load_*) and what the filter takes (state:failed, tag:etl, /re/, !not).",
                "faint",
            ),
        ),
    ]
    return [*lines, (("“because …” at the end is kept with the run.", "faint"),)]


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


def _words(begun: str) -> list[Offer]:
    wanted = begun.lower()
    first = [entry for entry in WORDS if entry.word.startswith(wanted)]
    other = [entry for entry in WORDS if entry not in first and any(one.startswith(wanted) for one in entry.aliases)]
    third = [
        entry
        for entry in WORDS
        if len(wanted) > 1 and entry not in first and entry not in other and wanted in entry.help.lower()
    ]
    return [
        Offer(
            f"{entry.word} " if entry.usage else entry.word,
            f"{entry.word} {entry.usage}".rstrip(),
            entry.help.replace("`", ""),
        )
        for entry in (*first, *other, *third)
    ]


def _begun(before: str, last: str, known: Iterable[tuple[str, str]]) -> list[Offer]:
    wanted = last.strip("\"'").lower()
    return [Offer(f"{before}{_quoted(name)} ", clean(name, 80), note) for name, note in known if wanted in name.lower()]


def _after(entry: Entry, before: str, last: str, snapshot: RunSnapshot) -> Iterator[Offer]:
    said = before.split()[1:]
    if entry.word in {"limit", "scale"} and entry.takes != TASK:
        return
    if entry.takes == "pool":
        yield from _of_pool(before, last, said, snapshot)
        return
    if entry.takes == "breaker":
        yield from _of_breaker(before, last, said, snapshot)
        return
    if entry.takes != TASK or "because" in said:
        return
    lowered = last.lower()
    for name in _AFTER.get(entry.word, ()):
        if last and name.startswith(lowered) and name not in said:
            yield Offer(before + name + ("" if name.endswith("=") else " "), name, _meaning(entry.word, name))
    yield from _terms(before, last, snapshot)
    if not last:
        for name in _AFTER.get(entry.word, ())[:4]:
            if name not in said:
                yield Offer(f"{before}{name} ", name, _meaning(entry.word, name))
    if ":" not in last and not last.startswith(("/", "~", "!", "-")):
        yield from _tasks(before, last, snapshot)
    if entry.why and said and "because".startswith(lowered):
        yield Offer(f"{before}because ", "because …", "the reason, kept with the run")


def _meaning(word: str, name: str) -> str:
    match word, name:
        case _, "run":
            return "all of the run"
        case "retry", "failed":
            return "all that failed"
        case "restart", _:
            return "and everything after them"
        case "policy", "no" | "on-failure" | "always":
            return "when they are started again"
        case _:
            return ""


def _of_pool(before: str, last: str, said: Sequence[str], snapshot: RunSnapshot) -> Iterator[Offer]:
    if not said:
        pools = {key.removeprefix("pool:"): it for key, it in snapshot.limits.items() if key.startswith("pool:")}
        yield from _begun(before, last, ((name, f"{used} of {limit} in use") for name, (used, limit) in pools.items()))


def _of_breaker(before: str, last: str, said: Sequence[str], snapshot: RunSnapshot) -> Iterator[Offer]:
    breakers = [(view.name, view.state.value.replace("_", "-")) for view in snapshot.breakers]
    if not said:
        yield from _begun(before, last, ((name, "") for name in _AFTER["breaker"]))
    elif said == ["force"]:
        yield from _begun(before, last, ((name, "hold it so") for name in _FORCED))
    else:
        yield from _begun(before, last, breakers)


def _terms(before: str, last: str, snapshot: RunSnapshot) -> Iterator[Offer]:
    """Words of the filter box, once a letter of one was typed, and the values that are there."""
    key, colon, value = last.partition(":")
    if not colon:
        if last:
            for name, note in _TERMS.items():
                if name.startswith(last.lower()):
                    yield Offer(before + name, f"{name}…", note)
        return
    values = _VALUES.get(key.lstrip("!").lower())
    if values is not None:
        for name, count in values(snapshot).items():
            if value.lower() in name.lower():
                yield Offer(f"{before}{key}:{name} ", f"{key}:{clean(name, 60)}", plural(count, "task"))


def _counted(names: Iterable[str]) -> dict[str, int]:
    counts: dict[str, int] = {}
    for name in names:
        if name and " " not in name and name.isprintable():
            counts[name] = counts.get(name, 0) + 1
    return dict(sorted(counts.items(), key=lambda it: -it[1]))


_VALUES: Mapping[str, Callable[[RunSnapshot], dict[str, int]]] = {
    "state": lambda now: _counted(face_of(row).word.lower() for row in now.rows),
    "policy": lambda now: _counted(str(row.policy.restart.policy) for row in now.rows),
    "tag": lambda now: _counted(tag for row in now.rows for tag in row.policy.tags),
    "pool": lambda now: _counted(row.policy.pool for row in now.rows),
    "circuit": lambda now: _counted(row.policy.circuit for row in now.rows),
}


def _tasks(before: str, last: str, snapshot: RunSnapshot) -> Iterator[Offer]:
    """Tasks whose names begin so, then those that have it anywhere."""
    wanted = last.strip("\"'").lower()
    names = snapshot.plan.names[:LOOKED_AT]
    begin = [index for index, name in enumerate(names) if name.lower().startswith(wanted)][:OFFERED]
    found = set(begin)
    if wanted and len(begin) < OFFERED:
        begin += list(islice((i for i, name in enumerate(names) if i not in found and wanted in name.lower()), OFFERED))
    for index in begin:
        name = names[index]
        if name.strip() and name.isprintable() and index < len(snapshot.rows) and '"' not in name:
            yield Offer(f"{before}{_quoted(name)} ", name_of(name, 80), face_of(snapshot.rows[index]).word.lower())


def _quoted(name: str) -> str:
    plain = name.isprintable() and not set(name) & set(" \"'*?=:/~!") and not name.startswith("-")
    return name if plain else f'"{name}"'


def outlook(text: str, snapshot: RunSnapshot, *, chosen: Sequence[str] = ()) -> Outlook:
    """What a line would do if it was entered now."""
    text = text.strip().removeprefix(":").strip()
    if not text:
        return Outlook("a command, and what it is about · Tab takes what is offered · esc leaves", "dim")
    entry = entry_of(text.split(maxsplit=1)[0])
    if entry is None:
        began = [one.word for one in WORDS if one.word.startswith(text.lower())]
        if began:
            return Outlook(f"Tab: {', '.join(began[:8])}", "dim")
    elif entry.word in _BY_CONSOLE_WORD:
        return Outlook(entry.help, "dim")
    try:
        worded = parse(text, snapshot, chosen=chosen)
    except WordError as error:
        return Outlook(clean(str(error), 300), "warn")
    if not worded.commands:
        return Outlook(entry.help.replace("`", "") if entry is not None else "", "dim")
    return _would(worded, snapshot)


def _would(worded: Worded, snapshot: RunSnapshot) -> Outlook:
    if len(worded.commands) > WEIGHED:
        return Outlook(f"{len(worded.commands):,} tasks; what it would do is told before it is done", "good")
    radius: BlastRadius = together(snapshot, worded.commands).radius
    if radius.refusal:
        return Outlook(f"would be refused: {clean(radius.refusal, 300)}", "warn")
    return Outlook(clean(radius.summary, 300), "bad" if radius.stops or radius.never_runs else "good")
