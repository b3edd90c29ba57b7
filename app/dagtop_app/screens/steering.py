"""The keys that act on tasks and on the run: ask what would be lost, send the command, undo."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING

import msgspec
from dagtop.core import commands as do
from dagtop.core.snapshot import RunSnapshot, TaskRow
from dagtop.core.states import RUN_OVER, RunState, TaskState

from dagtop_app.bridge import Bridge
from dagtop_app.lines import Line
from dagtop_app.screens import edit, form, questions
from dagtop_app.screens.popup import Popup, Question
from dagtop_app.settings.config import Confirm
from dagtop_app.steering import asking, filling, node_commands
from dagtop_app.tasks.marks import whom
from dagtop_app.text import name_of

if TYPE_CHECKING:
    from textual.screen import Screen

    _Screen = Screen[None]
else:  # the dozen mix-ins from here up to the main screen are no widgets: Textual takes a while to make one
    _Screen = object


class Steering(_Screen):
    """What the console's screen can do to a run. `bridge`, `selected_row` and `chosen_rows` come from the screen itself."""

    bridge: Bridge
    confirm = Confirm()
    """Which questions are asked."""

    @property
    def selected_row(self) -> TaskRow | None:
        """The task under the cursor."""
        raise NotImplementedError

    @property
    def chosen_rows(self) -> Sequence[TaskRow]:
        """The tasks that keys act on, in the graph's order: those that are marked, or else the one under the cursor."""
        raise NotImplementedError

    def draw_word(self) -> None:
        """Show `bridge.word` now."""
        raise NotImplementedError

    @property
    def snapshot(self) -> RunSnapshot:
        """The latest one."""
        return self.bridge.snapshot

    def _chosen(self) -> TaskRow | None:
        row = self.selected_row
        if row is None:
            self.bridge.refuse("no task is selected")
            self.draw_word()
        return row

    def _all_chosen(self) -> Sequence[TaskRow]:
        rows = self.chosen_rows
        if not rows:
            self.bridge.refuse("no task is selected")
            self.draw_word()
        return rows

    def _would(self, make: Callable[[str], do.Command]) -> bool:
        """Whether a command would do something for one of the chosen tasks."""
        commands = [make(row.name) for row in self.chosen_rows]
        return bool(commands) and not node_commands.together(self.snapshot, commands).radius.refusal

    def send(self, command: do.Command, saying: str) -> None:
        """Send a command; one for a node goes to all the tasks in it that it makes sense for."""
        made = node_commands.orders(self.snapshot, command)
        if made is None:
            self.bridge.send(command, saying)
        elif made.radius.refusal:
            self.bridge.refuse(f"{command.verb}: {made.radius.refusal}")
        else:
            self.bridge.send_all(made.commands, saying, told=made.told)

    def give(self, command: do.Command, saying: str) -> None:
        """Send a command; where it would lose something, ask first."""
        radius = node_commands.radius_of(self.snapshot, command)
        if radius.refusal:
            self.bridge.refuse(f"{command.verb}: {radius.refusal}")
        elif asking.is_asked(self.confirm, self.snapshot, command, radius):
            self._ask(command, radius, saying)
        else:
            self.send(command, saying)
        self.draw_word()

    def give_all(self, commands: Sequence[do.Command], saying: str) -> None:
        """Send commands for several tasks as one; where they would lose something, ask once, about all of them."""
        if len(commands) == 1:
            self.give(commands[0], saying)
            return
        radius = node_commands.together(self.snapshot, commands).radius
        if radius.refusal:
            self.bridge.refuse(f"{commands[0].verb}: {radius.refusal}")
        elif asking.is_asked(self.confirm, self.snapshot, commands[0], radius):
            self._ask_all(commands, radius, saying)
        else:
            self.send_all(commands, saying)
        self.draw_word()

    def send_all(self, commands: Sequence[do.Command], saying: str) -> None:
        """Send what would not be refused as things are now."""
        made = node_commands.together(self.snapshot, commands)
        if made.radius.refusal:
            self.bridge.refuse(f"{commands[0].verb}: {made.radius.refusal}")
        else:
            self.bridge.send_all(made.commands, saying, told=made.told)

    def _ask_all(self, commands: Sequence[do.Command], radius: do.BlastRadius, saying: str) -> None:
        def reasoned(why: str) -> None:
            self.send_all([msgspec.structs.replace(command, reason=why) for command in commands], saying)

        def answered(answer: str | None) -> None:
            if answer == "yes":
                self.send_all(commands, saying)
            elif answer == "only":
                self.send_all([do.RestartTask(it.task) for it in commands if isinstance(it, do.RestartTask)], saying)
            elif answer == "why":
                self.ask_why(questions.title_of_all(commands), reasoned)
            else:
                self.bridge.say("nothing was changed")
            self.draw_word()

        ask = partial(questions.question_of_all, commands=tuple(commands))
        self.put(ask, answered, grave=bool(radius.stops or radius.never_runs))

    def order(self, make: Callable[[str], do.Command], doing: str, after: str = "") -> None:
        """Give a command for each chosen task; `doing` says it, as in "cancelling"."""
        rows = self._all_chosen()
        if rows:
            names = [row.name for row in rows]
            self.give_all([make(name) for name in names], f"{doing} {whom(names, name_of(names[0], 60))}{after}")

    def refused(self, command: do.Command) -> bool:
        """Whether a command would be refused as things are; then it is said why."""
        reason = node_commands.radius_of(self.snapshot, command).refusal
        if reason:
            self.bridge.refuse(f"{command.verb}: {reason}")
            self.draw_word()
        return bool(reason)

    def send_if(self, command: do.Command, saying: str) -> None:
        """Send a command about which a person has been asked; if it would be refused by now, say so."""
        if not self.refused(command):
            self.send(command, saying)

    def _ask(self, command: do.Command, radius: do.BlastRadius, saying: str) -> None:
        def answered(answer: str | None) -> None:
            if answer == "only" and isinstance(command, do.RestartTask):
                self.send(do.RestartTask(task=command.task), saying)
            elif answer == "yes":
                self.send(command, saying)
            elif answer == "why":
                self.ask_why(
                    questions.command_title(command),
                    lambda why: self.send(msgspec.structs.replace(command, reason=why), saying),
                )
            else:
                self.bridge.say("nothing was changed")
            self.draw_word()

        self.put(partial(questions.question, command=command), answered, grave=bool(radius.stops or radius.never_runs))

    def put(
        self,
        ask: Callable[[RunSnapshot], Question],
        answered: Callable[[str | None], None],
        *,
        grave: bool,
        every_second: bool = False,
    ) -> None:
        """Put a question that keeps up with the run while it is open; with `every_second` also with its clock."""
        renew = questions.Renewal(ask, lambda: self.snapshot, every_second=every_second)
        self.app.push_screen(Popup(*ask(self.snapshot), grave=grave, renew=renew), answered)

    def ask_why(self, title: str, send: Callable[[str], object], lines: Sequence[Line] = ()) -> None:
        """Ask for a reason, which may be empty, and go on with it."""

        def typed(why: str | None) -> None:
            if why is None:
                self.bridge.say("nothing was changed")
            else:
                send(why)
            self.draw_word()

        fields = {"why": filling.Field("", "may be empty; is kept with the run")}
        self.app.push_screen(form.Form(title, fields, filling.reason, lines=lines), typed)

    def action_cancel(self) -> None:
        """Cancel the chosen tasks."""
        self.order(do.CancelTask, "cancelling")

    def action_abandon(self) -> None:
        """Wait no longer for the chosen tasks that were told to stop and did not; tell the others to."""
        rows = self.chosen_rows
        if rows and not any(row.state is TaskState.CANCELLING for row in rows):
            self.order(do.CancelTask, "cancelling", "; X again waits for it no longer" if len(rows) == 1 else "")
        else:
            self.order(do.AbandonTask, "abandoning")

    def action_restart(self, downstream: bool) -> None:
        """Restart the chosen tasks, perhaps with everything after them."""
        them = "it" if len(self.chosen_rows) == 1 else "them"
        after = f" and everything after {them}" if downstream else ""
        self.order(partial(do.RestartTask, downstream=downstream), "restarting", after)

    def action_hold(self) -> None:
        """Hold the chosen tasks, or release them if there is nothing more to hold."""
        rows = self.chosen_rows
        release = len(rows) == 1 and rows[0].held
        if not release and len(rows) > 1:
            release = any(row.held for row in rows) and not self._would(do.HoldTask)
        if release:
            self.order(do.ReleaseTask, "releasing")
        else:
            self.order(do.HoldTask, "holding")

    def action_step(self) -> None:
        """Release exactly one task that is held: the chosen one, or the first that would start at once."""
        held = [row for row in self.chosen_rows if row.held and row.gate is None]
        if not held:
            rows, order = self.snapshot.rows, self.snapshot.plan.order
            held = [rows[index] for index in order if rows[index].held and rows[index].gate is None]
        if not held:
            self.bridge.refuse("nothing is held; p holds a task before it starts")
            self.draw_word()
            return
        row = next((row for row in held if row.state is TaskState.HELD), held[0])
        left = sum(1 for it in self.snapshot.rows if it.held and it.gate is None) - 1
        self.give(do.ReleaseTask(row.name), f"stepping: {name_of(row.name, 60)} is released, {left:,} still held")

    def action_limit(self, step: int) -> None:
        """More or fewer at once."""
        limit = max(0, self.snapshot.max_parallel + step)
        self.give(do.SetMaxParallel(limit=limit), f"max_parallel {self.snapshot.max_parallel} → {limit}")

    def action_pause(self) -> None:
        """Pause the run, or go on."""
        if self.snapshot.state in (RunState.PAUSED, RunState.DRAINING):
            self.give(do.ContinueRun(), "going on")
        else:
            self.give(do.PauseRun(), "pausing the run")

    def action_drain(self) -> None:
        """Let what runs finish, then end."""
        self.give(do.DrainRun(), "draining")

    def action_cancel_run(self) -> None:
        """Stop everything."""
        self.give(do.CancelRun(), "cancelling the run")

    def action_undo(self) -> None:
        """Take the latest live edit back."""
        self.bridge.undo()
        self.draw_word()

    def action_retry_failed(self) -> None:
        """Run again all that failed."""
        self.give(do.RetryFailed(), "running again what failed")

    def action_edit(self) -> None:
        """Change the policy of the chosen tasks; of a task with replicas, and of a node, that of those that run."""
        chosen = self._all_chosen()
        if not chosen:
            return
        rows = node_commands.kept_rows(self.snapshot, chosen)

        def typed(commands: Sequence[do.SetPolicy] | None) -> None:
            if not commands:
                self.bridge.say("nothing was changed")
                self.draw_word()
            else:
                names = [command.task for command in commands]
                self.give_all(commands, f"changing {whom(names, name_of(names[0], 60))}")

        self.app.push_screen(edit.EditDialog(self.snapshot, rows), typed)

    @property
    def may_steer(self) -> bool:
        """Whether the run still goes on."""
        return self.snapshot.state not in RUN_OVER
