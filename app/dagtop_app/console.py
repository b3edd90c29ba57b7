"""The console: a Textual app in front of an engine that runs in a thread of its own."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable, Iterable
from contextlib import nullcontext
from typing import TYPE_CHECKING, ClassVar, TextIO

import dagtop_themes
from dagtop.core import commands as do
from rich.console import Console
from textual.app import App, SystemCommand
from textual.binding import Binding, BindingType
from textual.screen import Screen
from textual.theme import Theme
from textual.widget import Widget

from dagtop_app.bridge import Bridge, Engine, settled
from dagtop_app.commands import ActionProvider, TaskProvider
from dagtop_app.farewell import exit_code, farewell
from dagtop_app.screens.main import MainScreen
from dagtop_app.signals import name_of_signal

if TYPE_CHECKING:
    from dagtop_app.reloading import Reloader
    from dagtop_app.timekeeper import Keeper

#: Where a theme that is not ours gets the colours of our style classes from.
_FALLBACK = {
    "run": "text-primary", "queue": "text-accent", "wait": "text-muted", "retry": "text-warning", "ok": "text-success",
    "fail": "text-error", "block": "text-secondary", "skip": "text-muted", "stop": "text-secondary", "held": "text-accent",
    "dim": "text-muted", "faint": "text-muted", "rule": "panel-lighten-2", "bar": "panel-lighten-2", "key": "text-accent",
    "cursor": "panel", "chip": "panel",
}  # fmt: skip

#: Seconds after which a thread that computes must let another one have the interpreter. With Python's own 5 ms and six tasks that
#: compute, each key press waited for all six at every turn: 3 s to the first paint, a second from key to screen.
_SWITCH = 0.0005

#: The theme that needs no choice.
FIRST = "dagtop-dark"

#: Seconds that the engine gets to end after the console has closed.
_GRACE = 10.0


class ConsoleApp(App[None]):
    """The whole of the terminal."""

    CSS = dagtop_themes.stylesheet()
    TITLE = "dagtop"
    COMMANDS: ClassVar[set[type | Callable[[], type]]] = {ActionProvider, TaskProvider}
    ENABLE_COMMAND_PALETTE = True
    BINDINGS: ClassVar[list[BindingType]] = [
        # Textual's own ctrl+q and ctrl+c would leave, or tell how to, over our heads.
        Binding("ctrl+q", "leave", "Quit", show=False, priority=True, id="app.leave"),
        Binding("ctrl+c", "leave", "Quit", show=False, id="app.interrupt"),
    ]

    def __init__(
        self,
        engine: Engine,
        *,
        title: str,
        theme: str | None = None,
        now: Callable[[], float] = time.monotonic,
        begin: Callable[[], None] | None = None,
        keeper: Keeper | None = None,
    ) -> None:
        colourless = "NO_COLOR" in os.environ
        self._first = "" if colourless or theme not in {None, FIRST} else FIRST
        super().__init__(ansi_color=True if colourless else None)
        # A crash is told on the terminal: stderr may be a pipe that leads into our own logs.
        self.error_console = Console(file=sys.__stderr__, markup=False, highlight=False)
        self.bridge = Bridge(engine, now=now)
        self.main = MainScreen(self.bridge, title, now=now, keeper=keeper)
        self.terminated: int | None = None
        """The signal that told us to end, if one did."""
        self._begin = begin
        if not self._first:
            wanted = "ansi-dark" if colourless else theme or FIRST
            self.theme = wanted if wanted in self.available_themes else FIRST

    def _register_palettes(self) -> None:
        """Called when Textual asks for the first colours, so that the style sheet is not read in its own ones before."""
        for palette in dagtop_themes.palettes():
            self.register_theme(theme_of(palette))
        if self._first:
            self.set_reactive(App.theme, self._first)
            self.add_class(f"-theme-{self._first}", update=False)

    def get_css_variables(self) -> dict[str, str]:
        """Textual's, and for every theme the colours of our style classes."""
        if FIRST not in self.available_themes:
            self._register_palettes()
        variables = super().get_css_variables()
        for name, source in _FALLBACK.items():
            variables.setdefault(f"dt-{name}", variables[source])
        return variables

    def get_default_screen(self) -> Screen[None]:
        """Ours."""
        return self.main

    def get_system_commands(self, screen: Screen[object]) -> Iterable[SystemCommand]:
        """None of Textual's: ours are in the list of actions."""
        return ()

    def on_mount(self) -> None:
        """A signal from outside must leave the terminal as it was. The run begins once there is something to see."""
        self.theme_changed_signal.subscribe(self, self._repaint)
        if self._begin is not None:
            self.call_after_refresh(self._begin)
        loop = self._loop
        if loop is None:
            return
        for number in (signal.SIGTERM, signal.SIGHUP):
            if signal.getsignal(number) is signal.SIG_IGN:  # as under nohup
                continue
            try:
                loop.add_signal_handler(number, self._terminate, number)
            except (ValueError, RuntimeError, NotImplementedError):  # not the main thread, or not this platform
                return

    def _repaint(self, _: Theme) -> None:
        """Widgets know their own colours, but not those of the style classes in them."""
        for screen in self.screen_stack:
            for widget in screen.walk_children(Widget):
                widget.refresh()

    def _terminate(self, number: int) -> None:
        if self.terminated is None and not (self.main.keeper is not None and self.bridge.is_over):
            self.terminated = number
        reason = f"interrupted by {name_of_signal(number)}"
        self.main.leave_after(do.CancelRun(reason=reason), "signal", "told to end: stopping everything")
        self.set_timer(_GRACE, self.exit)

    async def action_leave(self) -> None:
        """Ctrl+q and Ctrl+c anywhere: what q does; again, the stronger thing."""
        if self.screen is self.main:
            if self.main.leaving:
                self.main.leaving = "now"
                self.exit()
            else:
                self.main.action_quit()


