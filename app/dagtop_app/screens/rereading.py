"""The key that reads the graph file again: what is different is shown, and applied if a person says so."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from dagtop.core.states import RUN_OVER
from dagtop.errors import DagtopError

from dagtop_app.lines import Line
from dagtop_app.reloading import next_run
from dagtop_app.screens.grouped import Grouped
from dagtop_app.screens.popup import Choice, Popup
from dagtop_app.text import clean, plural, wrap

if TYPE_CHECKING:
    from dagtop_app.reloading.file import Difference, Reloader
    from dagtop_app.reloading.next_run import NextRun
    from dagtop_app.reloading.schedule import RereadForNextRun

_STYLES = {"+": "good", "~": "retry", "-": "fail", ">": "wait", "=": "wait"}


class Rereading(Grouped):
    """What becomes of a changed file."""

    reloader: Reloader | RereadForNextRun | None = None
    """None: the run is not of one that can be read again."""
    file_changed = False
    """Set, from any thread, when the file was written and is to be read."""
    _file_question: Popup | None = None

    def action_reload(self) -> None:
        """Read the graph file again."""
        if self.reloader is None:
            self.bridge.refuse("this run has no file of its own that could be read again")
        elif self.leaving:
            self.bridge.refuse("the console is about to leave")
        elif self.reloader.begin():
            self.bridge.say("reading the file again…")
        self.draw_word()

    def hear_of_file(self) -> None:
        """It was written. From any thread."""
        self.file_changed = True

    def check_file(self) -> None:
        """Ten times a second: whether the file was written, and what came of reading it."""
        reloader = self.reloader
        if reloader is None or self.leaving:
            return
        if self.file_changed and self._file_question is None and not reloader.is_busy:
            self.file_changed = False
            reloader.begin()
        answer = reloader.take()
        if answer is None:
            return
        if isinstance(answer, str):
            self._tell_why_not(answer)
        elif isinstance(answer, next_run.NextRun):
            self._tell_of_next_run(answer)
        elif answer.plan.is_empty:
            self.bridge.say("the file says what it said: nothing is different")
        else:
            self._ask_about(cast("Reloader", reloader), answer)
        self.draw_word()

    def _tell_of_next_run(self, found: NextRun) -> None:
        """Of a graph with a schedule: nothing that runs is touched."""
        if self.bridge.has_not_begun:
            self.bridge.attach(found.idle)
            self.on_attached()
        if found.text:
            self.bridge.say(f"the next run is of the file as it is now: {found.text}")
        else:
            self.bridge.say("the file says what it said: nothing is different")

    def on_attached(self) -> None:
        """Another engine."""
        raise NotImplementedError

    def _tell_why_not(self, why: str) -> None:
        self.bridge.refuse(f"the run goes on as it was: {why.splitlines()[0]}")
        lines: list[Line] = [((clean(part, 200), ""),) for line in why.splitlines() for part in wrap(line, 84)]
        lines += [(), (("Everything goes on as it was.", "dim"),)]
        ok = Choice(("enter", "escape", "n", "y"), "⏎", "Go on", "no", "strong")
        self.app.push_screen(Popup("The file cannot be taken over", lines, [ok], grave=True))

    def _ask_about(self, reloader: Reloader, found: Difference) -> None:
        def answered(answer: str | None) -> None:
            self._file_question = None
            if answer != "yes":
                self.bridge.say("nothing was changed")
            else:
                try:
                    self.bridge.send(reloader.command(found), "going on with the new version")
                except DagtopError as error:
                    self.bridge.refuse(str(error))
            self.draw_word()

        stops = bool(found.again or found.plan.removed)
        yes = Choice(("y", "enter"), "⏎/y", "Go on with it", "yes", "strong")
        no = Choice(("n", "escape"), "esc", "Keep everything as it is", "no", "dim")
        self._file_question = Popup("The file has changed", self._lines(reloader, found), [yes, no], grave=stops)
        self.app.push_screen(self._file_question, answered)

    def _lines(self, reloader: Reloader, found: Difference) -> list[Line]:
        lines: list[Line] = []
        for line in reloader.lines(found):
            style = _STYLES.get(line[:1], "dim")
            lines += [((part, style),) for part in wrap(line, 84)]
        if found.again:
            verb = "stops and starts" if len(found.again) == 1 else "stop and start"
            done = "runs" if len(found.again) == 1 else "run"
            what = f"{plural(len(found.again), 'task')} {verb if found.supervised else done} again"
            lines += [(), ((what, "retry"),)]
        if self.snapshot.state in RUN_OVER and not found.supervised:
            lines.append((("The run is over; with this it goes on.", "dim"),))
        return lines
