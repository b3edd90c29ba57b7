"""The ways out of the console."""

from __future__ import annotations

from dagtop.core import commands as do

from dagtop_app.screens import questions
from dagtop_app.screens.seeking import Seeking


class Leaving(Seeking):
    """How it is left while a run goes on."""

    leaving = ""
    """"drain" or "cancel" once a person has asked to leave when the run has ended."""

    def action_quit(self) -> None:
        """Leave; ask how if the run still goes on."""
        if self.bridge.is_over and self.confirm.quit != "always":
            self.app.exit(return_code=0)
            return
        self.put(questions.quit_question, self._leave, grave=True)

    def _leave(self, how: str | None) -> None:
        match how:
            case "drain":
                self.leave_after(do.DrainRun(), "drain", "draining: leaves when what runs has ended")
            case "cancel":
                self.leave_after(do.CancelRun(), "cancel", "cancelling: leaves when everything has stopped")
            case "now":
                self.leaving = "now"
                self.app.exit(return_code=130)
            case _:
                self.draw()

    def leave_after(self, command: do.Command, how: str, saying: str) -> None:
        """Give a command that ends the run, and leave when it has."""
        if not self.bridge.is_over:
            self.bridge.send(command, saying)
        self.leaving = how
        self.check_leaving()
        self.draw()

    def check_leaving(self) -> None:
        """Leave if the time has come; else say what is waited for."""
        if self.leaving in {"drain", "cancel", "signal"} and self.bridge.is_over:
            self.app.exit(return_code=0)
