"""Where the cache of a run is: in a file that was asked for, in the journal's, or else in memory."""

from __future__ import annotations

import os
from functools import partial

from dagtop.errors import JournalError
from dagtop.graph.runnable import Runnable
from dagtop.journal import schema
from dagtop.journal.cache_file import SqliteCache
from dagtop.journal.cache_memory import MemoryCache
from dagtop.ports.cache import Cache
from dagtop.runtime.reports import Reports


def place_of(wanted: object, journal: object, graph: Runnable, source: str, reports: Reports) -> Cache:
    """The cache of a graph's tasks.

    Parameters
    ----------
    wanted: `ExecutorConfig.cache`.
    journal: that of the run, if there is one.
    source: the file that the graph was loaded from, if there is one.
    """
    origin = schema.key(source or f"\0{graph.place.rpartition(':')[0]}\0{graph.name}")
    path = wanted if isinstance(wanted, (str, os.PathLike)) else getattr(journal, "path", None)
    if path is None:
        return MemoryCache(origin)
    try:
        return SqliteCache(path, origin, partial(reports.problem, "cache"))
    except JournalError as error:
        reports.problem("cache", f"it lasts as long as this process: {error}")
        return MemoryCache(origin)
