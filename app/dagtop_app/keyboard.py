"""What the terminal sends, whatever it is: line noise, pasted bytes of another encoding, keys that there are not.

Textual's own thread for keys ends at the first byte that is no UTF-8, and the console, and so the run, with it.
"""

from __future__ import annotations

import os
import selectors
from codecs import getincrementaldecoder
from collections.abc import Iterable
from contextlib import suppress

from textual import events
from textual._parser import ParseEOF, ParseError
from textual._xterm_parser import XTermParser
from textual.drivers.linux_driver import LinuxDriver
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
    """Textual's driver, with what is no UTF-8 replaced."""

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
                    text = decode(os.read(self.fileno, _CHUNK))
                    for event in parser.feed(text) if text else ():
                        self.process_message(event)
                for event in parser.tick():
                    self.process_message(event)
        with suppress(EOFError, ParseEOF, ParseError):
            for _ in parser.feed(""):
                pass
