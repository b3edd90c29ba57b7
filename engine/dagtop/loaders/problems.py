"""What can be wrong with a graph file, as errors that name file and line and the way out.

Everything here turns a foreign exception into a `LoadError`; no foreign code runs here, but for `str()` of an exception.
"""

from __future__ import annotations

import difflib
import os
import sys
from collections.abc import Iterable, Sequence
from traceback import TracebackException, walk_tb
from types import FrameType, TracebackType

from dagtop.errors import Flaw, GraphError, LoadError

_HERE = os.path.dirname(os.path.dirname(os.path.abspath(__file__))) + os.sep

#: Longest exception text that a message carries.
TEXT_LIMIT = 2_000
#: How many frames below the graph file a message shows: where it went wrong, not the way there.
FRAMES_SHOWN = 5
#: How much of a source line a syntax error shows.
PICTURE_WIDTH = 160


def nearest(name: str, known: Iterable[str]) -> str:
    """The hint "(did you mean 'x'?)" with the nearest known name and a space before it, or ""."""
    close = difflib.get_close_matches(name, list(known), n=1)
    return f" (did you mean {close[0]!r}?)" if close else ""


def exception_text(error: BaseException) -> str:
    """Type and text, as in "ValueError: text", whatever the exception's own `str` does, and never endless."""
    kind = type(error).__name__
    try:
        text = str(error)
    except BaseException:  # noqa: BLE001 - the exception is the user's, and so is its __str__, which may call sys.exit
        text = "(its text cannot be shown)"
    text = text.strip()
    if len(text) > TEXT_LIMIT:
        text = text[:TEXT_LIMIT] + "…"
    return f"{kind}: {text}" if text else kind


def last_line_in(path: str, trace: TracebackType | None) -> int | None:
    """The line of the last frame that is inside the file, or None."""
    found = None
    for frame, line in walk_tb(trace):
        if frame.f_code.co_filename == path:
            found = line
    return found


def _frames_below(path: str, trace: TracebackType | None) -> list[tuple[FrameType, int]]:
    frames = [(frame, line) for frame, line in walk_tb(trace) if not _is_ours(frame.f_code.co_filename)]
    inside = [i for i, (frame, _) in enumerate(frames) if frame.f_code.co_filename == path]
    return frames[inside[-1] + 1 :] if inside else []


def _is_ours(filename: str) -> bool:
    """Whether a frame is of the import machinery, of generated code or of dagtop: its place tells the user nothing."""
    return filename.startswith(("<frozen importlib", "<string>", _HERE))


def _way_down(path: str, error: BaseException) -> str:
    """Where the code that the file called went wrong, one indented line a frame; "" if it was the file itself."""
    below = _frames_below(path, error.__traceback__)
    lines = [
        f"\n    in {os.path.basename(frame.f_code.co_filename)}:{line} {frame.f_code.co_name}()"
        for frame, line in below
    ]
    if len(lines) > FRAMES_SHOWN:
        lines = [f"\n    … {len(lines) - FRAMES_SHOWN} more", *lines[-FRAMES_SHOWN:]]
    return "".join(lines)


def _way_out(error: BaseException) -> str:
    if isinstance(error, ModuleNotFoundError) and error.name:
        return f"; install it where dagtop runs ({sys.executable}), or run dagtop from the environment that has it"
    if isinstance(error, ImportError) and "relative import" in str(error):
        return "; the file is loaded by itself, not as part of a package: import by full name"
    return ""


def while_running(path: str, error: BaseException, *, doing: str = "") -> LoadError | GraphError:
    """The error for something that the file's code raised. `doing` is "build()" or "" for the import itself."""
    line = last_line_in(path, error.__traceback__)
    place = f"{path}:{line}" if line else path
    if isinstance(error, GraphError):
        flaws = [flaw if flaw.place else Flaw(flaw.message, place) for flaw in error.problems]
        return type(error)(flaws)
    who = f"{doing} " if doing else ""
    match error:
        case SystemExit():
            call = f"sys.exit({error.code!r:.200})" if error.code is not None else "sys.exit()"
            message = (
                f"{who}calls {call}, but dagtop needs the file to come to its end; "
                'put what is for the command line under `if __name__ == "__main__":`'
            )
        case KeyboardInterrupt():
            message = f"{who}raises KeyboardInterrupt"
        case RecursionError():
            message = f"{who}calls itself without end ({exception_text(error)})"
        case LoadError():
            return error
        case _:
            message = f"{who}raises {exception_text(error)}{_way_out(error)}"
            message += _way_down(path, error)
    return LoadError(message, place=place)


def syntax(path: str, error: SyntaxError) -> LoadError:
    """The error for a file that Python cannot compile: line, the line itself, and a caret under the place."""
    shown = "".join(TracebackException(type(error), error, None).format_exception_only()).splitlines()
    # The first line is 'File "…", line 3', the last one 'SyntaxError: …'; between them stand the line and the caret.
    picture = "".join(f"\n{line[:PICTURE_WIDTH]}" for line in shown[1:-1])
    place = f"{path}:{error.lineno}" if error.lineno else path
    hint = "" if path.endswith((".py", ".pyw")) else "; is this a Python file?"
    return LoadError(f"{type(error).__name__}: {error.msg}{hint}{picture}", place=place)


def no_such_file(path: str) -> LoadError:
    """The error for a file that is not there, with a name nearby that is."""
    folder, name = os.path.split(path)
    if os.path.isfile(f"{path}.py"):
        hint = f" (did you mean {name + '.py'!r}?)"
    else:
        try:
            hint = nearest(name, os.listdir(folder or "."))
        except OSError:
            hint = f"; there is no folder {folder!r}"
    return LoadError(f"there is no such file{hint}", place=path)


def a_folder(path: str) -> LoadError:
    """The error for a folder where a file is needed, with the files that are in it."""
    try:
        files = sorted(name for name in os.listdir(path) if name.endswith(".py"))
    except OSError:
        files = []
    inside = f" (it has {_some(files)})" if files else ""
    return LoadError(f"this is a folder; give a graph file{inside}", place=path)


def _some(names: Sequence[str], limit: int = 8) -> str:
    more = f" and {len(names) - limit} more" if len(names) > limit else ""
    return ", ".join(names[:limit]) + more


def no_graph(path: str, kinds: Sequence[str]) -> LoadError:
    """The error for a file that runs well and leaves nothing to run."""
    return LoadError(
        f"it defines no {' or '.join(kinds)}; assign one to a name at the top level of the file, "
        "or define build() that returns one",
        place=path,
    )


def several(path: str, found: Sequence[tuple[str, int | None, str]]) -> LoadError:
    """The error for a file with several graphs: (name, line, kind) each."""
    listed = "".join(f"\n    {name:<16} {kind}{f', line {line}' if line else ''}" for name, line, kind in sorted(found))
    file = os.path.basename(path)
    return LoadError(
        f"it defines {len(found)} graphs; say which one, as in {file}:{min(found)[0]}{listed}",
        place=path,
    )
