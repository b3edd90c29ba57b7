"""Commands, and what circuit breakers did, in words."""

from __future__ import annotations

from dagtop.core import commands as cmd


def command_text(command: cmd.Command) -> str:
    """A command as a person would say it: "restart load_orders and everything after it"."""
    match command:
        case cmd.RestartTask(task, downstream):
            return f"restart {task}{' and everything after it' if downstream else ''}"
        case cmd.AbandonTask(task):
            return f"wait no longer for {task}"
        case cmd.CancelTask(task) | cmd.HoldTask(task) | cmd.ReleaseTask(task):
            return f"{command.verb} {task}"
        case cmd.CancelRun(reason):
            return f"cancel the run: {reason}"
        case cmd.AbandonRun():
            return "abandon what does not stop, and end the run"
        case cmd.SetMaxParallel(limit):
            return f"set max_parallel to {limit}"
        case cmd.SetPolicy(task):
            changes = {f: getattr(command, f) for f in command.__struct_fields__ if f != "task"}
            return f"set {', '.join(f'{f}={v!r}' for f, v in changes.items() if v is not None)} of {task}"
        case cmd.SetBreaker(name):
            changes = {f: getattr(command, f) for f in command.__struct_fields__ if f != "breaker"}
            return f"set {', '.join(f'{f}={v!r}' for f, v in changes.items() if v is not None)} of breaker {name}"
        case cmd.AcknowledgeEscalation(number):
            return f"{'no longer look' if command.withdraw else 'look'} after escalation {number}"
        case cmd.PauseRun() | cmd.ContinueRun() | cmd.DrainRun():
            return f"{command.verb} the run"
        case _:  # a command that is newer than this function
            return command.verb


def move_text(state: str, *, forced: bool) -> str:
    """What a breaker did, in words."""
    if forced:
        return f"held {state.replace('_', '-')}" if state else "let go"
    return state.replace("_", "-") or "other settings"
