"""What words of the command line may be followed by that is no task: numbers, fields and their values, breakers, pools. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from dagtop.core.backoff import Backoff
from dagtop.core.policy import OnUpstreamFailure, Trigger
from dagtop.core.restart import RestartPolicy
from dagtop.core.snapshot import RunSnapshot

from dagtop_app.tasks.upkeep import POLICIES
from dagtop_app.text import name_of
from dagtop_app.words.edits import BREAKER_FIELDS, FIELDS

#: A word, and what it means.
Pair = tuple[str, str]

_DEEDS: Mapping[str, str] = {
    "trip": "open it",
    "close": "and forget its failures",
    "half-open": "let one through",
    "force": "hold it open, closed or half-open",
    "let-go": "it goes by itself again",
}
_FORCED = ("open", "closed", "half-open")

_CHOICES: Mapping[str, Sequence[str]] = {
    "backoff": tuple(Backoff),
    "trigger": tuple(Trigger),
    "on_upstream_failure": tuple(OnUpstreamFailure),
    "restart": tuple(RestartPolicy),
    "retry_on_timeout": ("yes", "no"),
}


def numbers(now: int, *, least: int) -> Iterator[Pair]:
    """One more, one less, twice and half as many."""
    for text, number in (("+1", now + 1), ("-1", now - 1), (str(now * 2), now * 2), (str(now // 2), now // 2)):
        if number >= least and number != now:
            yield text, f"{number}, now {now}"


def pools(now: RunSnapshot, said: Sequence[str]) -> Iterator[Pair]:
    """The pools, then a limit for the one that was named."""
    there = {key.removeprefix("pool:"): it for key, it in now.limits.items() if key.startswith("pool:")}
    if not said:
        yield from ((name, f"{used} of {limit} in use") for name, (used, limit) in there.items())
    elif len(said) == 1 and said[0] in there:
        yield from numbers(there[said[0]][1], least=1)


def breaker_words(now: RunSnapshot, said: Sequence[str]) -> tuple[list[Pair], list[Pair]]:
    """(what may be done or set, the breakers that it may be done to), as far as that was not said."""
    asked = {row.policy.circuit for row in now.rows}
    there = {view.name: view for view in now.breakers if view.name in asked}
    names = [(name, view.state.value.replace("_", "-")) for name, view in there.items() if name not in said]
    deed = next((word for word in said if word in _DEEDS and word not in there), "")
    settings = [word for word in said if "=" in word]
    if settings:
        known = {word.partition("=")[0].replace("-", "_") for word in settings}
        return [(f"{name}=", "") for name in BREAKER_FIELDS if name not in known], names
    if not deed:
        fields = [] if said else [(f"{name}=", "") for name in BREAKER_FIELDS]
        return [*_DEEDS.items(), *fields], names if not said else []
    if deed == "force" and not any(state in said for state in _FORCED):
        return [(name, "hold it so") for name in _FORCED], []
    return [], names


def policy_words(now: RunSnapshot, said: Sequence[str], last: str) -> Iterator[Pair]:
    """Restart policies, fields and the values of those that have few."""
    known = {name.lower().replace("-", "_") for word in said if "=" in word for name in [word.partition("=")[0]]}
    key, equals, _ = last.partition("=")
    key = key.lower().replace("-", "_")
    if equals:
        if key not in known:
            yield from ((f"{last.partition('=')[0]}={value}", "") for value in _values(key, now))
        return
    if "restart" not in known and not set(RestartPolicy).intersection(said):
        yield from ((str(policy), f"start it again {when}") for policy, when in POLICIES.items())
        rest = FIELDS
    else:
        rest = tuple(name for name in FIELDS if name != "restart")
    yield from ((f"{name}=", "") for name in rest if name not in known and (last or not said))


def _values(key: str, now: RunSnapshot) -> Sequence[str]:
    if key == "pool":
        return [name.removeprefix("pool:") for name in now.limits if name.startswith("pool:")]
    if key == "circuit":
        return [view.name for view in now.breakers]
    return [str(value) for value in _CHOICES.get(key, ())]


def escalations(now: RunSnapshot, said: Sequence[str]) -> Iterator[Pair]:
    """Numbers of those that nobody looks after, latest first; with `--withdraw` of those that somebody does."""
    withdraws = "--withdraw" in said
    for report in reversed(now.escalations):
        if (report.number in now.acknowledged) is withdraws:
            yield str(report.number), f"{name_of(report.task, 60)}: {report.cause.words}"
    if now.acknowledged and not said:
        yield "--withdraw", "nobody looks after it any more"
