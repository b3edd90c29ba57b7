"""How the console behaves towards the terminal that it is on: clipboard, mouse, title, bell, other programs, and its end."""

from __future__ import annotations

import os
import signal
import tempfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from textual import events
from textual.driver import Driver
from textual.drivers.linux_driver import LinuxDriver
from textual.geometry import Size

from dagtop_app.settings.themed import Themed
from dagtop_app.terminal import child, clipboard
from dagtop_app.terminal import signs as terminal_signs
from dagtop_app.terminal.keyboard import ToughDriver, is_there
from dagtop_app.text import name_of

if TYPE_CHECKING:
    from pathlib import Path

    from dagtop.core.snapshot import RunSnapshot
    from rich.console import RenderableType

#: Seconds between two looks at what the terminal is told of the run.
_LOOK = 0.5

#: Of a terminal that says it has more columns or lines only these are drawn on: all of 5,000 by 5,000 took seconds a key.
LARGEST = Size(1000, 400)

_BACK = "\r\n\x1b[1mdagtop\x1b[0m: %s goes on meanwhile; exit or Ctrl+d comes back to it\r\n"


class Mannered(Themed):
    """An app that leaves the terminal as it was, and shares it meanwhile.

    Parameters
    ----------
    environ: tells what the terminal can.
    """

    def __init__(self, *, theme: str | None, themes: Path | None, environ: Mapping[str, str] = os.environ) -> None:
        super().__init__(theme=theme, themes=themes)
        self.environ = environ
        self.is_away = False
        """Whether another program has the terminal."""
        self.mouse_is_free = False
        """Whether the terminal has its mouse for itself."""
        self._after_child: tuple[Any, int, Any] | None = None
        self._told_title = self._told_progress = ""
        self._escalated: int | None = None

    def get_driver_class(self) -> type[Driver]:
        """Ours, unless another one is wanted."""
        wanted = super().get_driver_class()
        return ToughDriver if wanted is LinuxDriver else wanted

    @property
    def size(self) -> Size:
        """As much of the terminal as is drawn on."""
        return _bounded(super().size)

    async def on_event(self, event: events.Event) -> None:
        """No terminal is too large."""
        if isinstance(event, events.Resize) and _bounded(event.size) != event.size:
            event = events.Resize(_bounded(event.size), _bounded(event.size))
        await super().on_event(event)

    def latest(self) -> RunSnapshot:
        """The run as it is."""
        raise NotImplementedError

    def hang_up(self, *, ignored: bool = False) -> None:
        """The terminal has gone; `ignored`: that is to change nothing, as under nohup."""

    # -- the clipboard ---------------------------------------------------------------------------------------

    def copy_to_clipboard(self, text: str) -> None:
        """Copy a text; where not all of it could be, that is said."""
        self._clipboard = text
        tool = () if self.is_headless else clipboard.tool_of(self.environ)
        copied = clipboard.copy(text, write=self.write_to_terminal, tool=tool)
        if copied.told:
            self.tell(f"{copied.told} were copied: no terminal takes more")

    # -- what it shows around us -----------------------------------------------------------------------------

    def write_to_terminal(self, text: str) -> None:
        """Tell the terminal something that is no text on it. Not while another program has it: the writer stands still then."""
        if self._driver is not None and not self.is_away and not self.is_headless and self._running:
            self._driver.write(text)

    def begin_signs(self, source: str) -> None:
        """From now on have the title and the progress of the terminal tell of the run, and the bell of escalations."""
        titled, progress = terminal_signs.has_title(self.environ), terminal_signs.has_progress(self.environ)
        if titled:
            self.write_to_terminal(terminal_signs.KEEP_TITLE)

        def look() -> None:
            snapshot = self.latest()
            if titled:
                self._tell_title(terminal_signs.title(terminal_signs.title_of(snapshot, source)))
            if progress:
                self._tell_progress(terminal_signs.progress_of(snapshot))
            self.ring(snapshot)

        self.set_interval(_LOOK, look)
        look()

    def end_signs(self) -> None:
        """Leave title and progress as they were."""
        if self._told_title:
            self.write_to_terminal(f"{terminal_signs.title('')}{terminal_signs.TITLE_BACK}")
        if self._told_progress:
            self.write_to_terminal(terminal_signs.NO_PROGRESS)

    def _tell_title(self, text: str) -> None:
        if text != self._told_title and not self.is_away:
            self._told_title = text
            self.write_to_terminal(text)

    def _tell_progress(self, text: str) -> None:
        if text != self._told_progress and not self.is_away:
            self._told_progress = text
            self.write_to_terminal(text)

    def ring(self, snapshot: RunSnapshot) -> None:
        """Ring once for new escalations, if the person looks elsewhere."""
        before, self._escalated = self._escalated, snapshot.escalation_count
        if before is not None and snapshot.escalation_count > before and not self.app_focus and not self.is_away:
            self.bell()

    # -- the mouse -------------------------------------------------------------------------------------------

    def action_mouse(self) -> None:
        """Give the mouse to the terminal, or take it back."""
        self.mouse_is_free = not self.mouse_is_free
        change = "_disable_mouse_support" if self.mouse_is_free else "_enable_mouse_support"
        call: Callable[[], None] | None = getattr(self._driver, change, None)
        if call is not None and not self.is_away:
            call()
        self.tell(
            "the mouse is the terminal's: select as ever; F10 takes it back"
            if self.mouse_is_free
            else "the mouse is back"
        )

    # -- other programs --------------------------------------------------------------------------------------

    def action_shell(self) -> None:
        """A shell, while the run goes on."""
        environ = {**self.environ, "DAGTOP_SHELL": "1"}
        note = _BACK % name_of(self.latest().graph or "the run", 40)
        self.give_terminal(child.shell(self.environ), environ, note=note)

    def page(self, lines: Iterable[str], name: str) -> None:
        """Show lines in the person's pager, while the run goes on."""

        def written() -> str:
            with tempfile.NamedTemporaryFile(
                "w", prefix=f"dagtop-{name}-", suffix=".log", delete=False, encoding="utf-8", errors="backslashreplace"
            ) as file:
                file.writelines(f"{line}\n" for line in lines)
            return file.name

        def show() -> None:
            try:
                path = written()
            except OSError as error:
                self.call_from_thread(self.tell, f"cannot be written: {error.strerror or error}")
                return
            self.call_from_thread(self.give_terminal, [*child.pager(self.environ), path], self.environ, remove=path)

        self.run_worker(show, thread=True, description="writes for the pager")

    def give_terminal(
        self, command: Sequence[str], environ: Mapping[str, str], *, note: str = "", remove: str = ""
    ) -> None:
        """Have another program on the terminal until it ends."""
        driver = self._driver
        if self.is_away or driver is None or self.is_headless or not driver.can_suspend:
            self.tell("there is no terminal to give away")
            self._remove(remove)
            return
        self.run_worker(
            self._give_terminal(command, environ, note, remove),
            name="another program",
            description="-",
            exit_on_error=False,
        )

    async def _give_terminal(self, command: Sequence[str], environ: Mapping[str, str], note: str, remove: str) -> None:
        driver, told = self._driver, ""
        assert driver is not None
        self.is_away = True
        # `suspend` would have `print` of the tasks go to the terminal meanwhile; without the batch, frames would pile up.
        self._suspend_signal()
        try:
            with self.batch_update():
                driver.suspend_application_mode()
                try:
                    with driver.no_automatic_restart():
                        await child.run_on_terminal(command, environ, note=note)
                except OSError as error:
                    told = f"{command[0]}: {error.strerror or error}"
                finally:
                    driver.resume_application_mode()
        finally:
            self.is_away = False
            self._resume_signal()
            self._remove(remove)
            if self._after_child is not None:  # whoever wanted to leave has cancelled this
                self.exit(*self._after_child)
        if self._after_child is not None:
            return
        if self.mouse_is_free:
            getattr(driver, "_disable_mouse_support", bool)()
        self._told_title = ""  # it may have set another one
        for screen in self.screen_stack:
            screen.refresh(layout=True)
        if told:
            self.tell(told)

    @staticmethod
    def _remove(path: str) -> None:
        if path:
            os.unlink(path)

    # -- leaving ---------------------------------------------------------------------------------------------

    def exit(self, result: None = None, return_code: int = 0, message: RenderableType | None = None) -> None:
        """Leave; the other program ends first, if there is one."""
        if self.is_away:
            self._after_child = result, return_code, message
            for worker in self.workers:
                if worker.name == "another program":
                    worker.cancel()
            return
        self.end_signs()
        super().exit(result, return_code, message)

    def panic(self, *renderables: RenderableType) -> None:
        """Something went wrong for good. If it is that the terminal has gone, that is no error of ours."""
        if self._driver is not None and not self.is_headless and not is_there(getattr(self._driver, "fileno", 0)):
            self.terminal_gone()
            return
        super().panic(*renderables)

    def terminal_gone(self) -> None:
        """It has, whether a signal has told so or not."""
        self.hang_up(ignored=signal.getsignal(signal.SIGHUP) is signal.SIG_IGN)


def _bounded(size: Size) -> Size:
    return Size(min(size.width, LARGEST.width), min(size.height, LARGEST.height))
