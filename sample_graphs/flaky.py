"""Everything that can go wrong with a task, in one run. It ends with exit code 1: that is what it is for.

Shows retries, timeouts, what dagtop does with code that will not stop, tries to end the program or blocks the loop, and
what becomes of the tasks after it: `trigger` and `on_upstream_failure`.

    dagtop sample_graphs/flaky.py
    dagtop sample_graphs/flaky.py -p seed=4
"""

from __future__ import annotations

import random
import sys
import time
from typing import Any

import anyio
from dagtop import Graph, Retry, TaskContext

QUICK = Retry(retries=3, base=0.2, factor=1.5)

graph = Graph("flaky", inputs={"seed": 1}, max_parallel=8)


# -- failing and trying again -----------------------------------------------------------------------------------------


@graph.task(retries=QUICK)
async def third_time_lucky(ctx: TaskContext) -> str:
    """Fails twice, then succeeds."""
    await anyio.sleep(0.1)
    if ctx.attempt < 3:
        raise ConnectionError(f"attempt {ctx.attempt}: connection reset by peer")
    return "at last"


@graph.task(retries=Retry(retries=6, base=0.1))
def by_chance(seed: int, ctx: TaskContext) -> int:
    """Fails as the dice say: the same for the same seed."""
    if random.Random(f"{seed} {ctx.attempt}").random() < 0.6:
        raise OSError("the dice were against it")
    return ctx.attempt


@graph.task(retries=Retry(retries=2, base=0.3))
def never_works() -> None:
    """Fails with a chain of two exceptions, every time."""
    try:
        {}["customer_id"]
    except KeyError as error:
        raise ValueError("the order has no customer") from error


@graph.task(retries=Retry(retries=5, base=0.1, not_on=(PermissionError,)))
def not_worth_trying_again() -> None:
    """Fails with an error that `not_on` excludes from retries."""
    raise PermissionError("no access to the archive")


@graph.task
async def many_at_once() -> None:
    """Fails with an exception group."""
    async with anyio.create_task_group() as group:
        group.start_soon(_fail, "left")
        group.start_soon(_fail, "right")


async def _fail(side: str) -> None:
    raise RuntimeError(f"the {side} side broke")


# -- too slow, or not willing to stop ---------------------------------------------------------------------------------


@graph.task(timeout=0.4, retries=Retry(retries=1, base=0.2))
async def too_slow() -> None:
    """Sleeps for longer than its timeout, twice."""
    await anyio.sleep(60)


@graph.task
async def own_timeout() -> None:
    """Raises a TimeoutError of its own: a failure like any other, with its own message."""
    raise TimeoutError("the other side did not answer")


@graph.task(timeout=0.3)
def deaf(ctx: TaskContext) -> str:
    """A plain function does not look whether it was told to stop, and goes on for a second: shown as STOPPING."""
    time.sleep(1.2)
    return f"told to stop: {ctx.cancelled}"


@graph.task(timeout=0.3)
def polite(ctx: TaskContext) -> None:
    """A plain function that looks, and returns at once."""
    while not ctx.cancelled:
        time.sleep(0.01)


# -- no manners -------------------------------------------------------------------------------------------------------


@graph.task
def exits() -> None:
    """Tries to end the whole program."""
    sys.exit(3)


@graph.task
def interrupts() -> None:
    """Raises what ctrl+c raises."""
    raise KeyboardInterrupt


@graph.task
async def blocks_the_loop() -> str:
    """Async code that never awaits: everything on the loop waits for it. The console does not."""
    time.sleep(0.3)  # noqa: ASYNC251 - this is the fault that is shown
    return "sorry"


@graph.task
def chatty(ctx: TaskContext) -> int:
    """Prints far more than anybody reads."""
    for number in range(5000):
        print(f"line {number}: all work and no play makes Jack a dull boy")
    print("this goes to stderr", file=sys.stderr)
    ctx.log.error("and this to the log, with \x1b[31mcolour\x1b[0m and a bell \a")
    return 5000


@graph.task(name="\x1b[31mred\x1b[0m [/bold] <b>$(reboot)</b>\r\nnext\u200bline")
def hostile() -> None:
    """A name and an error that would draw on the terminal if they were let through."""
    raise RuntimeError("\x1b[2J\x1b[H<script>alert('all gone')</script> [red]")


@graph.task
def big_output() -> list[int]:
    """Returns something big."""
    return list(range(300_000))


@graph.task
def not_storable() -> Any:
    """Returns something that no journal can keep: a problem of storing, not of the task."""
    return (number for number in range(3))


# -- and after it -----------------------------------------------------------------------------------------------------


@graph.task
def skipped_by_default(never_works: None) -> None:
    """An upstream failed: skipped, and says because of whom."""


@graph.task(on_upstream_failure="fail")
def fails_with_it(never_works: None) -> None:
    """An upstream failed: fails too."""


@graph.task(on_upstream_failure="run")
def runs_without_it(never_works: None, third_time_lucky: str) -> str:
    """An upstream failed: runs all the same, with None in its place."""
    return f"never_works gave {never_works}, third_time_lucky gave {third_time_lucky!r}"


@graph.task(trigger="any_success", depends_on=[third_time_lucky, never_works, own_timeout])
def one_is_enough(ctx: TaskContext) -> list[str]:
    """Starts with the first upstream that succeeds."""
    return [name for name, output in ctx.upstream.items() if output is not None]


@graph.task(trigger="none_failed", depends_on=[skipped_by_default, third_time_lucky])
def skipped_is_fine() -> str:
    """None of its upstream failed; one was skipped."""
    return "none failed"


@graph.task(trigger="all_done", depends_on=[fails_with_it, too_slow, deaf, runs_without_it, chatty])
def tidy_up(ctx: TaskContext) -> int:
    """Runs when everything before it has ended, however."""
    return len(ctx.upstream)
