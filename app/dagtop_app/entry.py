"""Where the `dagtop` command begins. Nothing slow is imported before it is known what is asked for."""

from __future__ import annotations

import _signal  # type: ignore[import-not-found]  # pyright: ignore[reportMissingImports]  # built in: `signal` takes a while
import sys


def main() -> None:
    """Run the command line and leave with its exit code."""
    if _signal.getsignal(_signal.SIGINT) is _signal.default_int_handler:
        _signal.signal(_signal.SIGINT, _signal.SIG_DFL)  # Ctrl+C while we load ends it, and leaves no traceback
    if sys.argv[1:] in (["--version"], ["-V"]):
        from dagtop_app.version import VERSION  # noqa: PLC0415 - see above

        try:
            print(f"dagtop {VERSION}", flush=True)
        except OSError:
            pass  # on the long way it is answered for
        else:
            return
    import gc  # noqa: PLC0415 - see above

    gc.disable()  # what loads is no garbage, and looking for it takes a tenth of start-up; on again when it is over
    from dagtop_app.commandline.calling import run_command_line  # noqa: PLC0415 - see above

    sys.exit(run_command_line(sys.argv[1:]))


if __name__ == "__main__":
    main()
