"""Worded commands that take more than tasks: values of a policy, limits, breakers, an output. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec
from dagtop.core import commands as do
from dagtop.core.guards import BreakerState
from dagtop.core.nearest import nearest
from dagtop.core.plan import Plan
from dagtop.core.restart import RestartPolicy
from dagtop.core.snapshot import RunSnapshot

from dagtop_app.commandline.options import UsageError
from dagtop_app.commandline.typed import parse_command
from dagtop_app.steering import edit_model, filling
from dagtop_app.tasks.upkeep import replicas_of, whole_of
from dagtop_app.text import clean, name_of
from dagtop_app.words.tasks import Token, WordError, by_name, no_task

#: The fields of a policy that can be changed.
FIELDS = tuple(field.name for field in msgspec.structs.fields(do.SetPolicy) if field.name != "task")
#: The settings of a breaker that can be changed.
BREAKER_FIELDS = tuple(field.name for field in msgspec.structs.fields(do.SetBreaker) if field.name != "breaker")
#: Those that the edit dialog checks.
_CHECKED = frozenset(edit_model.FIELDS) | frozenset(edit_model.RESTART_FIELDS)
_MARKS = {
    "succeeded": "succeeded", "success": "succeeded", "ok": "succeeded", "done": "succeeded", "skipped": "skipped",
    "skip": "skipped",
}  # fmt: skip
#: How many decimal digits a limit may have: what is longer is no limit, and takes long to read.
_DIGITS = 9


# -- policy --------------------------------------------------------------------------------------------------------------


def policy_fields(words: Sequence[Token], plan: Plan) -> tuple[dict[str, str], list[Token]]:
    """(what is to be changed, the other words). A restart policy may be said by its value alone.

    Raises
    ------
    WordError: a field is not known, or said twice.
    """
    fields: dict[str, str] = {}
    rest: list[Token] = []
    for token in words:
        name, equals, value = token.text.partition("=")
        name = name.lower().replace("-", "_")
        if token.quoted or (token.text in plan.index and "restart" in fields):
            rest.append(token)
        elif equals and token.text not in plan.index:
            if name not in FIELDS:
                raise WordError(f"a policy has no field {clean(name, 40)!r}{nearest(name, FIELDS) or _listed(FIELDS)}")
            _put(fields, name, value)
        elif "restart" not in fields and (said := token.text.lower().replace("_", "-")) in set(RestartPolicy):
            _put(fields, "restart", said)
        else:
            rest.append(token)
    return fields, rest


def _put(fields: dict[str, str], name: str, value: str) -> None:
    if name in fields:
        raise WordError(f"{name} is said twice")
    fields[name] = value


def _listed(names: Sequence[str]) -> str:
    return f"; there are {', '.join(names)}"


def policies(snapshot: RunSnapshot, names: Sequence[str], fields: Mapping[str, str]) -> list[do.Command]:
    """The changes for each task that is not so already.

    Raises
    ------
    WordError: a value is out of its range, or all are so already.
    """
    known: dict[int, do.SetPolicy | None] = {}
    """By policy: thousands of tasks have few."""
    made: list[do.SetPolicy] = []
    for name in names:
        policy = snapshot.rows[snapshot.plan.index[name]].policy
        if id(policy) not in known:
            known[id(policy)] = _policy(snapshot, name, fields)
        if (command := known[id(policy)]) is not None:
            made.append(msgspec.structs.replace(command, task=name))
    if not made:
        whose = name_of(names[0], 60) if len(names) == 1 else f"each of the {len(names):,} tasks"
        raise WordError(f"{whose} has that policy already")
    return list(made)


def _policy(snapshot: RunSnapshot, name: str, fields: Mapping[str, str]) -> do.SetPolicy | None:
    row = snapshot.rows[snapshot.plan.index[name]]
    changes: dict[str, Any] = {}
    typed = {field: value for field, value in fields.items() if field in _CHECKED}
    if typed:
        checked = edit_model.draft(name, row.policy, typed, edit_model.Known.of(snapshot))
        for field, wrong in checked.errors.items():
            raise WordError(f"{field} is no {clean(fields.get(field, ''), 40)!r}: {wrong}")
        changes = _given(checked.result)
    others = [f"{field}={value}" for field, value in fields.items() if field not in _CHECKED]
    if others:
        try:
            changes |= _given(parse_command("set-policy", [f"task={name}", *others]))
        except UsageError as error:
            raise WordError(clean(str(error).partition(": set-policy takes")[0], 200)) from None
    return do.SetPolicy(name, **changes) if changes else None


def _given(command: do.Command | None) -> dict[str, Any]:
    """The fields that a change of policy names."""
    return {} if command is None else {f: v for f in FIELDS if (v := getattr(command, f, None)) is not None}


# -- numbers -------------------------------------------------------------------------------------------------------------


def whole(words: Sequence[Token], now: int, usage: str) -> int:
    """A number, or how much more or less than now.

    Raises
    ------
    WordError: it is none.
    """
    text = words[0].text.replace(",", "") if len(words) == 1 else ""
    digits = text.removeprefix("+").removeprefix("-")
    if not digits.isdecimal() or not digits.isascii() or len(digits) > _DIGITS:
        raise WordError(f"a whole number, please: {usage} (now {now})")
    number = int(digits)
    return now + number if text.startswith("+") else now - number if text.startswith("-") else number


def pools(snapshot: RunSnapshot, words: Sequence[Token], usage: str) -> list[do.Command]:
    """Another limit for a pool; of one pool the name may be left out.

    Raises
    ------
    WordError: there is no such pool, or it is no number.
    """
    there = {key.removeprefix("pool:"): limit for key, (_, limit) in snapshot.limits.items() if key.startswith("pool:")}
    if not words:
        raise WordError(f"which pool? {usage}")
    if len(words) == 1 and len(there) == 1:
        chosen = list(there)
    else:
        chosen = by_name("pool", there, words[0])
        words = words[1:]
    return [do.SetPoolLimit(name, whole(words, there[name], usage)) for name in chosen]


def scaled(snapshot: RunSnapshot, words: Sequence[Token], chosen: Sequence[str], usage: str) -> list[do.Command]:
    """Another number of replicas.

    Raises
    ------
    WordError: the task has none, or it is no number.
    """
    if not words:
        raise WordError(f"how many? {usage}")
    *named, number = words
    names = [token.text for token in named] or [*chosen]
    if not names:
        raise WordError(f"scale needs a task: {usage}")
    made: list[do.Command] = []
    for name in dict.fromkeys(whole_of(snapshot, name) for name in names):
        now = replicas_of(snapshot, name)
        if now is None:
            there = (
                f"{name_of(name, 60)} has no replicas" if name in snapshot.plan.index else no_task(snapshot.plan, name)
            )
            raise WordError(there)
        count = whole([number], now, usage)
        if not 0 <= count <= filling.MOST_REPLICAS:
            raise WordError(f"0 or more replicas, up to {filling.MOST_REPLICAS:,}")
        made.append(do.ScaleTask(name, count))
    return made


# -- breakers ------------------------------------------------------------------------------------------------------------

_STATES = {str(state).replace("_", "-"): str(state) for state in BreakerState} | {"half_open": "half_open"}
_DEEDS = ("trip", "open", "close", "reset", "half-open", "force", "let-go", "release", "auto")


def breakers(snapshot: RunSnapshot, words: Sequence[Token], usage: str) -> list[do.Command]:
    """What to do with which breakers; `breaker trip api` and `breaker api trip` are the same.

    Raises
    ------
    WordError: there is no such breaker, or nothing is to be done.
    """
    known = [view.name for view in snapshot.breakers]
    fields = {token.text.partition("=")[0]: token for token in words if "=" in token.text and not token.quoted}
    if fields:
        return _settings(known, [token for token in words if token not in fields.values()], fields, usage)
    deed = next(
        (token for token in words if not token.quoted and token.text in _DEEDS and token.text not in known), None
    )
    if deed is None:
        told = next((token.text for token in words if token.text not in known), "")
        raise WordError(f"do what with the breaker?{clean(nearest(told, _DEEDS), 80) if told else ''} {usage}")
    rest = [token for token in words if token is not deed]
    state = ""
    if deed.text == "force":
        said = next((token for token in rest if token.text.lower() in _STATES and token.text not in known), None)
        if said is None:
            raise WordError(f"force it open, closed or half-open? {usage}")
        state = _STATES[said.text.lower()]
        rest = [token for token in rest if token is not said]
    if not rest and len(known) == 1:
        return [_breaker(deed.text, known[0], state)]
    if not rest:
        raise WordError(f"which breaker?{_there(known)}")
    return [_breaker(deed.text, name, state) for token in rest for name in by_name("breaker", known, token)]


def _settings(
    known: Sequence[str], words: Sequence[Token], fields: Mapping[str, Token], usage: str
) -> list[do.Command]:
    """Other settings of breakers, such as `failure_threshold=3`."""
    if not words and len(known) != 1:
        raise WordError(f"which breaker?{_there(known)}: {usage}")
    names = [name for token in words for name in by_name("breaker", known, token)] or list(known)
    said = {name.lower().replace("-", "_"): token.text.partition("=")[2] for name, token in fields.items()}
    for name in said:
        if name not in BREAKER_FIELDS:
            near = nearest(name, BREAKER_FIELDS) or _listed(BREAKER_FIELDS)
            raise WordError(f"a breaker has no setting {clean(name, 40)!r}{near}")
    try:
        values = [f"{name}={value.removesuffix('s')}" for name, value in said.items()]
        return [parse_command("set-breaker", [f"breaker={name}", *values]) for name in names]
    except UsageError as error:
        raise WordError(clean(str(error).partition(": set-breaker takes")[0], 200)) from None


def _there(known: Sequence[str]) -> str:
    return f" There are {', '.join(clean(name, 40) for name in known[:8])}" if known else " The run has no breakers"


def _breaker(deed: str, name: str, state: str) -> do.Command:
    match deed:
        case "trip" | "open":
            return do.TripBreaker(name)
        case "close" | "reset":
            return do.ResetBreaker(name)
        case "half-open":
            return do.ForceBreaker(name, str(BreakerState.HALF_OPEN))
        case _:
            return do.ForceBreaker(name, state)


# -- escalations ---------------------------------------------------------------------------------------------------------


def acknowledged(
    snapshot: RunSnapshot,
    words: Sequence[Token],
    tasks: Callable[[Sequence[Token]], list[str]],
    *,
    withdraw: bool = False,
) -> list[do.Command]:
    """Which escalations are looked after: by number, by the task that they are about, or the only one that is open.

    With `withdraw` which of them nobody looks after any more.

    Raises
    ------
    WordError: there is none such.
    """
    there = [report for report in snapshot.escalations if (report.number in snapshot.acknowledged) is withdraw]
    how = "acknowledged" if withdraw else "open"
    numbers = [token.text.upper().removeprefix("ESC-").removeprefix("#") for token in words]
    if numbers and all(text.isdecimal() and len(text) <= _DIGITS for text in numbers):
        return [do.AcknowledgeEscalation(int(text), withdraw=withdraw) for text in numbers]
    if not words:
        if len(there) == 1:
            return [do.AcknowledgeEscalation(there[0].number, withdraw=withdraw)]
        listed = ", ".join(f"{one.number} ({name_of(one.task, 40)})" for one in there[:5])
        raise WordError(f"which escalation? there are {listed}" if there else f"no escalation is {how}")
    names = set(tasks(words))
    found = [report for report in there if report.task in names]
    if not found:
        raise WordError(f"no escalation of that is {how}")
    return [do.AcknowledgeEscalation(report.number, withdraw=withdraw) for report in found]


# -- an output -----------------------------------------------------------------------------------------------------------


def marked(words: Sequence[Token], text: str, usage: str) -> tuple[list[Token], str, Any]:
    """(the words that name tasks, "succeeded" or "skipped", the output). `TASK… succeeded VALUE`, or `succeeded TASK…`.

    Raises
    ------
    WordError: it is neither.
    """
    place = next((at for at, token in enumerate(words) if not token.quoted and token.text.lower() in _MARKS), None)
    if place is None:
        if any(token.text == "failed" for token in words):
            raise WordError("a task cannot be marked as failed: cancel it, or skip it")
        raise WordError(f"mark it as what? {usage}")
    how = _MARKS[words[place].text.lower()]
    before = [token for token in words[:place] if token.quoted or token.text != "as"]
    after = list(words[place + 1 :])
    value = ""
    for at, token in enumerate(after):
        if not token.quoted and token.text.startswith("value="):
            value, after = text[token.start + len("value=") :].strip(), after[:at]
            break
    if before and after:
        value, after = f"{text[after[0].start :].strip()}", []
    if how == "skipped" and value:
        raise WordError("what is skipped has no output")
    return before or after, how, filling.value_of(value)[0]