def theme_of(palette: dagtop_themes.Palette) -> Theme:
    """A palette as Textual wants it."""
    base = palette.base
    return Theme(
        name=palette.name,
        dark=palette.dark,
        primary=base["primary"],
        secondary=base["secondary"],
        accent=base["accent"],
        success=base["success"],
        warning=base["warning"],
        error=base["error"],
        foreground=base["foreground"],
        background=base["background"],
        surface=base["surface"],
        panel=base["panel"],
        variables={f"dt-{name}": colour for name, colour in palette.states.items()},
    )


def run_console(
    engine: Engine,
    *,
    title: str,
    theme: str | None = None,
    report: str = "",
    resume: str = "",
    summary: TextIO | None = None,
    now: Callable[[], float] = time.monotonic,
    begin: Callable[[], None] | None = None,
    keeper: Keeper | None = None,
    reloader: Reloader | None = None,
    watch_file: bool = False,
) -> int:
    """Show the console for an engine until the user leaves; returns the exit code.

    `begin` starts the engine, after the first paint: tasks that keep the interpreter busy would delay it by seconds, and
    what they print must find Textual's streams in place. Without it the engine was started before.

    With a `keeper` the engine is the first of several; the summary and the exit code are those of the latest, and `resume` lacks
    the id of the run.

    With a `reloader` the file is read again by a key, and with `watch_file` when it is written.

    After the screen is back to normal a summary is written to `summary` (stderr). The engine is closed and given ten
    seconds to end, unless the user left at once: then it may still run, and the caller ends the process all the same.
    """
    app = ConsoleApp(engine, title=title, theme=theme, now=now, begin=begin, keeper=keeper)
    app.main.reloader = reloader
    patience = sys.getswitchinterval()
    sys.setswitchinterval(_SWITCH)
    watching = reloader.watching(app.main.hear_of_file) if reloader is not None and watch_file else nullcontext()
    try:
        with watching:
            app.run()
    finally:
        sys.setswitchinterval(patience)
    engine = app.bridge.engine
    if app.return_code == 1 and app.main.leaving == "":  # Textual's own crash; it has shown the traceback
        broken = engine.error is None and app._exception is not None
        if broken:
            engine.send(do.CancelRun(reason="the console broke down"), by="console")
    engine.close()
    ended = app.main.leaving != "now" and engine.join(_GRACE)
    snapshot = settled(engine.latest)
    if app.bridge.has_not_begun:
        print(f"{title}: nothing was due yet; nothing ran", file=summary if summary is not None else sys.stderr)
        return 1 if app.return_code == 1 else 0
    if keeper is not None and resume:
        resume = f"{resume} {snapshot.run}"
    print(
        farewell(snapshot, title=title, report=report, resume=resume, error=engine.error),
        file=summary if summary is not None else sys.stderr,
    )
    if not ended and app.terminated is None:
        return 130 if engine.error is None else 1
    return exit_code(snapshot.state, terminated=app.terminated, broken=engine.error is not None)
