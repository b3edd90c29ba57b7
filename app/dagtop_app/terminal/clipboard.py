"""Text to the clipboard: told to the terminal (OSC 52), and given to the desktop's own tool where there is one.

Terminals take OSC 52 or leave it, and never say which; over ssh it is all there is. tmux asks for a command of its own.
"""

from __future__ import annotations

import base64
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

#: More than this is taken by no terminal: in base 64 it is 100,000 characters.
MOST_BYTES = 74_994
#: Seconds that a tool has to take the text.
_PATIENCE = 3.0

Find = Callable[[str], str | None]


class Copied(NamedTuple):
    """What was copied."""

    text: str
    told: str
    """What is to be said about it besides; "" if all of it is there."""


def tool_of(environ: Mapping[str, str], *, platform: str = sys.platform, find: Find = shutil.which) -> Sequence[str]:
    """The command that takes the clipboard's text on stdin; () if there is none that can reach it."""
    candidates: list[tuple[bool, tuple[str, ...]]] = [
        (bool(environ.get("TMUX")), ("tmux", "load-buffer", "-w", "-")),
        (platform == "darwin", ("pbcopy",)),
        (bool(environ.get("WAYLAND_DISPLAY")), ("wl-copy",)),
        (bool(environ.get("DISPLAY")), ("xclip", "-selection", "clipboard", "-in")),
        (bool(environ.get("DISPLAY")), ("xsel", "--clipboard", "--input")),
        (bool(environ.get("WSL_DISTRO_NAME")), ("clip.exe",)),
    ]
    return next((command for there, command in candidates if there and find(command[0])), ())


def osc52(text: str) -> str:
    """What tells the terminal."""
    return f"\x1b]52;c;{base64.b64encode(text.encode('utf-8', 'backslashreplace')).decode()}\a"


def fitted(text: str, most: int = MOST_BYTES) -> str:
    """The beginning of a text in so many bytes, whole lines if there are several."""
    data = text.encode("utf-8", "backslashreplace")
    if len(data) <= most:
        return text
    kept = data[:most].decode("utf-8", "ignore")
    head, line_break, _ = kept.rpartition("\n")
    return head + line_break if head else kept


def copy(
    text: str,
    *,
    write: Callable[[str], None],
    tool: Sequence[str],
    run: Callable[[Sequence[str], str], None] | None = None,
) -> Copied:
    """Copy a text.

    Parameters
    ----------
    write: to the terminal.
    tool: see `tool_of`.
    run: gives a text to a command, and does not wait for it.
    """
    kept = fitted(text)
    write(osc52(kept))
    if tool:
        (run or give)(tool, text)
        return Copied(text, "")
    return Copied(kept, f"only the first {len(kept):,} of {len(text):,} characters" if kept != text else "")


def give(command: Sequence[str], text: str) -> None:
    """Give a text to a command, on a thread: it may hang where its display does not answer."""

    def work() -> None:
        try:
            subprocess.run(
                command,
                input=text.encode("utf-8", "backslashreplace"),
                stdout=subprocess.DEVNULL,  # xclip stays, and would hold our pipes
                stderr=subprocess.DEVNULL,
                start_new_session=True,
                timeout=_PATIENCE,
                check=False,
            )
        except (OSError, subprocess.SubprocessError):
            return  # the terminal has been told

    threading.Thread(target=work, name="clipboard", daemon=True).start()
