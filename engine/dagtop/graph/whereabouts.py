"""Which tasks run outside of the engine's process: what each says, or else what the graph says for plain functions."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from dagtop.core.policy import BackendName
from dagtop.errors import Flaw, OptionError
from dagtop.graph.binding import FromService
from dagtop.graph.check import Checked
from dagtop.graph.options import ExecutorConfig, check_installed

if TYPE_CHECKING:
    from dagtop.graph.written import Columns

_HERE = (BackendName.ASYNC, BackendName.THREAD)


def located(checked: Checked, columns: Columns, config: ExecutorConfig, place: str) -> Checked:
    """The checked graph with its `backends` and its `home`.

    Raises
    ------
    OptionError: what the graph's own backend needs is not installed.
    """
    default = BackendName(config.backend) if config.backend is not None else BackendName.THREAD
    try:
        check_installed(default)
    except ValueError as error:
        raise OptionError([Flaw(str(error), place)]) from None
    flaws: list[Flaw] = []
    backends: dict[int, BackendName] = {}
    if checked.specs is not None:
        if default not in _HERE and not checked.calls[0].is_async:
            backends = dict.fromkeys(range(len(checked.plan)), default)
    else:
        for index, call in enumerate(checked.calls):
            options = columns.options[index]
            where = BackendName(options["backend"]) if options.get("backend") else default
            if where in _HERE or call.is_async:
                continue
            backends[index] = where
            shared = next((source.name for _, source in call.arguments if type(source) is FromService), None)
            if shared is not None:
                flaws.append(
                    Flaw(
                        f"task {checked.plan.names[index]!r} runs with the graph's backend={where.value!r}, where the service "
                        f"{shared!r} of this process cannot go: give the task backend='thread'",
                        checked.plan.places.get(index, ""),
                    )
                )
    if flaws:
        raise OptionError(flaws)
    home = place.rpartition(":")[0]
    if not backends:
        return replace(checked, home=home)
    return replace(checked, plan=replace(checked.plan, backends=backends), home=home)
