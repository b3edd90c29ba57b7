"""What can be done about a failure for good: sentences that fit its cause and name commands and options, best first."""

from __future__ import annotations

from typing import assert_never

from dagtop.core import signs
from dagtop.core.backoff import Backoff
from dagtop.core.causes import Case, Finding, attempts, cut, cut_left, seconds
from dagtop.core.crash_loops import ways_out
from dagtop.core.escalation import Cause


def options(case: Case, found: Finding) -> tuple[str, ...]:
    """What a person can do now."""
    match found.cause:
        case Cause.REPEATED:
            chosen = [_fix(case), *_wasted(case)]
        case Cause.FAILED_ONCE:
            chosen = [f"Restart {_name(case)} to see whether it comes back.", *_more_retries(case), _fix(case)]
        case Cause.INTERMITTENT:
            chosen = [*_more_retries(case), *_longer_waits(case), _restart(case), _fix(case)]
        case Cause.TIMEOUT:
            chosen = [*_unblock(case, found.culprit), *_timeout(case)]
        case Cause.UNAVAILABLE:
            chosen = _unavailable(case)
        case Cause.BAD_INPUT:
            chosen = _bad_input(case, found.culprit)
        case Cause.EXHAUSTED:
            chosen = [*(_worker(case) if found.culprit == "worker" else _EXHAUSTED[found.culprit]), _restart(case)]
        case Cause.UNWELL:
            chosen = _unwell(case)
        case Cause.UPSTREAM:
            culprit = cut(found.culprit, 80) or "the upstream"
            chosen = [
                f"See why {culprit} did not succeed, then restart that with downstream.",
                'Set on_upstream_failure="run" if it can do without, or "skip" if its absence is no failure.',
            ]
        case Cause.REJECTED:
            chosen = [f"Restart {_name(case)} and approve it.", *_gate(case)]
        case Cause.BY_HAND:
            chosen = [f"Restart {_name(case)}, with downstream if what follows is to run too."]
        case _ as unreachable:
            assert_never(unreachable)
    if case.policy.restart.is_on:
        return (*chosen, *ways_out(case))
    return (*chosen, *_always(case, found.cause))


def _unwell(case: Case) -> list[str]:
    alive = case.policy.alive
    chosen = [f"See why {_name(case)} does not do what its liveness probe asks, though it runs."]
    if alive is None:
        return chosen
    chosen.append(
        f"Let the probe wait longer than {seconds(alive.timeout)} (Probe(timeout=)), or ask again before it counts (threshold=)."
    )
    if case.policy.ready is None and not alive.delay:
        chosen.append(
            "If it takes time to come up: give the probe a delay=, or the task a ready= probe, which is asked first."
        )
    return chosen


def _always(case: Case, cause: Cause) -> list[str]:
    if cause in (Cause.UPSTREAM, Cause.BY_HAND, Cause.REJECTED):
        return []
    return [
        f"Mark {_name(case)} succeeded with a value (command mark-succeeded), and what is downstream goes on without it.",
        "Of a run that was kept: dagtop resume RUN, which runs what did not succeed.",
    ]


def _name(case: Case) -> str:
    return cut(case.name, 80)


def _restart(case: Case) -> str:
    return f"Restart {_name(case)} with downstream."


def _fix(case: Case) -> str:
    where = case.failure.where if case.failure is not None else ""
    if not where:
        return f"Find and mend the error, then restart {_name(case)} with downstream."
    return f"Mend {cut_left(where)}, or what it works on, then restart {_name(case)} with downstream."


def _wasted(case: Case) -> list[str]:
    """Further attempts at what cannot succeed only cost time."""
    if len(case.attempts) < 2 or case.failure is None or not case.policy.retry.retries:
        return []
    lost = case.attempts[-1].ended_at - case.attempts[0].ended_at
    kind = cut(case.failure.error.rpartition(".")[2], 80)
    again = attempts(len(case.attempts) - 1)
    return [f"Set no_retry_on={kind}: trying again changed nothing, and {again} more took {seconds(lost)}."]


def _more_retries(case: Case) -> list[str]:
    retries = case.policy.retry.retries
    if case.not_tried_again == "retry_on" and case.failure is not None:
        return [f"Add {cut(case.failure.error.rpartition('.')[2], 80)} to retry_on=, if another attempt may help."]
    if case.policy.restart.is_on:
        return []  # it is started again as it is
    return [f"Raise retries= above {retries}." if retries else "Set retries=, so that it is tried again by itself."]


def _longer_waits(case: Case) -> list[str]:
    retry, restart = case.policy.retry, case.policy.restart
    if restart.is_on:
        return [f"Raise restart_backoff= above {seconds(restart.base)}, so that it waits longer between restarts."]
    if not retry.retries:
        return []
    if retry.backoff == Backoff.NONE or not retry.base:
        return ['Set a backoff, as in retries=Retry(backoff="exponential", base=1): it is tried again at once now.']
    waits = min(retry.cap, retry.base)
    return [f"Raise base= above {seconds(waits)}, so that it waits longer between attempts."]


