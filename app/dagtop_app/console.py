"""The console: a Textual app in front of an engine that runs in a thread of its own."""

from __future__ import annotations

import signal
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any, ClassVar, TextIO, cast

import dagtop_themes
from dagtop.core import commands as do
from rich.console import Console
from textual import events
from textual.binding import Binding, BindingType
from textual.screen import Screen

from dagtop_app.bridge import Bridge, Engine, settled
from dagtop_app.chrome.view_model import is_small
from dagtop_app.commandline.options import OnHangup
from dagtop_app.commandline.signals import name_of_signal
from dagtop_app.launching import farewell, hangup
from dagtop_app.screens.main import MainScreen
from dagtop_app.settings import config, keymap
from dagtop_app.settings.theming import keep_theme, watching_themes
from dagtop_app.terminal.console_signals import Late, answered
from dagtop_app.terminal.manners import Mannered
from dagtop_app.terminal.streams import shield_terminal, tell

if TYPE_CHECKING:
    from dagtop.core.snapshot import RunSnapshot
    from dagtop.runtime.replay import Replay

    from dagtop_app.reloading.file import Reloader
    from dagtop_app.reloading.schedule import RereadForNextRun
    from dagtop_app.reloading.timekeeper import Keeper
    from dagtop_app.runs.kept import History
    from dagtop_app.settings.config import Setting

#: Seconds after which a thread that computes must let another one have the interpreter. With Python's own 5 ms and six tasks that
#: compute, each key press waited for all six at every turn: 3 s to the first paint, a second from key to screen.
_SWITCH = 0.0005

#: Seconds that the engine gets to end after the console has closed.
_GRACE = 10.0


