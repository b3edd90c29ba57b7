"""Messages over a stream socket: one byte says what it is, eight how long it is."""

from __future__ import annotations

import socket
import struct
import threading

_HEADER = struct.Struct("!BQ")

#: To the worker.
ENTRY, FUNCTION, CALL = b"E", b"F", b"C"
#: From the worker.
BEGUN, ITEM, REPLY = b"B", b"I", b"R"

#: Pieces that are read at once, in bytes.
_PIECE = 1024 * 1024


class Frames:
    """One end of a socket. Sending is safe from any thread; one thread reads."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self._sending = threading.Lock()

    def send(self, kind: bytes, *parts: bytes) -> None:
        """Send one message, made of parts.

        Raises
        ------
        OSError: nobody reads any more.
        """
        header = _HEADER.pack(kind[0], sum(map(len, parts)))
        with self._sending:
            if sum(map(len, parts)) < _PIECE:
                self.sock.sendall(b"".join((header, *parts)))
                return
            self.sock.sendall(header)
            for part in parts:
                self.sock.sendall(part)

    def receive(self) -> tuple[bytes, bytearray] | None:
        """The next message, None at the end; waits for it."""
        header = self._exactly(_HEADER.size)
        if header is None:
            return None
        kind, size = _HEADER.unpack(header)
        body = self._exactly(size)
        return None if body is None else (bytes((kind,)), body)

    def _exactly(self, size: int) -> bytearray | None:
        data = bytearray(size)
        view, at = memoryview(data), 0
        while at < size:
            try:
                got = self.sock.recv_into(view[at : at + _PIECE])
            except OSError:  # reset, or closed meanwhile
                return None
            if not got:
                return None
            at += got
        return data
