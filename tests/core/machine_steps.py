"""What may happen to a run, a step at a time, and how it is brought to its end: for tests that make up random stories."""

from __future__ import annotations

from dataclasses import dataclass

from dagtop.core import commands as cmd
from dagtop.core import events as ev
from dagtop.core import inputs as inp
from dagtop.core.blast import radius
from dagtop.core.inputs import NewTask
from dagtop.core.policy import Retry, TaskPolicy
from dagtop.core.restart import Probe, Restart, RestartPolicy
from dagtop.core.spreading import spread
from dagtop.core.states import FINAL, RUN_OVER, RunState, TaskState
from dagtop.core.topology import reach
from machine_driver import BROKEN, Driver

#: What happens to any run.
KINDS = (
    "succeed succeed succeed succeed fail fail fatal stopped stopped_badly late tick tick advance "
    "cancel restart restart restart_below restart_below hold release pause continue drain cancel_run abandon limit policy "
    "skip answer answer answer torn_down wound_down set_up set_up set_up_badly "
    "expect skip_task mark retry_failed approve approve reject pool_limit "
    "trip reset force grow swap swap_back lines more_lines later elsewhere elsewhere note "
    "ready ready probe probe probe_badly probe_badly stop_task stop_task start_task start_task start_run start_run "
    "restarts restarts ceiling settings acknowledge"
).split()

#: What happens to tasks that are kept up: crashes, probes, time that passes; seldom something that ends the run.
KINDS_OF_SERVICES = (
    "succeed succeed fail fail fail fail fail fatal stopped stopped stopped stopped_badly tick tick tick advance advance advance "
    "ready ready ready probe probe probe probe probe probe probe_badly probe_badly probe_badly probe_badly "
    "stop_task start_task start_task start_run start_run restart restart_below restarts restarts ceiling ceiling "
    "cancel hold release pause continue continue limit policy lines swap swap_back grow late skip approve mark "
    "answer torn_down set_up wound_down elsewhere reset reset later expect cancel_run abandon retry_failed"
).split()


@dataclass(frozen=True)
class Step:
    """One thing that happens; `x` and `y` choose among what there is."""

    kind: str
    x: int
    y: int


def take(driver: Driver, step: Step) -> None:
    """Carry one step out, if there is anything it can be done to."""
    running = sorted(driver.running_names())
    chosen = running[step.x % len(running)] if running else None
    told = sorted(driver.plan.names[i] for i in driver.told if i in driver.running)
    match step.kind:
        case "succeed" if chosen:
            driver.succeed(chosen)
        case "fail" | "fatal" if chosen:
            driver.fail(chosen, retriable=step.kind == "fail", chance=step.y / 31)
        case "stopped" | "stopped_badly" if told:
            driver.stopped(told[step.x % len(told)], failure=BROKEN if step.kind == "stopped_badly" else None)
        case "late":
            late(driver, step)
        case "tick":
            if (due := driver.machine.next_due()) is not None:
                driver.at = max(driver.at, due)
            driver.tell(inp.Tick(driver.at))
        case "advance":
            driver.advance(step.y / 8)
        case "skip" if chosen:
            driver.skip(chosen)
        case "answer" if driver.asked:
            asked = sorted(driver.asked)
            verdict = ("run", "run", "run", "skip", "cached", "fail")[step.y % 6]
            driver.answer(driver.plan.names[asked[step.x % len(asked)]], verdict)
        case "torn_down" if driver.tearing:
            tearing = sorted(driver.tearing)
            failure = BROKEN if step.y % 4 == 0 else None
            driver.torn_down(driver.plan.names[tearing[step.x % len(tearing)]], failure=failure)
        case "set_up" | "set_up_badly" if driver.setting_up:
            driver.set_up(failure=BROKEN if step.kind == "set_up_badly" else None)
        case "ready" if chosen:
            driver.say_ready(chosen)
        case "probe" | "probe_badly":
            answer_probe(driver, step)
        case "later" if chosen:
            driver.fail(chosen, retriable=step.y % 3 != 0, retry_after=step.y / 16)
        case "elsewhere":
            elsewhere(driver, step)
        case "note" | "expect":
            (note if step.kind == "note" else expect)(driver, step)
        case "wound_down" if driver.winding_down and not driver.setting_up:
            driver.wound_down()
        case "grow" if len(driver.plan) < 14:
            grow(driver, step)
        case "swap" | "swap_back":
            (swap if step.kind == "swap" else swap_back)(driver, step)
        case _:
            command(driver, step)