class ConsoleApp(Mannered):
    """The whole of the terminal."""

    CSS = dagtop_themes.stylesheet()
    TITLE = "dagtop"
    ENABLE_COMMAND_PALETTE = False  # ours is another one
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
        setting: Setting | None = None,
    ) -> None:
        self.setting = setting if setting is not None else config.current()
        wanted = theme or self.setting.config.theme
        super().__init__(theme=wanted, themes=self.setting.themes)
        # A crash is told on the terminal: stderr may be a pipe that leads into our own logs.
        self.error_console = Console(file=sys.__stderr__, markup=False, highlight=False)
        self.bridge = Bridge(engine, now=now)
        self.main = screen_for(engine, self.bridge, title, now=now, keeper=keeper)
        self.terminated: int | None = None
        """The signal that told us to end, if one did."""
        self.on_hangup: OnHangup = "cancel"
        self.hung_up = False
        """Whether the terminal has gone."""
        self._begin = begin
        self.has_begun = begin is None
        """Whether the engine was started: of one that was not no end comes."""
        self.main.when_painted = self._begin_run
        self.main.rate = self.setting.config.refresh
        self.main.confirm = self.setting.config.confirm
        self.main.roster.columns = self.setting.config.columns

    async def on_event(self, event: events.Event) -> None:
        """A key that nobody took on its way up may have come before the line that it is meant for had the focus."""
        if isinstance(event, events.Key) and not event.is_forwarded and self._is_blind(event.key):
            return
        if isinstance(event, events.Key) and event.is_forwarded:
            types_early = getattr(self.screen, "types_early", None)
            if types_early is not None and types_early(event):
                return
        await super().on_event(event)

    def _is_blind(self, key: str) -> bool:
        """Whether a key would answer what the terminal has become too small to show."""
        asked = self.screen
        if asked is self.main or getattr(asked, "opened_small", True) or not is_small(*self.size):
            return False
        return key not in {"escape", "ctrl+c", "ctrl+q"}

    def get_default_screen(self) -> Screen[None]:
        """Ours."""
        return self.main

    def on_mount(self) -> None:
        """The run begins once there is something to see."""
        shield_terminal()
        told = self._take_keys()
        self.begin_themes()
        self.tell_of_settings(told)
        self.begin_signs(self.main.source_title)

    def _begin_run(self) -> None:
        if self._begin is not None and not self._exit:
            self.has_begun = True
            self._begin()

    def on_load(self) -> None:
        """A signal may have come before there was anything to end."""
        if self.terminated is not None:
            self.exit()

    def _take_keys(self) -> list[str]:
        """Have the keys as they were set; what is in each other's way is returned, and everything else works."""
        document = self.setting.document
        settings = keymap.key_settings(document) if document is not None and self.setting.config.keys else []
        keys = keymap.keymap(settings)
        keymap.use_keys(keys)
        if keys:
            self.set_keymap(keys)
        return keymap.clashes(settings)

    def tell(self, text: str) -> None:
        """In the line above the footer."""
        foremost = self.screen if self.screen_stack else self.main
        if (say := getattr(foremost, "say", None)) is not None:  # the list of runs has a line of its own
            say(text)
            return
        main = foremost if isinstance(foremost, MainScreen) else self.main
        main.bridge.say(text)
        main.draw_word()

    def keep_theme(self, name: str) -> None:
        """Written into the file of settings."""
        if self.setting.themes is None:
            self.tell(f"theme {name}, until you leave: there is no file of settings here")
            return
        try:
            keep_theme(self.setting.path, name)
        except OSError as error:
            self.bridge.refuse(f"{self.setting.path} cannot be written: {error.strerror or error}")
            self.main.draw_word()
        else:
            self.tell(f"theme {name}, also from now on: {self.setting.path}")

    def tell_of_themes(self, problems: tuple[str, ...]) -> None:
        """What is wrong with the user's own themes."""
        self.tell_of_settings(problems)

    def tell_of_settings(self, problems: Sequence[str]) -> None:
        """Say what is wrong with what a person has set, without the folder that it is in."""
        if problems:
            from dagtop_app.settings.told import in_one_line  # noqa: PLC0415 - only where something is wrong

            folder = f"{self.setting.path.parent}/"
            told = self.main.settings_told = [problem.removeprefix(folder) for problem in problems]
            self.bridge.refuse(in_one_line(told, self.size.width - 4, keymap.help_key()))
            self.main.call_after_refresh(self.main.draw_word)

    def latest(self) -> RunSnapshot:
        """The run as it is."""
        return self.bridge.snapshot

    def hang_up(self, *, ignored: bool = False) -> None:
        """The terminal has gone: nothing can be drawn any more. What becomes of the run is `on_hangup`'s to say."""
        if self.hung_up:
            return
        self.hung_up = True
        if ignored:
            self.on_hangup = "run-on"
        if not self.bridge.is_over and self.on_hangup == "cancel" and self.terminated is None:
            self.terminated = signal.SIGHUP
        self.main.leaving = "hangup"
        self.exit()

    def hear(self, number: int) -> bool:
        """A signal, in the main thread and in the middle of anything. False: the console has gone by now."""
        if number == signal.SIGHUP and self.hung_up:
            return True  # it was noticed before the signal came
        loop = self._loop
        if loop is None:
            self.terminated = self.terminated or number
        elif loop.is_closed():
            return False
        else:
            loop.call_soon_threadsafe(self._terminate, number)
        return True

    def _terminate(self, number: int) -> None:
        if number == signal.SIGHUP and self.hung_up:
            return
        if not self.main.is_mounted or self._exit:  # nothing has begun, or all is about to end
            self.terminated = self.terminated or number
            self.exit()
            return
        if self.terminated is not None and self.main.leaving == "signal" and number != signal.SIGHUP:
            self.main.leaving = "now"
            self.exit()
            return
        if number == signal.SIGHUP:
            self.hang_up()
            return
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
        elif (leave := getattr(self.screen, "action_quit", None)) is not None:  # the list of runs, or one of them
            leave()


def screen_for(
    engine: Engine, bridge: Bridge, title: str, *, now: Callable[[], float], keeper: Keeper | None
) -> MainScreen:
    """The screen of a run, or of a replay of one."""
    if getattr(engine, "is_replay", False):
        from dagtop_app.screens.replayed import Replayed  # noqa: PLC0415 - a live run needs none of it

        return Replayed(bridge, title, cast("Replay", engine), now=now)
    return MainScreen(bridge, title, now=now, keeper=keeper)


