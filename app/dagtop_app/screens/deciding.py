"""The keys that take a person's word for it: gates, marks, breakers, pools; and that ask a task where it is."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING

from dagtop.core import commands as do

from dagtop_app.lines import Line
from dagtop_app.screens import form, questions
from dagtop_app.screens.marking import Marking
from dagtop_app.screens.popup import Popup, Question
from dagtop_app.steering import filling, guard_texts
from dagtop_app.tasks.marks import whom
from dagtop_app.tasks.tally import at_gates
from dagtop_app.text import clean, name_of

if TYPE_CHECKING:
    from dagtop_app.steering.filling import Marked

#: Polls of the screen between two looks at where a task is.
_LOOKS = 5

_MARKS = {
    "succeeded": "give its output yourself, and go on with what is downstream",
    "skipped": "do not run it; what needs its output is skipped too",
}


class Deciding(Marking):
    """What is asked of a person, or said by one instead of by running."""

    # -- gates -----------------------------------------------------------------------------------------------

    def action_gate(self) -> None:
        """Decide at the gate of the selected task; if it stands at none, at the one that waits longest."""
        row, gates = self.selected_row, at_gates(self.snapshot)
        if not gates:
            self.bridge.refuse("no task stands at a gate")
            self.draw_word()
            return
        task = row.name if row is not None and row.index in gates else self.snapshot.rows[gates[0]].name

        def answered(answer: str | None) -> None:
            if answer in {"approve", "reject"}:
                self._decide(task, approve=answer == "approve")
            else:
                self.bridge.say("nothing was decided")
                self.draw_word()

        self.put(partial(guard_texts.gate_question, task=task), answered, grave=False, every_second=True)

    def _decide(self, task: str, *, approve: bool) -> None:
        name = name_of(task, 50)
        kind, doing = (do.ApproveTask, "approving") if approve else (do.RejectTask, "rejecting")
        self.ask_why(
            f"{'Approve' if approve else 'Reject'} {name}", lambda why: self.send_if(kind(task, why), f"{doing} {name}")
        )

    # -- by a person's word ----------------------------------------------------------------------------------

    def action_mark(self, how: str = "") -> None:
        """Take the chosen tasks as succeeded, or skip them."""
        names = [row.name for row in self._all_chosen()]
        if not names:
            return
        if not how:
            choices, at = questions.menu(_MARKS, "succeeded")
            title = f"Mark {whom(names, name_of(names[0], 50))} as"
            popup = Popup(title, [], choices, pick=True, at=at, note="⏎ takes · esc")
            self.app.push_screen(popup, lambda chosen: self.mark(names, chosen))
        else:
            self.mark(names, how)

    def mark(self, tasks: Sequence[str], how: str | None) -> None:
        """Go on with what was chosen."""
        match how:
            case "succeeded":
                self._mark_succeeded(tasks)
            case "skipped":
                skips = [do.SkipTask(task) for task in tasks]
                self.give_all(skips, f"skipping {whom(tasks, name_of(tasks[0], 60))}")
            case _:
                self.bridge.say("nothing was changed")
                self.draw_word()

    def _mark_succeeded(self, tasks: Sequence[str]) -> None:
        if len(tasks) == 1 and self.refused(do.MarkSucceeded(tasks[0])):
            return
        name = whom(tasks, name_of(tasks[0], 50))

        def typed(marked: Marked | None) -> None:
            if marked is None:
                self.bridge.say("nothing was changed")
            elif len(tasks) == 1:
                self.send_if(do.MarkSucceeded(tasks[0], marked.value, marked.reason), f"marking {name}")
            else:
                self.send_all(
                    [do.MarkSucceeded(task, marked.value, marked.reason) for task in tasks], f"marking {name}"
                )
            self.draw_word()

        fields = {
            "value": filling.Field("", "JSON or text; empty: None"),
            "why": filling.Field("", "kept with the run"),
        }
        lines: list[Line] = [
            (("What it would have returned:" if len(tasks) == 1 else "What each would have returned:", "dim"),)
        ]
        self.app.push_screen(form.Form(f"Mark {name} as succeeded", fields, filling.mark, lines=lines), typed)

    # -- breakers and pools ----------------------------------------------------------------------------------

    def action_breaker(self) -> None:
        """The breaker of the selected task, or one to pick."""
        row = self.selected_row
        known = [view.name for view in self.snapshot.breakers]
        if not known:
            self.bridge.refuse("no task asks a circuit breaker")
            self.draw_word()
        elif row is not None and row.policy.circuit in known:
            self._breaker(row.policy.circuit)
        elif len(known) == 1:
            self._breaker(known[0])
        else:
            popup = Popup("Breakers", [], guard_texts.breaker_menu(self.snapshot), pick=True, note="⏎ takes · esc")
            self.app.push_screen(popup, lambda name: self._breaker(name) if name is not None else None)

    def _breaker(self, name: str) -> None:
        shown = clean(name, 60)

        def answered(answer: str | None) -> None:
            match answer:
                case "trip":
                    self.give(do.TripBreaker(name), f"opening breaker {shown}")
                case "reset":
                    self.give(do.ResetBreaker(name), f"closing breaker {shown}")
                case "open" | "closed" | "half_open":
                    self.give(do.ForceBreaker(name, answer), f"holding breaker {shown}")
                case "let-go":
                    self.give(do.ForceBreaker(name, ""), f"letting breaker {shown} go")
                case _:
                    self.bridge.say("nothing was changed")
                    self.draw_word()

        self.put(partial(guard_texts.breaker_question, name=name), answered, grave=False, every_second=True)

    def action_pool(self) -> None:
        """The limit of the selected task's pool, or of one to pick."""
        row, pools = self.selected_row, guard_texts.pools_of(self.snapshot)
        if not pools:
            self.bridge.refuse("the run has no pools")
            self.draw_word()
        elif row is not None and row.policy.pool in pools:
            self._pool(row.policy.pool)
        elif len(pools) == 1:
            self._pool(next(iter(pools)))
        else:
            popup = Popup("Pools", [], guard_texts.pool_menu(self.snapshot), pick=True, note="⏎ takes · esc")
            self.app.push_screen(popup, lambda name: self._pool(name) if name is not None else None)

    def _pool(self, name: str) -> None:
        used, now = guard_texts.pools_of(self.snapshot)[name]
        shown = clean(name, 50)

        def typed(limit: int | None) -> None:
            if limit is None:
                self.bridge.say("nothing was changed")
            else:
                self.give(do.SetPoolLimit(name, limit), f"pool {shown} {now} → {limit}")
            self.draw_word()

        fields = {"limit": filling.Field(str(now), f"{used} in use now")}
        self.app.push_screen(
            form.Form(f"Pool {shown}", fields, filling.limit(now, f"pool {shown}"), last="u undoes it"), typed
        )

    # -- where it is -----------------------------------------------------------------------------------------

    def action_where(self) -> None:
        """Where the selected task is now, looked at again and again while it is shown."""
        row = self._chosen()
        if row is None:
            return
        task, title = row.name, f"Where {name_of(row.name, 60)} is now"
        cells = max(30, self.app.size.width * 94 // 100 - 10)
        looks = 0

        def look() -> Question:
            return Question(title, guard_texts.place_lines(self.bridge.engine.where(task), cells), [])

        def again() -> Question | None:
            nonlocal looks
            looks += 1
            return look() if looks % _LOOKS == 0 else None

        self.app.push_screen(Popup(*look(), note="looks again by itself · esc", renew=again))
