"""The commands as methods: all that a person can do on the console, from code."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

import msgspec

from dagtop.core import commands as cmd
from dagtop.core.breaker_settings import SETTINGS
from dagtop.core.changes import NO_COST
from dagtop.core.nearest import nearest
from dagtop.runtime.answer import Answer

#: A task's name, or its function.
TaskLike: TypeAlias = str | Callable[..., Any]

_POLICY_FIELDS = tuple(name for name in cmd.SetPolicy.__struct_fields__ if name != "task")
_NONE_TAKES_AWAY: dict[str, Any] = {"timeout": 0.0, "circuit": "", "pool": "", "cost": float(NO_COST)}


class Commanding:
    """Gives commands. Each returns its `Answer` at once, and is refused, with the reason, where it makes no sense."""

    def send(self, command: cmd.Command) -> Answer:
        """Give a command, and get its answer."""
        raise NotImplementedError

    def _name_of(self, task: TaskLike) -> str:
        raise NotImplementedError

    # -- the run ----------------------------------------------------------------------------------------------------

    def cancel(self, task: TaskLike | None = None, *, reason: str = "") -> Answer:
        """Stop one task, or, without one, everything, and end the run."""
        if task is not None:
            return self.send(cmd.CancelTask(self._name_of(task), reason))
        return self.send(cmd.CancelRun(reason or "cancelled by the program"))

    def pause(self) -> Answer:
        """Start nothing new; what runs goes on."""
        return self.send(cmd.PauseRun())

    def resume(self) -> Answer:
        """Start tasks again after a pause."""
        return self.send(cmd.ContinueRun())

    def drain(self) -> Answer:
        """Start nothing new, let what runs finish, then end the run."""
        return self.send(cmd.DrainRun())

    def abandon(self, task: TaskLike | None = None, *, reason: str = "") -> Answer:
        """Wait no longer for one task that was told to stop and did not; without one for all of these, and end the run."""
        if task is not None:
            return self.send(cmd.AbandonTask(self._name_of(task), reason))
        return self.send(cmd.AbandonRun())

    def set_max_parallel(self, limit: int) -> Answer:
        """Change how many attempts may be in progress at once."""
        return self.send(cmd.SetMaxParallel(limit))

    def set_pool_limit(self, pool: str, limit: int) -> Answer:
        """Change how many attempts may be in progress at once in one pool."""
        return self.send(cmd.SetPoolLimit(pool, limit))

    # -- tasks ------------------------------------------------------------------------------------------------------

    def restart(self, task: TaskLike, *, downstream: bool = False, reason: str = "") -> Answer:
        """Run one task again, and with `downstream` everything after it."""
        return self.send(cmd.RestartTask(self._name_of(task), downstream, reason))

    def retry_failed(self) -> Answer:
        """Run every task again that failed or timed out, and what was skipped because of it."""
        return self.send(cmd.RetryFailed())

    def skip(self, task: TaskLike, *, reason: str = "") -> Answer:
        """Do not run one task that has not started. What needs its output is skipped too, as its trigger rule says."""
        return self.send(cmd.SkipTask(self._name_of(task), reason))

    def mark_succeeded(self, task: TaskLike, value: Any = None, *, reason: str = "") -> Answer:
        """Take `value` for the output of a task that does not run now, and go on with what is downstream."""
        return self.send(cmd.MarkSucceeded(self._name_of(task), value, reason))

    def hold(self, task: TaskLike) -> Answer:
        """Do not let a task start before it is released."""
        return self.send(cmd.HoldTask(self._name_of(task)))

    def release(self, task: TaskLike) -> Answer:
        """Let a held task start."""
        return self.send(cmd.ReleaseTask(self._name_of(task)))

    def approve(self, task: TaskLike, *, reason: str = "") -> Answer:
        """Let a task through its gate."""
        return self.send(cmd.ApproveTask(self._name_of(task), reason))

    def reject(self, task: TaskLike, *, reason: str = "") -> Answer:
        """Do not let a task through its gate."""
        return self.send(cmd.RejectTask(self._name_of(task), reason))

    def set_policy(self, task: TaskLike, **fields: Any) -> Answer:
        """Change fields of one task's policy from the next decision on, those of `dagtop.core.commands.SetPolicy`.

        `timeout=None` takes the timeout away; so does None for `circuit`, `pool` and `cost`.

        Raises
        ------
        TypeError: there is no such field, or it takes no such value.
        """
        for name, value in fields.items():
            if name not in _POLICY_FIELDS:
                raise TypeError(f"a policy has no field {name!r}{nearest(name, _POLICY_FIELDS)}")
            if value is None:
                if name not in _NONE_TAKES_AWAY:
                    raise TypeError(f"{name} cannot be None")
                fields[name] = _NONE_TAKES_AWAY[name]
        return self.send(cmd.SetPolicy(self._name_of(task), **fields))

    # -- what is wanted -----------------------------------------------------------------------------------------------

    def stop_task(self, task: TaskLike, *, reason: str = "") -> Answer:
        """Have one task down: it is not started again, whatever its restart policy says, before it is wanted up."""
        return self.send(cmd.StopTask(self._name_of(task), reason))

    def start_task(self, task: TaskLike, *, reason: str = "") -> Answer:
        """Have one task up: it runs again if it has ended or was stopped, and its restarts count from the beginning."""
        return self.send(cmd.StartTask(self._name_of(task), reason))

    def start_all(self) -> Answer:
        """Bring up all that should run and does not."""
        return self.send(cmd.StartRun())

    def scale(self, task: TaskLike, replicas: int) -> Answer:
        """Change how many replicas there are of a task that was declared with `replicas=`."""
        return self.send(cmd.ScaleTask(self._name_of(task), replicas))

    # -- breakers ---------------------------------------------------------------------------------------------------

    def trip_breaker(self, breaker: str) -> Answer:
        """Open a circuit breaker by hand; it recovers as if it had opened by itself."""
        return self.send(cmd.TripBreaker(breaker))

    def reset_breaker(self, breaker: str) -> Answer:
        """Close a circuit breaker by hand, and forget its failures."""
        return self.send(cmd.ResetBreaker(breaker))

    def force_breaker(self, breaker: str, state: str | None) -> Answer:
        """Hold a circuit breaker in `state` ("open", "closed", "half_open"), whatever happens; None lets it go."""
        return self.send(cmd.ForceBreaker(breaker, state or ""))

    def set_breaker(self, breaker: str, **settings: Any) -> Answer:
        """Change settings of a circuit breaker from now on: `failure_threshold`, `recovery_timeout`, `success_threshold`,
        `window`, `failure_rate`. None takes a window or a rate away.

        Raises
        ------
        TypeError: there is no such setting, or it takes no such value.
        """
        for name, value in settings.items():
            if name not in SETTINGS:
                raise TypeError(f"a breaker has no setting {name!r} to change{nearest(name, SETTINGS)}")
            if value is None:
                settings[name] = 0
        return self.send(cmd.SetBreaker(breaker, **settings))

    # -- escalations --------------------------------------------------------------------------------------------------

    def acknowledge(self, number: int, *, reason: str = "", withdraw: bool = False) -> Answer:
        """Say that somebody looks after the escalation of that number; with `withdraw` that nobody does any more."""
        return self.send(cmd.AcknowledgeEscalation(number, reason, withdraw))


def checked(command: cmd.Command) -> None:
    """See that each value in a command is of its type: what is recorded must be readable again.

    Raises
    ------
    TypeError: one is not.
    """
    if not isinstance(command, msgspec.Struct) or not hasattr(command, "verb"):
        raise TypeError(f"a command is one of those in dagtop.core.commands, not {command!r}")
    try:
        msgspec.convert(msgspec.structs.asdict(command), type(command))
    except msgspec.ValidationError as error:
        raise TypeError(f"{command.verb}: {error}") from None