def run_console(
    engine: Engine,
    *,
    title: str,
    theme: str | None = None,
    report: str = "",
    resume: str | Callable[[], str] = "",
    summary: TextIO | None = None,
    now: Callable[[], float] = time.monotonic,
    begin: Callable[[], None] | None = None,
    keeper: Keeper | None = None,
    reloader: Reloader | RereadForNextRun | None = None,
    watch_file: bool = False,
    word: str = "",
    on_hangup: OnHangup = "cancel",
    inputs: Mapping[str, Any] | None = None,
    source: str = "",
    journal: History | Callable[[], History] | None = None,
) -> int:
    """Show the console for an engine until the user leaves; returns the exit code.

    `begin` starts the engine, after the first paint: tasks that keep the interpreter busy would delay it by seconds, and
    what they print must find Textual's streams in place. Without it the engine was started before.

    With a `keeper` the engine is the first of several; the summary and the exit code are those of the latest.

    `resume` is what goes on with the run, without its id; a function is asked when all is over.

    `word` is what the line above the footer says first.

    `inputs` and `source`, the graph's file, are told in reports that are written meanwhile. `journal` has the runs that can be
    looked at meanwhile.

    With a `reloader` the file is read again by a key, and with `watch_file` when it is written.

    When the terminal goes away `on_hangup` says what becomes of the run: it is cancelled, or this waits for its end.

    After the screen is back to normal a summary is written to `summary` (stderr). The engine is closed and given ten
    seconds to end, unless the user left at once: then it may still run, and the caller ends the process all the same.
    """
    app = ConsoleApp(engine, title=title, theme=theme, now=now, begin=begin, keeper=keeper)
    app.main.reloader = reloader
    app.main.inputs, app.main.source, app.main.journal = inputs or {}, source, journal
    app.on_hangup = on_hangup
    if word:
        app.bridge.say(word)
    late = Late(app, grace=_GRACE)
    with answered(late.hear):
        return _run(app, late, title, report, resume, summary, watch_file=watch_file)


def _run(
    app: ConsoleApp,
    late: Late,
    title: str,
    report: str,
    resume: str | Callable[[], str],
    summary: TextIO | None,
    *,
    watch_file: bool,
) -> int:
    """Show it, wait for its end, and tell how that was."""
    patience = sys.getswitchinterval()
    sys.setswitchinterval(_SWITCH)
    reloader = app.main.reloader
    watching = reloader.watching(app.main.hear_of_file) if reloader is not None and watch_file else nullcontext()
    try:
        with watching, watching_themes(app.setting.themes, app.hear_of_themes):
            app.run(mouse=app.setting.config.mouse)
    finally:
        sys.setswitchinterval(patience)
    engine = app.bridge.engine
    crashed = False
    if app.return_code == 1 and app.main.leaving == "":  # Textual's own crash; it has shown the traceback
        crashed = engine.error is None and app._exception is not None
        if crashed:
            engine.send(do.CancelRun(reason="the console broke down"), by="console")
    if app.hung_up:
        hangup.run_on(engine, app.on_hangup, grace=_GRACE)
    engine.close()
    ended = app.main.leaving != "now" and app.has_begun and late.end(engine)
    snapshot = settled(engine.latest)
    if app.bridge.has_not_begun:
        tell(f"{title}: nothing was due yet; nothing ran", summary)
        return 1 if app.return_code == 1 else 0
    command = resume() if callable(resume) else resume
    again = f"{command} {snapshot.run}" if command and snapshot.run else ""
    tell(farewell.farewell(snapshot, title=title, report=report, resume=again, error=engine.error), summary)
    if not ended and app.terminated is None:
        return 130 if engine.error is None else 1
    return farewell.exit_code(snapshot.state, terminated=app.terminated, broken=crashed or engine.error is not None)
