"""Starting and ending the local Dask cluster's process, see `dask_local`."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from contextlib import suppress

from dagtop.errors import BackendError

#: How long the cluster may take to start, in seconds.
START = 60.0

#: How long it may take to close before it is killed, in seconds.
CLOSE = 10.0

_BOOT = "import sys; sys.path[:] = sys.argv[1:]; from dagtop.backends.dask_local import main; main({}, {})"


class LocalDask:
    """A cluster of two worker processes on this machine, which listens on the loopback interface.

    Raises
    ------
    BackendError: it does not start; the message says why.
    """

    workers = 2

    def __init__(self) -> None:
        self._sock, far = socket.socketpair()
        try:
            with far:
                self._process = subprocess.Popen(
                    [sys.executable, "-c", _BOOT.format(far.fileno(), CLOSE), *sys.path],
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL,
                    stderr=subprocess.DEVNULL,
                    pass_fds=(far.fileno(),),
                    start_new_session=True,
                )
        except OSError as error:
            self._sock.close()
            raise BackendError(f"no local Dask cluster can be started: {error}") from error
        said = self._first_line()
        if not said.startswith("+"):
            self.close()
            raise BackendError(f"the local Dask cluster did not start: {said[1:] or 'it ended at once'}")
        self.address = said[1:]
        """Of its scheduler."""

    def _first_line(self) -> str:
        said = b""
        self._sock.settimeout(START)
        with suppress(OSError):
            while not said.endswith(b"\n") and (more := self._sock.recv(4096)):
                said += more
        return said.decode("utf-8", "replace").strip()

    def close(self) -> None:
        """End it, and wait for that."""
        self._sock.close()
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(CLOSE)
        if self._process.returncode is None:
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
