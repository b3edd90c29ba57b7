"""Tasks that are kept up, for tests: policies, a run of one of them, and crashes."""

from __future__ import annotations

from typing import Any

from dagtop.core import inputs as inp
from dagtop.core.policy import TaskPolicy
from dagtop.core.restart import Restart
from machine_driver import Driver


def kept(policy: str = "on-failure", **options: Any) -> TaskPolicy:
    """A policy that starts a task again; what `Restart` does not have goes to the `TaskPolicy`."""
    of_restart = {name: options.pop(name) for name in tuple(options) if name in Restart.__dataclass_fields__}
    return TaskPolicy(restart=Restart(policy=policy, **of_restart), **options)


def service(policy: TaskPolicy, **run: Any) -> Driver:
    return Driver({"a": []}, {"a": policy}, supervises=True, **run)


def crash(driver: Driver, name: str = "a", *, after: float = 0.0, times: int = 1) -> list[float]:
    """Let a task crash so many times, each time after so many seconds; the delays before it ran again."""
    delays = []
    for _ in range(times):
        driver.advance(after)
        driver.fail(name)
        ended = driver.at
        while name not in driver.running_names() and (due := driver.machine.next_due()) is not None:
            driver.at = max(driver.at, due)
            driver.tell(inp.Tick(driver.at))
        delays.append(driver.at - ended)
    return delays
