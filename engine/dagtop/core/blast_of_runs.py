"""What a command for the whole run would do."""

from __future__ import annotations

from typing import assert_never

from dagtop.core import commands as cmd
from dagtop.core.affected import (
    Situation,
    brought_up,
    is_unwanted,
    retried,
    stale_after,
    torn_down_for_good,
    wanted_up,
    was_drained,
)
from dagtop.core.blast_parts import STOPPED, lacks, names_of, refused, thrown_away
from dagtop.core.restart import RestartPolicy
from dagtop.core.states import ACTIVE, BAD, FINAL, RUN_OVER, RunState, TaskState
from dagtop.core.wording import do, tasks


def of_run(
    now: Situation, command: cmd.PauseRun | cmd.ContinueRun | cmd.DrainRun | cmd.CancelRun | cmd.AbandonRun
) -> cmd.BlastRadius:
    """Of whether the run goes on."""
    if now.run_state in RUN_OVER:
        return refused("the run is over")
    active = names_of(now, lambda state: state in ACTIVE)
    unstarted = names_of(now, lambda state: state not in ACTIVE and state not in FINAL)
    match command:
        case cmd.PauseRun():
            if now.run_state is not RunState.RUNNING:
                return refused(f"the run is {now.run_state.value} already")
            finish = f"; {tasks(len(active))} may finish" if active else ""
            return cmd.BlastRadius(summary=f"starts nothing new{finish}")
        case cmd.ContinueRun():
            return _continue(now)
        case cmd.DrainRun():
            if now.run_state in STOPPED:
                return refused("the run is stopping already")
            return _drain(now, active, unstarted)
        case cmd.CancelRun():
            if now.run_state is RunState.CANCELLING:
                return refused("the run is being cancelled already")
            return cmd.BlastRadius(
                summary=_counted((active, "told to stop"), (unstarted, "will not run")) or "nothing runs",
                stops=active,
                never_runs=unstarted,
            )
        case cmd.AbandonRun():
            stuck = names_of(now, lambda state: state is TaskState.CANCELLING)
            if not stuck:
                return refused("no task was told to stop and is still running; cancel first")
            return cmd.BlastRadius(summary=f"no longer waits for {tasks(len(stuck))}", stops=stuck)
        case _ as unreachable:
            assert_never(unreachable)


def _counted(*parts: tuple[tuple[str, ...], str]) -> str:
    """ "2 tasks told to stop, 1 task will not run", without what there is none of."""
    return ", ".join(f"{tasks(len(names))} {words}" for names, words in parts if names)


def _continue(now: Situation) -> cmd.BlastRadius:
    if now.run_state is RunState.DRAINING:
        again = sum(was_drained(now, index) for index in range(len(now.state)) if index not in now.plan.nodes)
        more = f", {tasks(again)} that {'was' if again == 1 else 'were'} not to run may run" if again else ""
        return cmd.BlastRadius(summary=f"the run is not drained any more{more}")
    if now.run_state is not RunState.PAUSED:
        return refused("the run is not paused")
    return cmd.BlastRadius(summary="starts tasks again")


def _drain(now: Situation, active: tuple[str, ...], unstarted: tuple[str, ...]) -> cmd.BlastRadius:
    services = tuple(name for name in active if _serves(now, now.plan.index[name]))
    unstarted = tuple(name for name in unstarted if now.plan.index[name] not in now.plan.nodes)
    jobs = len(active) - len(services)
    parts = [f"{tasks(jobs)} may finish"] if jobs or not services else []
    if unstarted:
        parts.append(f"{tasks(len(unstarted))} will not run")
    if services:
        many = "1 service is" if len(services) == 1 else f"{len(services):,} services are"
        parts.append(f"then {many} stopped" if jobs else f"{many} stopped, for nothing else runs")
    return cmd.BlastRadius(summary=", ".join(parts), stops=services, never_runs=unstarted)


def _serves(now: Situation, index: int) -> bool:
    restart = now.policies[index].restart
    return restart.policy is RestartPolicy.ALWAYS or (restart.is_on and index in now.desired.serving)


def of_retry_failed(now: Situation) -> cmd.BlastRadius:
    """Of all that failed starting over."""
    if now.run_state in STOPPED:
        return refused("the run is stopping")
    chosen = retried(now)
    failed = tuple(now.plan.names[i] for i in chosen if now.state[i] in BAD)
    if not failed:
        lost = next((i for i, state in enumerate(now.state) if state in BAD and not is_unwanted(now, i)), None)
        return refused("no task has failed" if lost is None else lacks(torn_down_for_good(now, lost)))
    after = f", and {tasks(len(chosen) - len(failed))} after them" if len(chosen) > len(failed) else ""
    return cmd.BlastRadius(
        summary=f"{tasks(len(failed))} that failed {do(len(failed), 'run')} again{after}",
        runs_again=tuple(now.plan.names[i] for i in chosen),
    )


def of_start_run(now: Situation) -> cmd.BlastRadius:
    """Of all that is wanted up starting."""
    if now.run_state in STOPPED:
        return refused("the run is stopping")
    up = brought_up(now, wanted_up(now))
    if not up:
        return refused("everything that should run does, or has come to a good end")
    return cmd.BlastRadius(
        summary=f"{tasks(len(up))} started", runs_again=thrown_away(now, up), goes_stale=stale_after(now, up)
    )
