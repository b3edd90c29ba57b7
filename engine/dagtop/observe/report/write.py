"""A report to a file, whole or not at all."""

from __future__ import annotations

import contextlib
import os
import secrets
from collections.abc import Callable, Mapping
from pathlib import Path

from dagtop.errors import DagtopError
from dagtop.observe.report.schema import Draw, Report


def _json(report: Report, draw: Draw | None) -> bytes:
    from dagtop.observe.report.json import to_json  # noqa: PLC0415 - only the form that is asked for is loaded: Jinja takes long

    return to_json(report)


def _html(report: Report, draw: Draw | None) -> bytes:
    from dagtop.observe.report.html import to_html  # noqa: PLC0415 - only what is asked for

    return to_html(report, draw(report) if draw is not None else "")


def _markdown(report: Report, draw: Draw | None) -> bytes:
    from dagtop.observe.report.markdown import to_markdown  # noqa: PLC0415 - only what is asked for

    return to_markdown(report)


def _junit(report: Report, draw: Draw | None) -> bytes:
    from dagtop.observe.report.junit import to_junit  # noqa: PLC0415 - only what is asked for

    return to_junit(report)


def _trace(report: Report, draw: Draw | None) -> bytes:
    from dagtop.observe.report.trace import to_trace  # noqa: PLC0415 - only what is asked for

    return to_trace(report)


def _mermaid(report: Report, draw: Draw | None) -> bytes:
    from dagtop.observe.report.graph import to_mermaid  # noqa: PLC0415 - only what is asked for

    return to_mermaid(report)


def _dot(report: Report, draw: Draw | None) -> bytes:
    from dagtop.observe.report.graph import to_dot  # noqa: PLC0415 - only what is asked for

    return to_dot(report)


def _svg(report: Report, draw: Draw | None) -> bytes:
    picture = draw(report) if draw is not None else ""
    if not picture:
        raise DagtopError(
            "could not draw the graph: it has no tasks"
            if draw is not None
            else "could not draw the graph: nothing that can draw was given"
        )
    return picture.encode("utf-8", "replace")


#: What can be written, by how the file's name ends.
FORMATS: Mapping[str, Callable[[Report, Draw | None], bytes]] = {
    ".html": _html,
    ".md": _markdown,
    ".json": _json,
    ".xml": _junit,
    ".svg": _svg,
    ".trace.json": _trace,
    ".mmd": _mermaid,
    ".dot": _dot,
}


def form_of(path: str | os.PathLike[str]) -> str:
    """The ending in `FORMATS` that the name has, the longest that fits; "" if none does."""
    name = os.fspath(path).lower()
    return max((ending for ending in FORMATS if name.endswith(ending)), key=len, default="")


def check_report_path(path: str | os.PathLike[str]) -> Path:
    """The path, if a report could be written there. Ask before the run, so that nobody learns it after an hour.

    Raises
    ------
    DagtopError: there is no such form of report, or the place cannot take a file.
    """
    target = Path(path)
    if not form_of(target.name):
        *known, last = FORMATS
        raise DagtopError(
            f"could not write a report to {str(path)!r}: its name must end in {', '.join(known)} or {last}"
        )
    folder = target.parent
    if target.is_dir():
        raise DagtopError(f"could not write a report to {str(path)!r}: that is a folder")
    if not folder.is_dir():
        raise DagtopError(
            f"could not write a report to {str(path)!r}: there is no folder {str(folder)!r}; make it first"
        )
    if not os.access(folder, os.W_OK):
        raise DagtopError(f"could not write a report to {str(path)!r}: the folder {str(folder)!r} is not writable")
    return target


def write_report(report: Report, path: str | os.PathLike[str], *, draw: Draw | None = None) -> Path:
    """Write the report in the form that the path's ending names; returns the path. What was there is replaced at once.

    Parameters
    ----------
    draw: makes the picture of the graph, for `.svg` and for the page.

    Raises
    ------
    DagtopError: there is no such form, or the file cannot be written; then what was there before is untouched.
    """
    target = check_report_path(path)
    content = FORMATS[form_of(target.name)](report, draw)
    try:
        replace_file(target, content)
    except OSError as error:
        raise DagtopError(f"could not write a report to {str(path)!r}: {error.strerror or error}") from error
    return target


def replace_file(path: Path, content: bytes) -> None:
    """Write a file whole or not at all. A link stays one.

    Raises
    ------
    OSError: it cannot be written.
    """
    target = path.resolve()
    unfinished = target.with_name(f".{target.name[:100]}.{secrets.token_hex(4)}.part")
    try:
        with unfinished.open("xb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        unfinished.replace(target)
    except BaseException:
        with contextlib.suppress(OSError):
            unfinished.unlink()
        raise
