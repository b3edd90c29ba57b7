"""Plugins by name: those that installed packages bring, in the entry-point group `dagtop.plugins`, and dagtop's own.

A package brings one by naming, in its pyproject.toml, a `Plugin` subclass, a function that makes a plugin, or a plugin:

    [project.entry-points."dagtop.plugins"]
    pager = "acme_pager:Pager"
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, TypeAlias

from dagtop.core.nearest import nearest
from dagtop.errors import DagtopError
from dagtop.ports.plugin import Plugin

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

GROUP = "dagtop.plugins"

#: "installed": all that packages bring. Else plugins, classes of plugins, and names, of which "installed" may be one.
Wanted: TypeAlias = Literal["installed"] | Sequence[Plugin | type[Plugin] | str]

#: dagtop's own, by name: where they are, and what must be installed for them.
OWN = {
    "otel": ("dagtop.observe.opentelemetry:OpenTelemetryPlugin", "opentelemetry"),
    "prometheus": ("dagtop.observe.prometheus:PrometheusPlugin", "prometheus_client"),
}


class Loaded(NamedTuple):
    """Plugins, and a sentence for each one that could not be loaded."""

    plugins: list[Plugin]
    problems: list[str]


def check_wanted(wanted: object) -> None:
    """See that plugins can be loaded from it.

    Raises
    ------
    ValueError: they cannot; the message says what would do.
    """
    if wanted is None or (isinstance(wanted, str) and wanted == "installed"):
        return
    if isinstance(wanted, (str, bytes)) or not isinstance(wanted, Iterable):
        raise ValueError(f'plugins must be "installed", or a list of plugins and names of plugins, not {wanted!r}')
    for one in wanted:
        if not isinstance(one, (str, Plugin)) and not (isinstance(one, type) and issubclass(one, Plugin)):
            raise ValueError(f"{one!r} is no plugin: derive it from dagtop.Plugin")


def check_names(names: Iterable[str]) -> None:
    """See that there are plugins of these names, and what dagtop's own need, without loading any.

    Raises
    ------
    DagtopError: one is not there.
    """
    for name in names:
        if name in OWN and find_spec(OWN[name][1]) is None:
            raise DagtopError(f"could not load plugin {name!r}: {_not_installed(name)}")
        if name not in OWN and name != "installed":
            try:
                _entry_point(name)
            except DagtopError as error:
                raise DagtopError(_sentence(name, error)) from None


def load_plugins(wanted: Wanted | None) -> Loaded:
    """Load them, each one only once. One that cannot be loaded is a problem, whatever it raised."""
    loaded = Loaded([], [])
    own: set[type] = set()
    if wanted is None:
        return loaded
    for one in _wanted(wanted):
        try:
            plugin = _plugin(one)
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # noqa: BLE001 - code of others, which may even call sys.exit (B16)
            loaded.problems.append(_sentence(one, error))
        else:
            if not _is_entry_point(one):
                own.add(type(plugin))
            elif type(plugin) in own:
                continue  # the program brings it itself, set up as it wants it
            loaded.plugins.append(plugin)
    return loaded


def _wanted(wanted: Wanted) -> list[Any]:
    if isinstance(wanted, str):
        return _installed()
    names = [one for one in wanted if isinstance(one, str)]
    found: list[Any] = [one for one in wanted if not isinstance(one, str)]
    found += dict.fromkeys(name for name in names if name != "installed")
    return [*found, *_installed()] if "installed" in names else found


def _installed() -> list[EntryPoint]:
    from importlib.metadata import entry_points  # noqa: PLC0415 - slow to load, and only where names are looked up

    return sorted(entry_points(group=GROUP), key=lambda point: (point.name, point.value))


def _plugin(one: Any) -> Plugin:
    if isinstance(one, str):
        one = _named(one)
    made = one.load() if _is_entry_point(one) else one
    if not isinstance(made, Plugin):
        if not callable(made):
            raise TypeError(f"{made!r} is no plugin and makes none")
        made = made()
    if not isinstance(made, Plugin):
        raise TypeError(f"it makes a {type(made).__name__}, which is not derived from dagtop.Plugin")
    return made


def _is_entry_point(one: Any) -> bool:
    return getattr(one, "group", None) == GROUP


def _named(name: str) -> Any:
    if name in OWN:
        module, _, attribute = OWN[name][0].partition(":")
        return getattr(import_module(module), attribute)
    return _entry_point(name)


def _entry_point(name: str) -> EntryPoint:
    points = {point.name: point for point in _installed()}
    if name not in points:
        known = [*OWN, *points]
        raise DagtopError(f"there is no such plugin{nearest(name, known)}; there are {', '.join(sorted(known))}")
    return points[name]


def _not_installed(name: str) -> str:
    return f"{OWN[name][1]} is not installed: pip install 'dagtop[{name}]'"


def _sentence(one: Any, error: BaseException) -> str:
    name, source = str(getattr(one, "name", "") or getattr(one, "__name__", one)), ""
    if _is_entry_point(one) and one.dist is not None:
        source = f" of {one.dist.name} {one.dist.version}"
    if isinstance(one, str) and one in OWN and isinstance(error, ImportError):
        return f"could not load plugin {name!r}: {_not_installed(one)}"
    kind = "" if isinstance(error, DagtopError) else f"{type(error).__name__}: "
    return f"could not load plugin {name!r}{source}: {kind}{_text(error)}"[:500]


def _text(error: BaseException) -> str:
    try:
        return str(error)
    except BaseException as broken:  # noqa: BLE001 - the user's __str__
        return f"<its message cannot be read: {type(broken).__name__}>"
