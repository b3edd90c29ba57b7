"""From a graph that was made ready to what carries it out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from dagtop.ports.journal import Journal
from dagtop.ports.recorder import Recorder

from dagtop_app.commandline.options import OutputOptions
from dagtop_app.launching.preparing import Prepared

if TYPE_CHECKING:
    from dagtop import DAGExecutor
    from dagtop.journal.resume import Resumption


def executor_for(
    prepared: Prepared,
    recorders: Sequence[Recorder],
    *,
    journal: Journal | None,
    output: OutputOptions,
    resume: Resumption | None = None,
) -> DAGExecutor:
    """What runs it, with the file's own recorders and plugins, ours, and the plugins that are installed."""
    from dagtop import DAGExecutor  # noqa: PLC0415 - what carries out a run is a third of all that is to be imported

    options: dict[str, Any] = {
        "recorders": [*prepared.recorders, *recorders],
        "journal": journal,
        "source": prepared.source,
        "resume": resume,
        "capture": True,
        "options": dict(prepared.options),
        "plugins": [*prepared.plugins, *output.plugin, *(() if output.no_plugins else ["installed"])],
    }
    if prepared.reconciler is not None:
        executor = prepared.reconciler.executor(prepared.config, **options)
    else:
        executor = DAGExecutor(prepared.graph, prepared.config, **options)
    for listener in prepared.listeners:
        executor.listeners.add(listener)
    return executor
