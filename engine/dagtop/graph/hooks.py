"""Hooks: functions that are called before or after runs, tasks and attempts. `@graph.hooks.after_task` declares one."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from dagtop.ports.plugin import Plugin

F = TypeVar("F", bound=Callable[..., Any])


class Hooks:
    """The hooks of a graph or an executor: decorators, each of which gives the function back unchanged.

    The function may be async. It is called in order and soon, and never holds the run up, see `dagtop.ports.plugin`; for the
    events themselves there is `on_event`. What is declared when the run has begun waits for the next one.
    """

    def __init__(self) -> None:
        self.plugins: list[Plugin] = []
        """One for each function."""

    def before_run(self, hook: F) -> F:
        """Call it with a `RunInfo` when the run has begun."""
        return self._keep("before_run", hook)

    def after_run(self, hook: F) -> F:
        """Call it with a `RunOutcome` when the run is over."""
        return self._keep("after_run", hook)

    def before_task(self, hook: F) -> F:
        """Call it with a `TaskInfo` when the first attempt of a task begins."""
        return self._keep("before_task", hook)

    def after_task(self, hook: F) -> F:
        """Call it with a `TaskOutcome` when a task has come to its end, whether it ran or not."""
        return self._keep("after_task", hook)

    def before_attempt(self, hook: F) -> F:
        """Call it with an `AttemptInfo` when an attempt begins."""
        return self._keep("before_attempt", hook)

    def after_attempt(self, hook: F) -> F:
        """Call it with an `AttemptOutcome` when an attempt is over."""
        return self._keep("after_attempt", hook)

    def _keep(self, name: str, hook: F) -> F:
        if not callable(hook):
            raise ValueError(f"{name} must be callable, not {hook!r}")
        from dagtop.ports.plugin import Plugin  # noqa: PLC0415 - most graphs have none

        plugin = Plugin()
        plugin.name = getattr(hook, "__name__", type(hook).__name__)
        setattr(plugin, name, hook)
        self.plugins.append(plugin)
        return hook