def answer_probe(driver: Driver, step: Step) -> None:
    """Somebody says how a running task is."""
    waiting = sorted(key for key, attempt in driver.probes.items() if driver.running.get(key[0]) == attempt)
    if waiting:
        index, kind = waiting[step.x % len(waiting)]
        driver.probe(driver.plan.names[index], kind, ok=step.kind == "probe", said="no answer")


def grow(driver: Driver, step: Step) -> None:
    """Tasks come, and hold back one that has not started."""
    plan, states = driver.plan, driver.machine.ledger.state
    first = len(plan)
    policy = (TaskPolicy(), TaskPolicy(pool="db"), TaskPolicy(circuit="api", retry=Retry(retries=1)))[step.y % 3]
    above = (plan.names[step.x % first],) if step.y % 2 else ()
    added = [NewTask(f"t{first}", above, policy, asks=step.y % 5 == 0, cleans_up=step.y % 7 == 0)]
    if step.x % 2:
        added.append(NewTask(f"t{first + 1}", (f"t{first}",), TaskPolicy()))
    reaches = reach(plan.upstream, [plan.index[name] for name in above]) | {plan.index[name] for name in above}
    waiting = [i for i in range(first) if states[i] is TaskState.WAITING and i not in reaches]
    rewired: dict[str, tuple[str, ...]] = {}
    if waiting and step.x % 3 == 0:
        held_back = waiting[step.y % len(waiting)]
        rewired[plan.names[held_back]] = (*(plan.names[i] for i in plan.upstream[held_back]), f"t{first}")
    driver.change(added=added, rewired=rewired)


