"""A report to a file, whole or not at all."""

from __future__ import annotations

import contextlib
import os
import secrets
from collections.abc import Callable, Mapping
from pathlib import Path

from dagtop.errors import DagtopError
from dagtop.observe.report.schema import Report


def _json(report: Report) -> bytes:
    from dagtop.observe.report.json import to_json  # noqa: PLC0415 - only the form that is asked for is loaded

    return to_json(report)


def _html(report: Report) -> bytes:
    from dagtop.observe.report.html import to_html  # noqa: PLC0415 - Jinja takes longer to import than all of ours

    return to_html(report)


#: What can be written, by the file's suffix.
FORMATS: Mapping[str, Callable[[Report], bytes]] = {".html": _html, ".json": _json}


def check_report_path(path: str | os.PathLike[str]) -> Path:
    """The path, if a report could be written there. Ask before the run, so that nobody learns it after an hour.

    Raises
    ------
    DagtopError: there is no such form of report, or the place cannot take a file.
    """
    target = Path(path)
    if target.suffix.lower() not in FORMATS:
        known = " or ".join(sorted(FORMATS))
        raise DagtopError(f"could not write a report to {str(path)!r}: its name must end in {known}")
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


def write_report(report: Report, path: str | os.PathLike[str]) -> Path:
    """Write the report in the form that the path's suffix names; returns the path. What was there is replaced at once.

    Raises
    ------
    DagtopError: there is no such form, or the file cannot be written; then what was there before is untouched.
    """
    target = check_report_path(path)
    content = FORMATS[target.suffix.lower()](report)
    try:
        _replace(target.resolve(), content)
    except OSError as error:
        raise DagtopError(f"could not write a report to {str(path)!r}: {error.strerror or error}") from error
    return target


def _replace(target: Path, content: bytes) -> None:
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
