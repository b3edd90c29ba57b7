"""The root cause of a failure for good, told apart from evidence: one sentence, and what it was told from."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import NamedTuple

from dagtop.core import signs
from dagtop.core.escalation import Cause, Evidence
from dagtop.core.failure import AttemptRecord, Failure
from dagtop.core.policy import TaskPolicy
from dagtop.core.states import TaskState
from dagtop.core.values import dataclass

#: Longest text of the user's in a sentence of ours, in characters.
QUOTED = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """All that is known of one failure for good."""

    name: str
    state: TaskState
    """The final state that the task has come to."""
    reason: str
    failure: Failure | None
    """Of the task: of its last attempt, or why it could not make one."""
    attempts: tuple[AttemptRecord, ...]
    """Since it was last restarted, at most the latest of them."""
    used: int
    """How many there were."""
    before: int
    """How many there had been before it was last restarted."""
    policy: TaskPolicy
    evidence: Evidence
    circuit_state: str
    crashes: int = 0
    """Restarts by its policy after these failures."""
    blocks: bool = True
    """Whether anything does not run because of it."""
    comes_in: float = 0.0
    """Seconds until the next restart, if there is one."""
    trouble: tuple[tuple[str, str], ...] = ()
    """Of upstream tasks that gave nothing: name, and how they ended, as in "was skipped"."""

    @property
    def failures(self) -> list[Failure]:
        """What each attempt ended with."""
        return [past.failure for past in self.attempts if past.failure is not None]

    @property
    def not_tried_again(self) -> str:
        """The option because of which an error was not tried again although there are retries; "" if it was not for that."""
        retry = self.policy.retry
        if self.failure is None or self.used > retry.retries or signs.asks_to_wait(self.failure):
            return ""
        if signs.is_timeout(self.failure) or self.failure.error == "TransferError":
            return ""
        if signs.is_among(self.failure, retry.not_on):
            return "no_retry_on"
        return "" if signs.is_among(self.failure, retry.on) else "retry_on"

    @property
    def took(self) -> list[float]:
        """Seconds that each attempt took."""
        return [past.ended_at - past.started_at for past in self.attempts]


class Finding(NamedTuple):
    """A cause, and what it was told from."""

    cause: Cause
    summary: str
    evidence: tuple[str, ...] = ()
    culprit: str = ""
    """What the options speak of: the upstream task that gave the input, or what was exhausted."""


def find(case: Case) -> Finding:
    """The root cause."""
    failure = case.failure
    if case.state is TaskState.CANCELLED:
        return _by_hand(case)
    if failure is None:
        return Finding(Cause.FAILED_ONCE, sentence(case.reason or "it failed, and nothing is known of why"))
    match failure.error:
        case "GateRejectedError":
            return Finding(Cause.REJECTED, sentence(failure.message), ("It had not started.",))
        case "UpstreamFailedError":
            return _upstream(case, failure)
        case "CircuitOpenError":
            return _circuit_open(case, failure)
        case _:
            return _of_attempts(case, failure)


def _of_attempts(case: Case, last: Failure) -> Finding:
    """The cause by what the attempts ended with."""
    what = signs.exhausted(last)
    if what:
        return _exhausted(case, last, what)
    failures = case.failures or [last]
    answered = [not (signs.is_unavailable(one) or signs.is_timeout(one)) for one in failures]
    silent = sum(signs.is_unavailable(one) for one in failures)
    is_open = case.circuit_state not in ("", "closed")
    if not any(answered) and (silent or is_open):
        return _unavailable(case, last, silent)
    if signs.is_unwell(last):
        return _unwell(case, last)
    if signs.is_timeout(last):
        return _blocked(case, last) if case.evidence.blocker else _timeout(case, last)
    kinds = Counter(signs.signature(one) for one in failures)
    if len(kinds) > 1:
        return _intermittent(case, failures, last)
    if last.given_by:
        return _bad_input(case, last)
    if len(failures) == 1 and (case.not_tried_again == "retry_on" or not signs.is_certain(last)):
        told = ("There was one attempt, so whether the error comes back is not known.",)
        return Finding(Cause.FAILED_ONCE, f"{quoted(last)}{_at(last)}.", (*told, *_kept_from_retries(case, last)))
    return _repeated(case, last)


# -- one function for each cause ----------------------------------------------------------------------------------------


def _by_hand(case: Case) -> Finding:
    ran = f"It had been running for {seconds(case.took[-1])}." if case.attempts else "It had not started."
    told = [ran]
    earlier = [past.failure for past in case.attempts[:-1] if past.failure is not None]
    if earlier:
        told.append(f"Before that, {attempts(len(earlier))} failed, the last with {quoted(earlier[-1])}.")
    if case.failure is not None and case.attempts and case.attempts[-1].failure is case.failure:
        told.append(f"Told to stop, it ended with {quoted(case.failure)}.")
    return Finding(
        Cause.BY_HAND, sentence(f"it was stopped: {case.reason}" if case.reason else "it was stopped"), tuple(told)
    )


def _upstream(case: Case, failure: Failure) -> Finding:
    names = tuple(f"{cut(name, 80)} {how}." for name, how in case.trouble[:5])
    more = len(case.trouble) - len(names)
    told = (*names, f"{more:,} more upstream tasks gave nothing either.") if more > 0 else names
    culprit = case.trouble[0][0] if case.trouble else ""
    return Finding(Cause.UPSTREAM, sentence(f'{failure.message}, and it has on_upstream_failure="fail"'), told, culprit)


def _circuit_open(case: Case, failure: Failure) -> Finding:
    told = [f'The breaker is {_state(case)}, and its on_open is "fail".']
    tried = case.failures
    if tried:
        told.append(f"{attempts(len(tried)).capitalize()} failed before that, the last with {quoted(tried[-1])}.")
    else:
        told.append("No attempt was made.")
    return Finding(Cause.UNAVAILABLE, sentence(failure.message), tuple(told))


def _unavailable(case: Case, last: Failure, silent: int) -> Finding:
    n = len(case.failures) or 1
    if signs.is_timeout(last) and not silent:
        summary = f"the service behind circuit {cut(case.policy.circuit, 80)} does not answer in time: {quoted(last)}"
    elif signs.asks_to_wait(last):
        summary = f"it asked to be tried again later, and no retry is left: {quoted(last)}{_at(last)}"
    elif last.service:
        summary = f"the service {cut(last.service, 80)} cannot be opened: {quoted(last)}{_root(last)}{_at(last)}"
    else:
        summary = f"a service that it needs does not answer: {quoted(last)}{_root(last)}{_at(last)}"
    asked = sum(map(signs.asks_to_wait, case.failures))
    told = [_each(n, "ended without an answer of the service" if asked < n else "asked to be tried again later")]
    if 0 < asked < n:
        told.append(f"{asked} of them asked to be tried again later.")
    if silent < n:
        told.append(f"{silent} of them said that it is not there, {n - silent} ran out of time.")
    if case.circuit_state:
        told.append(f"Circuit breaker {cut(case.policy.circuit, 80)} is {_state(case)}.")
    told += _pace(case)
    return Finding(Cause.UNAVAILABLE, sentence(summary), tuple(told))


def _timeout(case: Case, last: Failure) -> Finding:
    told: list[str] = []
    usual = case.evidence.usual_seconds
    timeout = case.policy.timeout
    of_run = "run_timeout" in last.message
    summary = cut(last.message)
    if usual is not None:
        count = case.evidence.usual_runs
        runs = f" ({count} earlier run{'s' if count > 1 else ''})" if count else ""
        summary += f"; it usually takes {seconds(usual)}"
        longest = case.evidence.usual_longest
        at_most = f", {seconds(longest)} at most in 95 of 100" if longest is not None else ""
        told.append(f"It usually takes {seconds(usual)}{at_most}{runs}.")
        if timeout is not None and not of_run:
            short = usual >= timeout
            told.append(
                f"Its timeout of {seconds(timeout)} is shorter than that: no attempt can be expected to end in time."
                if short
                else f"Its timeout of {seconds(timeout)} leaves room for that: this time it hung, or had much more to do."
            )
    else:
        told.append("How long it usually takes is not known: no earlier run of it was kept.")
    if last.where:
        told.append(f"When it was stopped it stood at {cut_left(last.where)}.")
    late = sum(signs.is_timeout(one) for one in case.failures)
    if case.attempts:
        if late == len(case.failures):
            told.append(_each(late, "ran out of time"))
        else:
            others = Counter(one.error for one in case.failures if not signs.is_timeout(one))
            told.append(f"{attempts(late).capitalize()} ran out of time; the others ended with {_counted(others)}.")
    return Finding(Cause.TIMEOUT, sentence(summary), tuple(told))


def _blocked(case: Case, last: Failure) -> Finding:
    """It had no chance: the loop did not go round while its time ran out."""
    evidence = case.evidence
    own = evidence.blocker == case.name
    who, long = "its own code" if own else f"task {cut(evidence.blocker, 80)}", seconds(evidence.blocked_seconds)
    summary = f"{cut(last.message)}, because {who} kept the event loop from going round"
    at = f", at {cut_left(evidence.blocked_at)}" if evidence.blocked_at else ""
    told = [f"For {long} of that time {who} kept the loop{at}: no async task could go on."]
    return Finding(Cause.TIMEOUT, sentence(summary), (*told, *_timeout(case, last).evidence), evidence.blocker)


def _unwell(case: Case, last: Failure) -> Finding:
    n = len(case.failures) or 1
    unwell = sum(signs.is_unwell(one) for one in case.failures) or 1
    all_were = "The one attempt was" if n == 1 else f"{_all(n)} were"
    told = [f"{all_were if unwell == n else f'{unwell} of {n} attempts were'} stopped because of its liveness probe."]
    if case.attempts:
        told.append(f"The last one had been running for {seconds(case.took[-1])}.")
    return Finding(Cause.UNWELL, sentence(f"it ran, and was not well: {cut(last.message)}{_at(last)}"), tuple(told))


def _kept_from_retries(case: Case, last: Failure) -> list[str]:
    option = case.not_tried_again
    if not option:
        return []
    kind, retries = cut(last.error, 80), case.policy.retry.retries
    named = ", ".join(signs.name_of(one) for one in case.policy.retry.on[:5])
    why = f"retry_on ({cut(named)}) does not name {kind}" if option == "retry_on" else f"no_retry_on names {kind}"
    return [f"It has retries={retries}, but {why}: it was not tried again."]


def _exhausted(case: Case, last: Failure, what: str) -> Finding:
    summary = f"{_GAVE_OUT[what]}: {quoted(last)}{_root(last)}{_at(last)}"
    same = sum(signs.exhausted(one) == what for one in case.failures) or 1
    n = len(case.failures) or 1
    told = [_each(n, "ended like that") if same == n else f"{same} of {attempts(n)} ended like that."]
    return Finding(Cause.EXHAUSTED, sentence(summary), tuple(told), what)


_GAVE_OUT: Mapping[str, str] = {
    "worker": "the process that it ran in died",
    "memory": "memory gave out",
    "disk": "the disk is full",
    "files": "too many files are open",
    "threads": "no further thread could be started",
}


def _intermittent(case: Case, failures: list[Failure], last: Failure) -> Finding:
    kinds = Counter(one.error for one in failures)
    counted = _counted(kinds)
    told = [f"{attempts(len(failures)).capitalize()} ended with {counted}."]
    if len(kinds) == 1:
        places = {one.where for one in failures}
        differ = "in different places" if len(places) > 1 else "with different messages"
        told = [f"{attempts(len(failures)).capitalize()} ended with {counted}, {differ}."]
    told += [
        f"Attempt {past.number}: {quoted(past.failure)}." for past in case.attempts[-4:] if past.failure is not None
    ]
    return Finding(
        Cause.INTERMITTENT,
        f"It fails in changing ways, lately with {quoted(last)}{_root(last)}{_at(last)}.",
        tuple(told),
    )


def _bad_input(case: Case, last: Failure) -> Finding:
    giver = last.given_by
    gave = case.evidence.inputs.get(giver, "")
    ending = dict(case.trouble).get(giver)
    summary = f"it cannot take what {cut(giver, 80)} gave it: {quoted(last)}{_at(last)}"
    told = [f"The line that failed had the output of {cut(giver, 80)} in its hands."]
    if ending is not None:
        told.append(f"{cut(giver, 80)} {ending}, so it gave None.")
    elif gave:
        told.append(f"{cut(giver, 80)} gave {cut(gave)}.")
    told.append(_each(len(case.failures) or 1, "ended in that error"))
    return Finding(Cause.BAD_INPUT, sentence(summary), tuple(told), giver)


def _repeated(case: Case, last: Failure) -> Finding:
    n = len(case.failures) or 1
    told: list[str] = []
    if n > 1:
        told.append(f"{_all(n)} ended in the same error at the same place.")
    if signs.is_certain(last):
        told.append(f"{cut(last.error, 80)} is an error that code or data brings about, not chance.")
    if n > 1 and max(case.took, default=0.0) < 1.0 and signs.is_certain(last):
        told.append("It came quickly each time.")
    told += _kept_from_retries(case, last)
    return Finding(
        Cause.REPEATED, f"{quoted(last)}{_root(last)}{_at(last)}: a bug, or input that it cannot take.", tuple(told)
    )


# -- words ----------------------------------------------------------------------------------------------------------------


def cut(text: str, limit: int = QUOTED) -> str:
    """`text` on one line, at most about `limit` characters of it."""
    line = " ".join(text[: limit * 4].split())
    return line if len(line) <= limit and len(text) <= limit * 4 else f"{line[:limit]}…"


def quoted(failure: Failure) -> str:
    """ "KeyError: 'price'"."""
    message = cut(failure.message)
    return f"{cut(failure.error, 80)}: {message}" if message else cut(failure.error, 80)


def sentence(text: str) -> str:
    """With a capital and a full stop."""
    text = cut(text, 4 * QUOTED)
    return f"{text[:1].upper()}{text[1:]}" + ("" if text.endswith((".", "!", "?", "…")) else ".")


def seconds(value: float) -> str:
    """ "5.1 s", "12 ms", "3 min 20 s"."""
    if value < 1:
        return f"{value * 1000:.3g} ms"
    if value < 120:
        return f"{value:.3g} s"
    minutes, rest = divmod(round(value), 60)
    return f"{minutes} min {rest} s" if minutes < 120 else f"{minutes // 60} h {minutes % 60} min"


def attempts(count: int) -> str:
    """ "one attempt", "3 attempts"."""
    return "one attempt" if count == 1 else f"{count} attempts"


def _each(count: int, what: str) -> str:
    return f"The one attempt {what}." if count == 1 else f"{_all(count)} {what}."


def _all(count: int) -> str:
    return "Both attempts" if count == 2 else f"All {count} attempts"


def _counted(kinds: Counter[str]) -> str:
    return ", ".join(f"{count} × {cut(kind, 80)}" for kind, count in kinds.most_common(5))


def _at(failure: Failure) -> str:
    return f", at {cut_left(failure.where)}" if failure.where else ""


def cut_left(text: str, limit: int = QUOTED) -> str:
    """The end of `text`, on one line: of a path that is what matters."""
    line = " ".join(text[-limit * 4 :].split())
    return line if len(line) <= limit and len(text) <= limit * 4 else f"…{line[-limit:]}"


def _root(failure: Failure) -> str:
    return f", which comes from {cut(failure.root)}" if failure.root else ""


def _state(case: Case) -> str:
    return case.circuit_state.replace("_", "-") or "open"


def _pace(case: Case) -> list[str]:
    """Over how long a time it was tried."""
    if len(case.attempts) < 2:
        return []
    span = case.attempts[-1].ended_at - case.attempts[0].started_at
    return [f"It was tried over {seconds(span)}."]