def swap(driver: Driver, step: Step) -> None:
    """A new version of the graph: one task is gone, another has other code."""
    plan = driver.plan
    own = [i for i in range(len(plan)) if i not in plan.nodes]
    gone, other = own[step.x % len(own)], own[step.y % len(own)]
    changed = (plan.names[other],) if other != gone else ()
    rewired = {
        plan.names[i]: tuple(plan.names[j] for j in plan.upstream[i] if j != gone)
        for i in range(len(plan))
        if gone in plan.upstream[i] or (i == gone and plan.upstream[i])
    }
    if plan.upstream[gone]:
        rewired[plan.names[gone]] = ()
    given = (
        TaskPolicy(pool="slow", priority=1),
        TaskPolicy(restart=Restart(policy="always", base=1.0)),
        TaskPolicy(restart=Restart(), ready=Probe(), alive=Probe(delay=1.0)),
        TaskPolicy(restart=Restart(), alive=Probe(threshold=1)),
    )[step.x // 3 % 4]
    policies = {plan.names[other]: given} if other != gone and step.x % 3 == 0 else {}
    driver.change(
        "a new version",
        900 + step.x,
        removed=(plan.names[gone],),
        rewired=rewired,
        changed=changed,
        policies=policies,
        asks=(None, (), (plan.names[other],))[step.x % 3],
        cleans_up=(None, None, (), (plan.names[other],))[step.y % 4],
    )


def swap_back(driver: Driver, step: Step) -> None:
    """A new version of the graph has a task again that an earlier one had removed."""
    plan, gone = driver.plan, sorted(driver.machine.ledger.desired.gone)
    if gone:
        name = plan.names[gone[step.x % len(gone)]]
        driver.change("a new version", 900 + step.y, changed=(name,))


def elsewhere(driver: Driver, step: Step) -> None:
    """Another run of the process moves a breaker."""
    name, breakers = ("api", "mail")[step.y % 2], driver.machine.breakers
    match step.x % 4:
        case 0:
            breakers.trip(name, driver.at, "somebody else")
        case 1:
            breakers.reset(name, driver.at, "somebody else")
        case 2:
            breakers.force(name, ("open", "", "half_open")[step.y // 2 % 3], driver.at, "somebody else")
    if not driver.machine.is_over:
        driver.tell(inp.BreakerMoved(driver.at, name))


def expect(driver: Driver, step: Step) -> None:
    """Something is to start over by itself some time, or nothing any more."""
    driver.tell(inp.Expecting(driver.at, step.y % 2 == 0))


def note(driver: Driver, step: Step) -> None:
    """A task says something."""
    name = driver.plan.names[step.x % len(driver.plan)]
    facts: list[ev.AnyEvent] = [
        ev.TaskProgress(driver.at, name, float(step.y)),
        ev.TaskServing(driver.at, name),
        ev.Log(driver.at, name, 1, "stdout", "INFO", "hello"),
        ev.Problem(driver.at, "a callback", "no", name),
    ]
    if not driver.machine.is_over:
        driver.machine.note(facts[step.y % 4])
        driver.tell(inp.Tick(driver.at))


def late(driver: Driver, step: Step) -> None:
    """An attempt that nobody waits for any more answers all the same."""
    index = step.x % len(driver.plan)
    number = driver.machine.ledger.attempt[index] - step.y % 2
    if driver.running.get(index) == number or not number:
        return
    before = len(driver.events)
    outcomes: list[inp.Input] = [
        inp.AttemptSucceeded(driver.at, index, number),
        inp.AttemptRaised(driver.at, index, number, BROKEN, True),
        inp.AttemptStopped(driver.at, index, number),
    ]
    driver.tell(outcomes[step.y % 3])
    assert len(driver.events) == before, "an outcome that nobody waits for had an effect"


def command(driver: Driver, step: Step) -> None:
    """Give the command to a task that takes it, if there is one, else to one that must refuse it."""
    options = [
        one
        for name in driver.plan.names
        if (given := command_of(step, name)) is not None
        for one in spread(driver.plan, given)
    ]
    taken = [given for given in options if not radius(driver.machine.ledger, given).refusal]
    choice = taken if taken and step.y % 8 else options
    if choice:
        driver.command(choice[step.x % len(choice)])


def command_of(step: Step, name: str) -> cmd.Command | None:
    y = step.y
    commands: dict[str, cmd.Command] = {
        "cancel": cmd.CancelTask(name),
        "restart": cmd.RestartTask(name),
        "restart_below": cmd.RestartTask(name, downstream=True),
        "hold": cmd.HoldTask(name),
        "release": cmd.ReleaseTask(name),
        "pause": cmd.PauseRun(),
        "continue": cmd.ContinueRun(),
        "drain": cmd.DrainRun(),
        "cancel_run": cmd.CancelRun(),
        "abandon": cmd.AbandonRun(),
        "limit": cmd.SetMaxParallel(y % 5),
        "policy": cmd.SetPolicy(
            name, retries=y % 3, timeout=(None, 0.0, 0.7, 4.0)[y % 4], base=(None, 0.2, 5.0)[y % 3]
        ),
        "lines": cmd.SetPolicy(
            name,
            pool=(None, "", "db", "slow")[y % 4],
            circuit=(None, "", "api")[y % 3],
            priority=(None, 3, -3)[y % 3],
            trigger=(None, "all_done", "all_success")[y % 3],
            on_upstream_failure=(None, "run", "fail")[y % 3],
        ),
        "more_lines": cmd.SetPolicy(
            name,
            backoff=(None, "none", "linear", "exponential")[y % 4],
            factor=(None, 1.0, 3.0)[y % 3],
            cap=(None, 0.0, 1.0)[y // 3 % 3],
            jitter=(None, 0.0, 1.0)[y // 2 % 3],
            cost=(None, 0.5, 9.0)[y // 4 % 3],
            retry_on_timeout=(None, True, False)[y // 5 % 3],
        ),
        "stop_task": cmd.StopTask(name),
        "start_task": cmd.StartTask(name),
        "start_run": cmd.StartRun(),
        "restarts": cmd.SetPolicy(
            name,
            restart=("no", "on-failure", "always", None)[y % 4],
            max_restarts=(None, -1, 0, 1, 3)[y % 5],
            restart_backoff=(None, 0.0, 2.0)[y % 3],
            reset_after=(None, 0.5)[y % 2],
        ),
        "ceiling": cmd.SetPolicy(name, max_restarts=y % 5, restart_cap=(None, 0.5, 9.0)[y % 3], restart_jitter=1.0),
        "skip_task": cmd.SkipTask(name),
        "mark": cmd.MarkSucceeded(name, y),
        "retry_failed": cmd.RetryFailed(),
        "approve": cmd.ApproveTask(name),
        "reject": cmd.RejectTask(name),
        "pool_limit": cmd.SetPoolLimit(("db", "slow")[y % 2], 1 + y % 3),
        "trip": cmd.TripBreaker(("api", "mail")[y % 2]),
        "reset": cmd.ResetBreaker(("api", "mail")[y % 2]),
        "force": cmd.ForceBreaker(("api", "mail")[y % 2], ("open", "closed", "half_open", "")[y // 2 % 4]),
        "settings": cmd.SetBreaker(
            ("api", "mail")[y % 2],
            failure_threshold=(None, 1, 4)[y // 2 % 3],
            recovery_timeout=(None, 0.0, 3.0)[y // 3 % 3],
            window=(None, None, 0.0, 9.0)[y // 5 % 4],
        ),
        "acknowledge": cmd.AcknowledgeEscalation(1 + y % 4, ("", "seen")[y // 4 % 2], withdraw=y % 7 == 0),
    }
    return commands.get(step.kind)


def finish(driver: Driver) -> None:
    """Let everything come to its end: answer what runs, release what is held, let time pass."""
    driver.tell(inp.Expecting(driver.at, False))
    for _ in range(1_000):
        if driver.machine.is_over:
            return
        if driver.run_state is RunState.PAUSED:
            driver.command(cmd.ContinueRun())
        for index in sorted(driver.machine.ledger.held):
            driver.command(cmd.ReleaseTask(driver.plan.names[index]))
        for index in sorted(driver.machine.ledger.gates):
            driver.command(cmd.ApproveTask(driver.plan.names[index]))
        for breaker in sorted(driver.machine.ledger.forced):
            driver.command(cmd.ForceBreaker(breaker, ""))
        for name, policy in zip(driver.plan.names, driver.machine.ledger.policies, strict=True):
            if policy.restart.policy is RestartPolicy.ALWAYS:
                driver.command(cmd.SetPolicy(name, restart="no"))
        running = sorted(driver.running_names())
        if running:
            name = running[0]
            driver.stopped(name) if driver.plan.index[name] in driver.told else driver.succeed(name)
        elif driver.asked:
            driver.answer(driver.plan.names[min(driver.asked)])
        elif driver.tearing:
            driver.torn_down(driver.plan.names[min(driver.tearing)])
        elif driver.setting_up:
            driver.set_up()
        elif driver.winding_down:
            driver.wound_down()
        elif (due := driver.machine.next_due()) is not None:
            driver.at = max(driver.at, due)
            driver.tell(inp.Tick(driver.at))
        elif not driver.machine.is_over:
            raise AssertionError(f"nothing runs, nothing is due, and yet the run is not over: {driver.states()}")
    raise AssertionError("the run does not come to an end")


def check_the_end(driver: Driver) -> None:
    assert driver.run_state in RUN_OVER
    assert all(state in FINAL for state in driver.states().values())
    assert not driver.running
    finished, reopened = len(driver.of(ev.RunFinished)), len(driver.of(ev.RunReopened))
    assert finished == reopened + 1, "run.finished once for the run and once for each time it was reopened"
    assert driver.machine.next_due() is None
    assert not driver.tearing
    assert not driver.winding_down
    assert not driver.setting_up
    assert not driver.machine.asking
    assert not any(driver.books.in_use.values()), "something of a pool or a resource is never given back"
    assert not any(used for used, _ in driver.machine.admission.limits.used().values())
    for event in driver.of(ev.TaskEscalated):
        assert event.report.task == event.task
