"""What the terminal sends, whatever it is: line noise, pasted bytes of another encoding, keys that there are not.

Textual's own thread for keys ends at the first byte that is no UTF-8, and the console, and so the run, with it.
"""

from __future__ import annotations

import os
import selectors
import signal
import threading
from codecs import getincrementaldecoder
from collections.abc import Iterable
from contextlib import suppress
from typing import Any

from textual import events
from textual._parser import ParseEOF, ParseError
from textual._xterm_parser import XTermParser
from textual.drivers.linux_driver import LinuxDriver
from textual.geometry import Size
from textual.message import Message

#: Seconds between two looks at whether it is over, and at keys that were begun and not ended.
_LOOK = 0.1
_CHUNK = 4 * 1024


class ToughParser(XTermParser):
    """Passes over keys that stand for no character, and clicks where there are no pixels."""

    def parse_mouse_code(self, code: str) -> Message | None:
        """What the mouse did; None if that cannot be told."""
        try:
            return super().parse_mouse_code(code)
        except (ValueError, ArithmeticError):
            return None

    def _sequence_to_key_events(self, sequence: str, alt: bool = False) -> Iterable[events.Key]:
        try:
            for key in super()._sequence_to_key_events(sequence, alt):
                if key.character is None or not "\ud800" <= key.character <= "\udfff":
                    yield key
        except (ValueError, ArithmeticError):
            return


class ToughDriver(LinuxDriver):
    """Textual's driver, with what is no UTF-8 replaced, and for signals that come whenever they like.

    A handler may come in the middle of a write, which holds a lock: what it does is done by the loop, soon.
    """

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._is_on = False
        """Whether the terminal is the console's."""
        if self._size is None:  # until it is told of one Textual asks the standard streams, which are no terminal here
            self._size = self._get_terminal_size()

    def start_application_mode(self) -> None:
        """Take the terminal, once: two threads would share its keys."""
        if self._is_on:
            return
        before = self._key_thread
        super().start_application_mode()  # type: ignore[no-untyped-call]  # Textual
        self._is_on = self._key_thread is not before
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGWINCH, self._winch)

    def stop_application_mode(self) -> None:
        """Give it back, once."""
        if self._is_on:
            self._is_on = False
            super().stop_application_mode()

    def _disable_mouse_support(self) -> None:
        super()._disable_mouse_support()
        if self._mouse_pixels:
            self.write("\x1b[?1016l")  # or the next program is told of pixels, and takes them for cells

    def _get_terminal_size(self) -> tuple[int, int]:
        """That of the terminal: what COLUMNS and LINES say was so when a shell was started."""
        with suppress(OSError):
            wide, high = os.get_terminal_size(self.fileno)
            if wide and high:
                return wide, high
        return super()._get_terminal_size()

    def _winch(self, *_: object) -> None:
        """Another size. Textual's own handler believes a terminal that once said that it tells of it by itself."""
        self._loop.call_soon_threadsafe(self._resized)

    def _resized(self) -> None:
        size = Size(*self._get_terminal_size())
        self.send_message(events.Resize(size, size))

    def _sigtstp_application(self, *_: object) -> None:
        """Told to stop: the terminal is given back first."""
        if self._is_on and self._auto_restart:
            self._loop.call_soon_threadsafe(self._suspend)
        else:
            os.kill(os.getpid(), signal.SIGSTOP)

    def _suspend(self) -> None:
        if self._is_on:
            self.suspend_application_mode()
            self._must_signal_resume = True
        os.kill(os.getpid(), signal.SIGSTOP)

    def _sigcont_application(self, *_: object) -> None:
        """Going on, perhaps after a stop that nobody could prepare for, on a terminal that a shell has set otherwise."""
        if self._auto_restart and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._go_on)

    def _go_on(self) -> None:
        if not self._app._running or self._app._exit:
            return
        if self._is_on:
            before = self.attrs_before
            self.suspend_application_mode()
            self.resume_application_mode()
            self.attrs_before = before
        else:
            self.resume_application_mode()
        for screen in self._app.screen_stack:
            screen.refresh(layout=True)

    def process_message(self, message: Message) -> None:
        """Hand it on. What is said on the line of its size may be noise: that of the terminal counts."""
        if isinstance(message, events.Resize):
            size = Size(*self._get_terminal_size())
            message = events.Resize(size, size, pixel_size=message.pixel_size)
        super().process_message(message)

    def run_input_thread(self) -> None:
        """Wait for input and hand it on."""
        parser = ToughParser(self._debug)
        decode = getincrementaldecoder("utf-8")("replace").decode
        with selectors.SelectSelector() as selector:
            selector.register(self.fileno, selectors.EVENT_READ)
            over = False
            while not over:
                over = self.exit_event.is_set()
                if selector.select(_LOOK):
                    try:
                        data = os.read(self.fileno, _CHUNK)
                    except OSError:
                        data = b""
                    if not data:  # it has gone, or somebody who shares it has set it otherwise
                        if not is_there(self.fileno):
                            self._loop.call_soon_threadsafe(self._app.terminal_gone)  # type: ignore[attr-defined]
                            return
                        self.exit_event.wait(_LOOK)
                        continue
                    text = decode(data)
                    for event in parser.feed(text) if text else ():
                        self.process_message(event)
                for event in parser.tick():
                    self.process_message(event)
        with suppress(EOFError, ParseEOF, ParseError):
            for _ in parser.feed(""):
                pass


def is_there(terminal: int) -> bool:
    """Whether a terminal still is."""
    import termios  # noqa: PLC0415 - not where there are no such terminals

    try:
        termios.tcgetattr(terminal)
    except (termios.error, ValueError):
        return False
    return True
