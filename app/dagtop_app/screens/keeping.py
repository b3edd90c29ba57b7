"""The keys for tasks that are kept at a desired state: up or down, by which policy, in how many copies."""

from __future__ import annotations

from dagtop.core import commands as do
from dagtop.core.restart import RestartPolicy
from dagtop.core.states import FINAL, GOOD

from dagtop_app.screens import form, questions
from dagtop_app.screens.deciding import Deciding
from dagtop_app.screens.popup import Popup
from dagtop_app.steering import filling, node_commands
from dagtop_app.tasks import upkeep
from dagtop_app.tasks.marks import whom
from dagtop_app.text import name_of


class Keeping(Deciding):
    """What is wanted of tasks, and how they are kept at it."""

    def action_down(self) -> None:
        """Have the chosen tasks stay down; if they are down, or have ended badly, start them again."""
        rows = node_commands.kept_rows(self.snapshot, self.chosen_rows)
        rows = [row for row in rows if row.state not in GOOD or row.policy.restart.is_on] or rows  # jobs that are done
        if all(not row.wanted or (row.state in FINAL and row.state not in GOOD) for row in rows):
            self.order(do.StartTask, "starting")
        else:
            self.order(do.StopTask, "stopping")

    def action_policy(self) -> None:
        """The restart policy of the chosen tasks; the cursor stands on that of now."""
        rows = self._all_chosen()
        if not rows:
            return
        names = [row.name for row in rows]
        kept = node_commands.kept_rows(self.snapshot, rows)
        same = len({str(row.policy.restart.policy) for row in kept}) == 1
        now = RestartPolicy(kept[0].policy.restart.policy)
        words = {
            policy.value: meaning + (" · now" if policy is now and same else "")
            for policy, meaning in upkeep.POLICIES.items()
        }
        choices, at = questions.menu(words, now.value)

        def chosen(policy: str | None) -> None:
            if policy is None or (same and policy == now):
                self.bridge.say("nothing was changed")
                self.draw_word()
            else:
                changed = [
                    row.name
                    for row in rows
                    if any(one.policy.restart.policy != policy for one in node_commands.kept_rows(self.snapshot, [row]))
                ]
                saying = f"{whom(changed, name_of(changed[0], 50))}: {f'{now} ' if same else ''}→ {policy}"
                self.give_all([do.SetPolicy(task, restart=policy) for task in changed], saying)

        title = f"When {'is' if len(names) == 1 else 'are'} {whom(names, name_of(names[0], 40))} started again?"
        self.app.push_screen(Popup(title, [], choices, pick=True, at=at, note="⏎ takes · u undoes it · esc"), chosen)

    def action_scale(self) -> None:
        """How many replicas there are of the selected task."""
        row = self._chosen()
        if row is None:
            return
        task = upkeep.whole_of(self.snapshot, row.name)
        now, name = upkeep.replicas_of(self.snapshot, task), name_of(task, 50)
        if now is None:
            self.bridge.refuse(f"{name} has no replicas; it is declared with replicas=N")
            self.draw_word()
            return
        if self.snapshot.plan.nodes:
            self.bridge.refuse(
                f"in a graph of graphs the number of replicas is that of the file: replicas={now} of {name}"
            )
            self.draw_word()
            return

        def typed(wanted: int | None) -> None:
            if wanted is None:
                self.bridge.say("nothing was changed")
            else:
                self.give(do.ScaleTask(task, wanted), f"{name}: {now} → {wanted} replicas")
            self.draw_word()

        fields = {"replicas": filling.Field(str(now), "the last ones come and go")}
        self.app.push_screen(
            form.Form(f"Copies of {name}", fields, filling.replicas(now, name), last="u undoes it"), typed
        )

    def action_start_run(self) -> None:
        """Start all that should run and does not."""
        self.give(do.StartRun(), "starting what should run")

    def action_cancel_run(self) -> None:
        """Stop everything; services that were stopped so are started again."""
        if self.bridge.is_over and upkeep.keeps(self.snapshot):
            self.action_start_run()
        else:
            super().action_cancel_run()
