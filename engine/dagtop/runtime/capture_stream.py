"""What stands in for `sys.stdout` and `sys.stderr`: output of a captured context goes to its sink, all else as ever.

They look like text streams and never close, detach or lose the original below. In a captured context they are no
terminal, and they take any text: the encoding is UTF-8 whatever the original's is.
"""

from __future__ import annotations

import codecs
import io
from collections.abc import Iterable
from typing import Any, TextIO

from dagtop.runtime.capture_sink import current


class CapturedStream:
    """Stands in for one text stream. `original` is None where a program has no such stream."""

    def __init__(self, name: str, original: TextIO | None) -> None:
        self._name = name
        self._original = original
        self.buffer = CapturedBytes(self)
        self.tee = False
        """Whether captured output goes to the original as well."""

    @property
    def original(self) -> TextIO | None:
        """The stream below."""
        return self._original

    def write(self, text: str) -> int:
        """Write text.

        Raises
        ------
        TypeError: it is no text.
        """
        sink = current.get()
        if sink is None:
            return len(text) if self._original is None else self._original.write(text)
        if not isinstance(text, str):
            raise TypeError(f"write() argument must be str, not {type(text).__name__}")
        exact = text if type(text) is str else str.__str__(text)
        sink.write(self._name, exact)
        if self.tee:
            self._tee(exact)
        return len(exact)

    def writelines(self, lines: Iterable[str]) -> None:
        """Write texts one after the other."""
        for line in lines:
            self.write(line)

    def flush(self) -> None:
        """Flush the original; captured lines are delivered as soon as they are complete."""
        if self._original is None:
            return
        if current.get() is None:
            self._original.flush()
        elif self.tee:
            try:
                self._original.flush()
            except (OSError, ValueError):
                return

    def isatty(self) -> bool:
        """Whether it is a terminal; captured output is none, so nobody draws on it."""
        return self._original is not None and current.get() is None and self._original.isatty()

    def fileno(self) -> int:
        """The original's file descriptor: what a child process writes there is not captured.

        Raises
        ------
        io.UnsupportedOperation: it has none.
        """
        if self._original is None:
            raise io.UnsupportedOperation("fileno")
        return self._original.fileno()

    @property
    def encoding(self) -> str:
        """UTF-8 if captured, else the original's."""
        return self._own_or_utf8("encoding", "utf-8")

    @property
    def errors(self) -> str:
        """What happens to text that cannot be encoded; captured, everything can."""
        return self._own_or_utf8("errors", "surrogatepass")

    def _own_or_utf8(self, attribute: str, ours: str) -> str:
        if current.get() is not None:
            return ours
        return getattr(self._original, attribute, None) or ours

    @property
    def closed(self) -> bool:
        """Whether the original is closed; captured, it does not matter."""
        return self._original is not None and current.get() is None and self._original.closed

    @property
    def name(self) -> str:
        """The original's name, "<stdout>" or "<stderr>"."""
        return getattr(self._original, "name", f"<{self._name}>")

    def reconfigure(self, **options: Any) -> None:
        """Reconfigure the original; nothing happens in a captured context, which shares it with others."""
        if current.get() is None and self._original is not None:
            self._original.reconfigure(**options)  # type: ignore[attr-defined] # pyright: ignore[reportAttributeAccessIssue] - as on sys.stdout

    def detach(self) -> CapturedBytes:
        """The stream of bytes below. Unlike elsewhere, this stream goes on working."""
        return self.buffer

    def close(self) -> None:
        """Do nothing: the stream belongs to the whole program."""

    def readable(self) -> bool:
        """It is not."""
        return False

    def writable(self) -> bool:
        """It is."""
        return True

    def seekable(self) -> bool:
        """It is not."""
        return False

    def __enter__(self) -> CapturedStream:
        return self

    def __exit__(self, *exc_info: object) -> None:
        """Leave it open."""

    def __getattr__(self, attribute: str) -> Any:
        if attribute == "_original":  # not there yet: copy and pickle ask before __init__
            raise AttributeError(attribute)
        return getattr(self._original, attribute)

    def __repr__(self) -> str:
        return f"<CapturedStream {self._name} over {self._original!r}>"

    def _tee(self, text: str) -> None:
        """Show what was captured. The task must not fail where it would not if nobody watched."""
        if self._original is None:
            return
        token = current.set(None)  # the original may lead to another of us
        try:
            try:
                self._original.write(text)
            except UnicodeEncodeError:
                encoding = self._original.encoding or "utf-8"
                self._original.write(text.encode(encoding, "backslashreplace").decode(encoding))
        except (OSError, ValueError):  # closed, or a pipe that nobody reads
            return
        finally:
            current.reset(token)


class CapturedBytes:
    """Stands in for the `buffer` of a text stream."""

    def __init__(self, text: CapturedStream) -> None:
        self._text = text

    def write(self, data: Any) -> int:
        """Write bytes.

        Raises
        ------
        TypeError: they are no bytes.
        """
        view = memoryview(data).cast("B")
        sink = current.get()
        if sink is not None:
            sink.write_bytes(self._text._name, view)
            if not self._text.tee:
                return len(view)
        token = current.set(None)
        try:
            self._write_through(view)
        except (OSError, ValueError):
            if sink is None:
                raise
        finally:
            current.reset(token)
        return len(view)

    def _write_through(self, view: memoryview) -> None:
        original = self._text.original
        below = getattr(original, "buffer", None)
        if below is not None:
            below.write(view)
        elif original is not None:  # e.g. io.StringIO
            original.write(codecs.decode(view, original.encoding or "utf-8", "backslashreplace"))

    def writelines(self, lines: Iterable[Any]) -> None:
        """Write several pieces."""
        for line in lines:
            self.write(line)

    def flush(self) -> None:
        """Flush the original."""
        below = getattr(self._text.original, "buffer", None)
        if below is not None and current.get() is None:
            below.flush()

    @property
    def raw(self) -> CapturedBytes:
        """Itself: below it nothing would be captured."""
        return self

    @property
    def closed(self) -> bool:
        """Whether the original is closed; captured, it does not matter."""
        return self._text.closed

    @property
    def name(self) -> str:
        """The text stream's name."""
        return self._text.name

    @property
    def mode(self) -> str:
        """How it is open."""
        return "wb"

    def isatty(self) -> bool:
        """Whether it is a terminal; captured output is none."""
        return self._text.isatty()

    def fileno(self) -> int:
        """The original's file descriptor."""
        return self._text.fileno()

    def close(self) -> None:
        """Do nothing: the stream belongs to the whole program."""

    def readable(self) -> bool:
        """It is not."""
        return False

    def writable(self) -> bool:
        """It is."""
        return True

    def seekable(self) -> bool:
        """It is not."""
        return False


io.TextIOBase.register(CapturedStream)
io.BufferedIOBase.register(CapturedBytes)
