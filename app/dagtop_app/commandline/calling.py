"""A command line from its arguments to its exit code: signals around it, and what goes wrong told in a few lines."""

from __future__ import annotations

import errno
import gc
import os
import sys
from collections.abc import Sequence
from contextlib import suppress

from dagtop_app.commandline.options import UsageError, checked
from dagtop_app.commandline.safety import own_secrets
from dagtop_app.commandline.shortcut import read
from dagtop_app.commandline.signals import Signals, name_of_signal
from dagtop_app.settings import places as settings
from dagtop_app.terminal.streams import (
    FEWEST_DESCRIPTORS,
    descriptors,
    give_up_stderr_if_it_cannot_be_written,
    open_missing_descriptors,
    tell,
)

USAGE_ERROR = 2

#: What the system says when output finds no room.
_CANNOT_WRITE = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO})

signals = Signals()


def run_command_line(arguments: Sequence[str]) -> int:
    """Parse, do, and return the exit code, for a process that ends then.

    What goes wrong is told in a few lines on stderr, never as a traceback.
    """
    open_missing_descriptors()
    if (most := descriptors()) < FEWEST_DESCRIPTORS:
        tell(f"dagtop: no more than {most} files may be open here; it needs {FEWEST_DESCRIPTORS}: ulimit -n 1024")
        return USAGE_ERROR
    signals.install()
    try:
        code = call(arguments)
    except BaseException:
        # An interrupt in the middle of an import, or of what answers one, comes out as any error: the signal is what counts.
        if (after_signal := _interrupted()) is None:
            raise
        code = after_signal
    signals.end_with(code)
    give_up_stderr_if_it_cannot_be_written()
    if sys.modules.keys() & {
        "dagtop_app.plain.headless",
        "dagtop_app.console",
    }:  # something may have run, and have left threads behind
        from dagtop_app.plain.headless import end_process_soon  # noqa: PLC0415 - most commands run nothing

        end_process_soon(code, signals)
    return code


def call(arguments: Sequence[str]) -> int:
    """The same inside a process that goes on afterwards."""
    try:
        with own_secrets():
            return _call(arguments)
    except UsageError as error:
        return _refuse(error, arguments)


def _call(arguments: Sequence[str]) -> int:
    try:
        code = _do(arguments)
        with suppress(AttributeError, ValueError):  # a task has left None there, or what it has closed
            sys.stdout.flush()
    except UsageError as error:
        return _refuse(error, arguments)
    except KeyboardInterrupt:
        return _interrupted() or 130
    except BrokenPipeError:
        return _nobody_reads()
    except Exception as error:
        if isinstance(error, OSError) and error.errno in _CANNOT_WRITE and error.filename is None:
            tell(f"dagtop: stdout cannot be written: {error.strerror}")
            _nobody_reads()
            return 1
        # Ours are told in words, and after a signal nothing else counts. The rest are bugs, and keep their traceback.
        if (after_signal := _interrupted()) is not None:
            return after_signal
        from dagtop.errors import DagtopError  # noqa: PLC0415 - loaded already if it was raised

        if not isinstance(error, DagtopError):
            raise
        return _tell_problems(error)
    return code


def _do(arguments: Sequence[str]) -> int:
    if settings.wants_console(stdin=os.isatty(0), stdout=os.isatty(1)) and (asked := read(arguments)) is not None:
        parameters = checked(asked.graph, asked.output)
        from dagtop_app.commands.watching import watch_command  # noqa: PLC0415 - the console loads Textual

        return watch_command(asked.file, signals, asked.graph, parameters, asked.output, asked.keep, now=asked.now)
    from dagtop_app.commandline.cli import parse_and_do  # noqa: PLC0415 - the parser takes longer to load than all that is ours

    gc.enable()  # see `entry`; the console goes on without until there is something to see
    return parse_and_do(arguments)


def _interrupted() -> int | None:
    """The exit code of the signal that came before anything ran; None if none did."""
    # What interrupts an exec() of text, as dataclasses have them, makes Python end by SIGINT whatever the exit code: another
    # exec() takes that back.
    exec("")
    if signals.exit_code is not None:
        # Not by `tell`, which loads something: what was interrupted while it loads may not load any more.
        with suppress(OSError, ValueError, AttributeError):
            sys.stderr.write(f"dagtop: {name_of_signal(signals.received[0])}: nothing ran\n")
    return signals.exit_code


def _refuse(error: UsageError, arguments: Sequence[str]) -> int:
    from dagtop_app.commandline.cli import commands  # noqa: PLC0415 - only for errors
    from dagtop_app.text import clean  # noqa: PLC0415 - as above

    for line in error.lines:
        tell(f"dagtop: {clean(line, 1000)}")
    if not error.help_helps:
        return USAGE_ERROR
    command = f" {arguments[0]}" if arguments and arguments[0] in commands() else ""
    tell(f"Try 'dagtop{command} --help'.")
    return USAGE_ERROR


def _tell_problems(error: Exception) -> int:
    from dagtop_app.commandline.problems import problem_lines  # noqa: PLC0415 - only for errors

    for line in problem_lines(error):
        tell(line)
    return USAGE_ERROR


def _nobody_reads() -> int:
    """stdout has gone: point it elsewhere, so that Python's own flush at the end does not complain."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    return 141
