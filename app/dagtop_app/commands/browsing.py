"""`dagtop runs --open`: the list of runs that were kept, in the console, without a run of its own."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from dagtop.core.commands import Command
from dagtop.core.snapshot import EMPTY
from dagtop.observe.logs import LogBook
from dagtop.observe.story import Story
from textual.screen import Screen

from dagtop_app.bridge import Idle
from dagtop_app.commandline.options import UsageError
from dagtop_app.commandline.signals import Signals
from dagtop_app.console import ConsoleApp
from dagtop_app.launching.farewell import exit_code
from dagtop_app.runs.kept import History
from dagtop_app.screens.run_list import RunList
from dagtop_app.settings import places as settings
from dagtop_app.settings.theming import watching_themes
from dagtop_app.terminal.console_signals import answered
from dagtop_app.terminal.streams import own_terminal


class NoRun(Idle):
    """Stands where an engine is elsewhere: there is no run, and none will come."""

    def __init__(self) -> None:
        self.latest, self.logs, self.story = EMPTY, LogBook(), Story()
        self.result: Any = None
        self.error: BaseException | None = None

    def send(self, command: Command, *, by: str) -> int:
        """Nobody to give it to."""
        return 0

    def where(self, task: str) -> str:
        """Nowhere."""
        return "there is no run"

    def close(self) -> None:
        """Nothing to close."""

    def join(self, timeout: float | None = None) -> bool:
        """It has ended already."""
        return True


class Browser(ConsoleApp):
    """The console with nothing but the list, and the runs that are played from there."""

    def __init__(self, journal: History, *, text: str = "", **options: Any) -> None:
        super().__init__(NoRun(), title="dagtop runs", **options)
        self.list = RunList(journal, text=text)

    def get_default_screen(self) -> Screen[None]:
        """The list."""
        return self.list

    def hear_signal(self, number: int) -> None:
        """There is nothing to be asked about: leave."""
        self.hear(number)

    def tell_of_settings(self, problems: Sequence[str]) -> None:
        """In the list's own line."""
        if problems:
            self.list.say("; ".join(problems), "bad")


def browse_command(db: Path | None, text: str, signals: Signals) -> int:
    """Show the list until the user leaves.

    Raises
    ------
    UsageError: there is no terminal to show it on.
    """
    if not settings.wants_console(stdin=sys.stdin.isatty(), stdout=sys.stdout.isatty()):
        raise UsageError("--open needs a terminal; without it the runs are listed")
    app = Browser(settings.journal_at(db), text=text)
    signals.restore()
    with (
        own_terminal(lambda stream, line: None, for_textual=True),
        answered(app.hear_signal),
        watching_themes(app.setting.themes, app.hear_of_themes),
    ):
        app.run(mouse=app.setting.config.mouse)
    code = 0 if app.terminated is None else exit_code(EMPTY.state, terminated=app.terminated, broken=False)
    signals.end_with(code)
    return app.return_code or code
