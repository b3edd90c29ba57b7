"""Whether the process that had a run open is still there.

A process is known by its number and the moment it started (numbers are given out again), and on Linux also by the boot
and the namespace in which that number counts. All of it goes into one text, which is compared as a whole.
"""

from __future__ import annotations

import os
import subprocess
from functools import lru_cache
from pathlib import Path


def this_process() -> str:
    """The text by which this process is known."""
    return describe(os.getpid())


def is_alive(process: str) -> bool:
    """Whether the process that called itself so still runs."""
    pid = pid_of(process)
    return pid > 0 and describe(pid) == process


def pid_of(process: str) -> int:
    """The number in the text; 0 if there is none."""
    number = process.partition(" ")[0]
    return int(number) if number.isdecimal() and len(number) < 20 else 0


def describe(pid: int) -> str:
    """The text for any process; "" if there is no such process, or only a dead one that nobody has asked about yet."""
    proc = Path("/proc")
    if not (proc / "self/stat").exists():
        return _describe_by_ps(pid)
    try:
        # The name in parentheses may itself hold parentheses and spaces: what counts comes after the last one.
        fields = (proc / str(pid) / "stat").read_bytes().rpartition(b")")[2].split()
        state, started = fields[0], fields[19].decode("ascii")
    except (OSError, IndexError):
        return ""
    return "" if state in {b"Z", b"X"} else f"{pid} {started} {_here()}"


@lru_cache(maxsize=1)
def _here() -> str:
    """The boot, and the namespace of process numbers (a container has its own)."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text("ascii").strip()
        return f"{boot} {os.readlink('/proc/self/ns/pid')}"
    except OSError:
        return "?"


def _describe_by_ps(pid: int) -> str:
    """Where there is no /proc (macOS, the BSDs)."""
    try:
        ps = ["ps", "-o", "stat=", "-o", "lstart=", "-p", str(pid)]
        # C: the months' names must not depend on who asks.
        answer = subprocess.run(ps, capture_output=True, timeout=5, env={**os.environ, "LC_ALL": "C"}, check=False)
    except (OSError, subprocess.SubprocessError):
        return ""
    state, _, started = answer.stdout.decode("ascii", "replace").strip().partition(" ")
    return "" if not started or state.startswith("Z") else f"{pid} {' '.join(started.split())}"
