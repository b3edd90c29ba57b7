"""One line of output while it is being written: cut when too long, redrawn by carriage returns.

Whatever a task writes, a line holds at most `LINE_BYTES` characters, and a write costs a few scans of its text at the
speed of `memchr`: text that is not kept is never copied as a whole.
"""

from __future__ import annotations

import codecs

LINE_BYTES = 8 * 1024
"""A delivered line has at most so many bytes in UTF-8, the note about what was cut included."""

_NOTE_BYTES = 40
"""Room for the note " … 1,234,567 bytes cut"."""

_CHUNK = 64 * 1024
"""Long texts are looked at in slices of so many characters, so that no second copy of a gigabyte comes to be."""

_decoder_class = codecs.getincrementaldecoder("utf-8")


def utf8_size(text: str, start: int = 0, stop: int | None = None) -> int:
    """How many bytes `text[start:stop]` has in UTF-8; lone surrogates count three."""
    end = len(text) if stop is None else stop
    if text.isascii():
        return max(0, end - start)
    return sum(
        len(text[at : min(at + _CHUNK, end)].encode("utf-8", "surrogatepass")) for at in range(start, end, _CHUNK)
    )


def chunks(data: memoryview) -> list[memoryview]:
    """`data` in slices; they share its memory."""
    return [data[at : at + _CHUNK] for at in range(0, len(data), _CHUNK)]


def _end_without_returns(text: str, start: int, stop: int) -> int:
    """Where `text[start:stop]` ends if the carriage returns at its end are left out."""
    while stop > start:
        low = max(start, stop - _CHUNK)
        kept = len(text[low:stop].rstrip("\r"))
        if kept:
            return low + kept
        stop = low
    return start


def _shortened(text: str, cut: int) -> tuple[str, int]:
    """`text` with a note on how much is missing, within `LINE_BYTES`; and how many bytes are missing."""
    raw = text.encode("utf-8", "surrogatepass")
    end = min(len(raw), LINE_BYTES - _NOTE_BYTES)
    while end and end < len(raw) and raw[end] & 0xC0 == 0x80:  # never inside a character
        end -= 1
    missing = cut + len(raw) - end
    return f"{raw[:end].decode('utf-8', 'surrogatepass')} … {missing:,} bytes cut", missing


class OpenLine:
    """What one thread has written to one stream since its last newline."""

    __slots__ = ("_cut", "_decoder", "_held", "_parts", "_redrawn", "_redraws", "_rewound")

    def __init__(self, *, redraws: bool = True) -> None:
        self._redraws = redraws
        """Whether a carriage return starts the line anew; in a log record it is a character like others."""
        self._parts: list[str] = []
        self._held = 0
        self._cut = 0
        self._rewound = False
        """A carriage return came last: the next text replaces the line."""
        self._redrawn = False
        self._decoder: codecs.IncrementalDecoder | None = None

    @property
    def held(self) -> int:
        """How many characters are kept."""
        return self._held

    @property
    def is_worth_showing(self) -> bool:
        """Whether it has text; a progress bar that was wiped out with blanks has none."""
        return bool(self._parts) and not (self._redrawn and not "".join(self._parts).strip())

    def feed(self, text: str, start: int, stop: int) -> None:
        """Take `text[start:stop]`, which has no newline. Of a line drawn over and over the last state counts."""
        if not self._redraws or text.find("\r", start, stop) < 0:
            self._append(text, start, stop)
            return
        end = _end_without_returns(text, start, stop)
        begin = text.rfind("\r", start, end) + 1
        if begin > start:
            self._rewound = True
        self._append(text, max(begin, start), end)
        self._redrawn = True
        self._rewound = self._rewound or end < stop

    def decode(self, data: bytes, *, final: bool = False) -> str:
        r"""Bytes as text. Characters may be split between calls; what is not UTF-8 becomes \xNN."""
        if self._decoder is None:
            self._decoder = _decoder_class("backslashreplace")
        return self._decoder.decode(data, final)

    def finish_bytes(self) -> None:
        """Take half a character that nobody completed."""
        if self._decoder is not None:
            rest = self.decode(b"", final=True)
            self.feed(rest, 0, len(rest))

    def take(self) -> tuple[str, int, int]:
        """The line, its size in bytes and how many bytes of it were cut. It is empty afterwards."""
        text = "".join(self._parts)
        cut = self._cut
        self._clear()
        size = utf8_size(text)
        if cut or size > LINE_BYTES:
            text, cut = _shortened(text, cut)
            size = utf8_size(text)
        return text, size, cut

    def _append(self, text: str, start: int, stop: int) -> None:
        if start >= stop:
            return
        if self._rewound:
            self._clear()
        end = min(stop, start + LINE_BYTES - self._held)
        if end > start:
            self._parts.append(text[start:end])
            self._held += end - start
        self._cut += utf8_size(text, end, stop)

    def _clear(self) -> None:
        self._parts.clear()
        self._held = self._cut = 0
        self._rewound = self._redrawn = False
