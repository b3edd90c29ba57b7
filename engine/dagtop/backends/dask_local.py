"""A Dask cluster of two worker processes, in a process of its own: it ends when its socket is closed.

In a process of its own, because Dask starts its workers so that they import the caller's `__main__` once more, and because the
scheduler would take its share of the engine's time.
"""

from __future__ import annotations

import os
import signal
import socket
import tempfile
import threading
from importlib import import_module
from typing import Any

WORKERS = 2

#: Dask fails a task that was on so many workers which died, also one that had not begun. dagtop looks after that itself.
_ALLOWED_FAILURES = 1000


def main(fd: int, grace: float) -> None:
    """Start the cluster, tell its address or what went wrong, and wait for the end of the socket."""
    sock = socket.socket(fileno=fd)
    sock.set_inheritable(False)
    threading.Thread(target=_watch, args=(sock, grace), name="dagtop:watch", daemon=True).start()
    try:
        with (
            tempfile.TemporaryDirectory(prefix="dagtop-dask-", ignore_cleanup_errors=True) as folder,
            _cluster(folder) as cluster,
        ):
            sock.sendall(f"+{cluster.scheduler_address}\n".encode())
            _ENDED.wait()
    except Exception as error:
        if not _ENDED.is_set():
            sock.sendall(f"-{type(error).__name__}: {error}\n".encode("utf-8", "backslashreplace"))
            raise


_ENDED = threading.Event()


def _watch(sock: socket.socket, grace: float) -> None:
    """Wait for the end; then the cluster has `grace` seconds to close."""
    while sock.recv(1):
        pass
    _ENDED.set()
    threading.Event().wait(grace)
    if os.getpgrp() == os.getpid():
        os.killpg(os.getpgrp(), signal.SIGKILL)
    os._exit(1)


def _cluster(folder: str) -> Any:
    dask: Any = import_module("dask")  # an extra
    distributed: Any = import_module("distributed")
    dask.config.set({"distributed.scheduler.allowed-failures": _ALLOWED_FAILURES, "temporary-directory": folder})
    return distributed.LocalCluster(
        n_workers=WORKERS,
        threads_per_worker=1,  # a worker that dies takes one task with it
        processes=True,
        host="127.0.0.1",
        dashboard_address="127.0.0.1:0",  # None would be the one port that everybody has
        scheduler_kwargs={"dashboard": False},
        silence_logs=50,
    )