def _unblock(case: Case, blocker: str) -> list[str]:
    if not blocker:
        return []
    at = f" at {cut_left(case.evidence.blocked_at)}" if case.evidence.blocked_at else ""
    return [
        f"Write {cut(blocker, 80)} with def instead of async def, so that it runs in a thread, or await what blocks{at}."
    ]


def _timeout(case: Case) -> list[str]:
    usual, longest = case.evidence.usual_seconds, case.evidence.usual_longest
    timeout = case.policy.timeout
    if case.failure is not None and "run_timeout" in case.failure.message:
        more = f"; {_name(case)} alone usually takes {seconds(usual)}" if usual is not None else ""
        return [f"Raise run_timeout=, or --timeout on the command line{more}.", _restart(case)]
    if timeout is None:
        return [_restart(case)]
    if usual is not None and usual >= timeout:
        above = seconds(max(usual, longest or 0.0))
        return [f"Raise timeout= above {above}, then restart {_name(case)} with downstream."]
    hung = f"See what {_name(case)} waited for: it did not end within {seconds(timeout)}"
    hung += f", and usually takes {seconds(usual)}." if usual is not None else "."
    chosen = [hung, f"Raise timeout= above {seconds(timeout)}, then restart {_name(case)} with downstream."]
    if not case.policy.retry.retries:
        chosen.append("Set retries=: an attempt that hangs is tried again then.")
    elif not case.policy.retry_on_timeout:
        chosen.append("Set retry_on_timeout=True: its retries do not count for timeouts now.")
    return chosen


def _unavailable(case: Case) -> list[str]:
    circuit = cut(case.policy.circuit, 80)
    if circuit and case.circuit_state not in ("", "closed"):
        return [
            f"See that the service behind circuit {circuit} answers, reset the breaker (command reset-breaker), then restart it.",
            f'Give the breaker {circuit} on_open="wait": its tasks then wait for the service instead of failing.',
        ]
    last = case.failure
    if last is not None and signs.asks_to_wait(last):
        return [
            *_more_retries(case),
            f"Restart {_name(case)} with downstream when the service takes calls again.",
            'Have it called less often: a pool= with a rate, as in pools={"api": Pool(8, rate=10)}.',
        ]
    service = (
        f"what the service {cut(last.service, 80)} connects to" if last is not None and last.service else "the service"
    )
    chosen = [f"See that {service} answers, then restart {_name(case)} with downstream.", *_more_retries(case)]
    chosen += _longer_waits(case)
    if not circuit:
        chosen.append("Name a circuit= for all tasks that need the service: they wait together until it is back.")
    return chosen


def _bad_input(case: Case, giver: str) -> list[str]:
    name = cut(giver, 80)
    if giver in dict(case.trouble):
        return [
            f"See why {name} did not succeed, then restart that with downstream.",
            f'Have {_name(case)} take None for {name}, or leave on_upstream_failure="run" out.',
        ]
    return [
        f"Look at what {name} returned, mend {name}, then restart that with downstream.",
        _fix(case),
        *_wasted(case),
    ]


def _worker(case: Case) -> list[str]:
    """What ended a process tells what to look for."""
    message = case.failure.message if case.failure is not None else ""
    if "exit code" in message:
        return ["See what in it ends the process (os._exit, or a library that does): it should raise instead."]
    if any(name in message for name in ("SIGSEGV", "SIGBUS", "SIGABRT", "SIGILL", "SIGFPE")):
        return ["Run it with PYTHONFAULTHANDLER=1 to see where native code crashed."]
    return [
        "See the system's log for what ended the process; out of memory is the usual reason.",
        *_EXHAUSTED["memory"],
    ]


_EXHAUSTED = {
    "memory": [
        'Let fewer such tasks run at once: resources={"memory": n}, a pool=, or a lower max_parallel.',
        "Give it less at a time.",
    ],
    "disk": ["Make room on the disk."],
    "files": [
        "Raise the limit of open files (ulimit -n), or see that files and connections are closed.",
        "Let fewer tasks run at once: a pool=, or a lower max_parallel.",
    ],
    "threads": ["Let fewer tasks run at once: a lower max_parallel."],
}


def _gate(case: Case) -> list[str]:
    gate = case.policy.gate
    if gate is None:
        return []
    chosen: list[str] = []
    if gate.timeout is not None and case.failure is not None and "nobody decided" in case.failure.message:
        chosen.append(f"Give the gate more time than {seconds(gate.timeout)} (Gate(timeout=)).")
    chosen.append('Give the gate on_reject="skip" if a rejection is no failure.')
    return chosen
