"""What the filter box understands: text, `/re/`, `!not`, `~fuzzy`, `state:retry`, `tag:`, `pool:`, `circuit:`, `policy:`,
`node:`, `error:`. Pure.

Words are joined by "and". A word in two slashes is a regular expression (it may contain spaces). Case is ignored.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from typing import TypeAlias

from dagtop.core.nearest import nearest
from dagtop.core.restart import RestartPolicy
from dagtop.core.snapshot import TaskRow
from dagtop.core.states import ACTIVE, BAD, FINAL, TaskState

from dagtop_app.faces import GATE_FACE, TASK_FACES, is_at_gate
from dagtop_app.tasks.upkeep import is_between_rounds

Test: TypeAlias = Callable[[TaskRow], bool]

#: States that `!` shows: what went wrong, or is about to be tried again. What stands at its gate is shown as well.
PROBLEMS = frozenset(
    {TaskState.FAILED, TaskState.TIMED_OUT, TaskState.BACKOFF, TaskState.BLOCKED, TaskState.CANCELLING}
)

#: Begun or whole: the filter works while it is typed.
_SLOW = re.compile(r"!?state:slo?w?", re.IGNORECASE)
_WORDS = re.compile(r"!?(?:\w+:)?/(?:\\.|[^/\\])+/|\S+")


#: BLOCKED is bad too, but has a name of its own.
_FAILED = BAD - {TaskState.BLOCKED}


def _state_names() -> dict[str, frozenset[TaskState]]:
    names: dict[str, set[TaskState]] = {}
    for state, face in TASK_FACES.items():
        for name in (state.value, face.word.lower(), state.value.replace("_", "")):
            names.setdefault(name, set()).add(state)
    groups = {
        "fail": _FAILED, "failed": _FAILED, "active": ACTIVE, "done": FINAL, "problem": PROBLEMS, "problems": PROBLEMS,
        "wait": frozenset({TaskState.WAITING}), "run": ACTIVE, "retrying": frozenset({TaskState.BACKOFF}),
    }  # fmt: skip
    return {name: frozenset(states) for name, states in names.items()} | {k: frozenset(v) for k, v in groups.items()}


STATE_NAMES = _state_names()


class Filter:
    """A parsed filter. `error` says what is wrong with it; such a filter lets everything through.

    `hint` says what may be wrong if nothing passes: a word with a colon may well be a part of a name.
    """

    def __init__(self, text: str) -> None:
        self.text = text.strip()
        self.error = ""
        self.hint = ""
        self.tests: list[Test] = []
        self.slow: Test = _never
        """Whether a task runs longer than it usually does, for `state:slow`: whoever knows what is usual sets it."""
        for word in words_of(self.text):
            self.hint = self.hint or unknown_key(word, _BY) or _no_such_key(word)
            try:
                self.tests.append(self._by_slow(word) if _SLOW.fullmatch(word) else _test(word))
            except ValueError as error:
                self.error = str(error)

    def __bool__(self) -> bool:
        return bool(self.tests)

    def __call__(self, row: TaskRow) -> bool:
        return all(test(row) for test in self.tests)

    def _by_slow(self, word: str) -> Test:
        wanted = not word.startswith("!")
        return lambda row: self.slow(row) is wanted

    def passing(self, rows: Sequence[TaskRow]) -> Sequence[TaskRow]:
        """Those of the rows that pass: each test goes through what the ones before it left."""
        for test in self.tests:
            rows = [row for row in rows if test(row)]
        return rows


def _never(row: TaskRow) -> bool:
    return False


def words_of(text: str) -> list[str]:
    """The words of a filter; a regular expression is one."""
    return _WORDS.findall(text)


def unknown_key(word: str, known: Iterable[str]) -> str:
    """What is near the key of a word like "sate:failed", if it is none that is known."""
    key, colon, _ = word.lstrip("!").partition(":")
    if not colon or not key.isalpha() or key.lower() in known:
        return ""
    near = nearest(key.lower(), known)
    return f"no filter is called {key}:{near}" if near else ""


def _no_such_key(word: str) -> str:
    key, colon, value = word.lstrip("!").partition(":")
    if not (colon and value and key.isalpha()) or key.lower() in _BY:
        return ""
    return f"no task has {word!r} in its name, and no filter is called {key}: there are {', '.join(_BY)}"


def text_test(word: str) -> Callable[[str], bool]:
    """Whether a text has a word, `/re/` or `~fuzzy` letters.

    Raises
    ------
    ValueError: it is no regular expression.
    """
    if len(word) > 2 and word.startswith("/") and word.endswith("/"):
        return _by_pattern(word[1:-1])
    if word.startswith("~") and len(word) > 1:
        return _by_letters(word[1:].lower())
    wanted = word.lower()
    return lambda text: wanted in text.lower()


def row_test(word: str) -> Test | None:
    """The test of a word about the state, the policy and so on of a task; None if it is about texts.

    Raises
    ------
    ValueError: its value is none of those that there are.
    """
    key, colon, value = word.partition(":")
    if not colon or key.lower() not in _BY:
        return None
    return _BY[key.lower()](value.lower()) if value else lambda row: True


def _test(word: str) -> Test:
    if word.startswith("!") and len(word) > 1:
        inner = _test(word[1:])
        return lambda row: not inner(row)
    by_row = row_test(word)
    if by_row is not None:
        return by_row
    if word[0] not in "/~":
        wanted = word.lower()  # what is looked for most often, without a call between
        return lambda row: wanted in row.name.lower()
    by_text = text_test(word)
    return lambda row: by_text(row.name)


#: What `state:` understands besides states: how tasks are that are kept at a desired state.
_STANDINGS: dict[str, Test] = {
    "up": lambda row: row.state is TaskState.RUNNING and row.serving,
    "notready": lambda row: row.state is TaskState.RUNNING and row.policy.is_supervised and not row.serving,
    "down": lambda row: not row.wanted,
    "removed": lambda row: row.gone,
}


def _shown_words() -> list[str]:
    """The words that the screen shows for states."""
    words = [face.word.lower() for face in (*TASK_FACES.values(), GATE_FACE)]
    return [*(word for word in dict.fromkeys(words) if " " not in word), "slow"]


def _by_state(value: str) -> Test:
    if (standing := _STANDINGS.get(value)) is not None:
        return standing
    gates = [part for part in value.split(",") if part and GATE_FACE.word.lower().startswith(part)]
    if gates:
        others = ",".join(part for part in value.split(",") if part and part not in gates)
        rest = _by_state(others) if others else None
        return lambda row: is_at_gate(row) or (rest is not None and rest(row))
    states = frozenset().union(*(STATE_NAMES.get(part, frozenset()) for part in value.split(",")))
    if not states:
        states = frozenset().union(*(them for name, them in STATE_NAMES.items() if name.startswith(value)))
    if not states:
        raise ValueError(f"no state is called {value!r}; there are {', '.join(_shown_words())}")
    return lambda row: row.state in states


def _by_tag(value: str) -> Test:
    return lambda row: any(value in tag.lower() for tag in row.policy.tags)


def _by_pool(value: str) -> Test:
    return lambda row: value in row.policy.pool.lower()


def _by_circuit(value: str) -> Test:
    return lambda row: value in row.policy.circuit.lower()


def _by_policy(value: str) -> Test:
    value = value.replace("_", "-")
    if not any(name.value.startswith(value) for name in RestartPolicy):
        known = ", ".join(name.value for name in RestartPolicy)
        raise ValueError(f"no policy is called {value!r}; there are {known}")
    return lambda row: str(row.policy.restart.policy).startswith(value)


def _by_node(value: str) -> Test:
    return lambda row: any(value in part for part in row.name.lower().split("/")[:-1])


def _by_error(value: str) -> Test:
    def test(row: TaskRow) -> bool:
        failure = row.failure
        return failure is not None and (value in failure.error.lower() or value in failure.message.lower())

    return test


_BY: dict[str, Callable[[str], Test]] = {
    "state": _by_state, "tag": _by_tag, "pool": _by_pool, "circuit": _by_circuit,
    "policy": _by_policy, "node": _by_node, "error": _by_error,
}  # fmt: skip


def _by_pattern(pattern: str) -> Callable[[str], bool]:
    try:
        search = re.compile(pattern, re.IGNORECASE).search
    except re.error as error:
        raise ValueError(f"not a regular expression: {error}") from None
    return lambda text: search(text) is not None


def _by_letters(letters: str) -> Callable[[str], bool]:
    """Fuzzy: the letters in this order, anything between them."""
    search = re.compile(".*?".join(map(re.escape, letters)), re.IGNORECASE | re.DOTALL).search
    return lambda text: search(text) is not None


def is_problem(row: TaskRow) -> bool:
    """Whether `!` shows the task."""
    return (row.state in PROBLEMS and not is_between_rounds(row)) or is_at_gate(row)


def matches(rows: Sequence[TaskRow], wanted: Filter, *, problems: bool) -> list[int] | range:
    """Indices of the rows that pass."""
    if not wanted and not problems:
        return range(len(rows))
    if problems:
        rows = [row for row in rows if is_problem(row)]
    return [row.index for row in wanted.passing(rows)]
