"""Packing functions and values for another process, and saying what it is that cannot be packed.

What a graph file defines goes by value: the file was loaded by its path, or is the script itself, and importing it over there
would run it again. What the other side can import goes by reference.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from importlib.machinery import PathFinder
from types import ModuleType
from typing import Any

import cloudpickle  # type: ignore[import-untyped] # pyright: ignore[reportMissingTypeStubs]

from dagtop.errors import TransferError
from dagtop.ports.read_again import READ_AGAIN

_registering = threading.RLock()  # cloudpickle has one registry for the whole process


class Packer:
    """Packs for one run.

    Parameters
    ----------
    home: the file that defines the graph, or "".
    """

    def __init__(self, home: str) -> None:
        self._home = home
        self._functions: dict[int, tuple[Callable[..., Any], int, bytes]] = {}
        self._modules: dict[str, ModuleType | None] = {}
        self._lock = threading.Lock()

    def function(self, task: str, fn: Callable[..., Any]) -> tuple[int, bytes]:
        """(a number for this function, itself); packed once.

        Raises
        ------
        TransferError: it cannot be packed; the message names what it is that cannot.
        """
        with self._lock:
            found = self._functions.get(id(fn))
            if found is None:
                try:
                    packed = self._dumps(fn, fn)
                except Exception as error:
                    raise TransferError(self._blame_function(task, fn, error)) from error
                found = self._functions[id(fn)] = fn, len(self._functions), packed
        return found[1], found[2]

    def call(
        self, task: str, fn: Callable[..., Any], call: Any, named: Callable[[], Iterable[tuple[str, Any]]]
    ) -> bytes:
        """A call; `named` gives the user's values in it, with what to call them in an error.

        Raises
        ------
        TransferError: it cannot be packed.
        """
        try:
            return self._dumps(call, fn)
        except Exception as error:
            for name, value in named():
                trouble = self._trouble(value, fn)
                if trouble is not None:
                    raise TransferError(
                        f"{name} of task {task!r}, {_a(value)}, cannot be sent to another process: {_said(trouble)}; "
                        "hand over plain data, or leave backend out so that the task runs in a thread"
                    ) from error
            raise TransferError(
                f"the call of task {task!r} cannot be sent to another process: {_said(error)}"
            ) from error

    # -- inside -----------------------------------------------------------------------------------------------------

    def _dumps(self, value: Any, fn: Callable[..., Any]) -> bytes:
        with _by_value(self._by_value_modules(fn)):
            return cloudpickle.dumps(value, protocol=5)  # type: ignore[no-any-return]

    def _trouble(self, value: Any, fn: Callable[..., Any]) -> Exception | None:
        try:
            self._dumps(value, fn)
        except Exception as error:  # noqa: BLE001 - the user's objects decide how they are pickled
            return error
        return None

    def _by_value_modules(self, fn: Callable[..., Any]) -> list[ModuleType]:
        home = self._module("", lambda: _module_of_file(self._home))
        name = _module_name(fn)
        own = self._module(name, lambda: _if_not_importable(name))
        again = [module for one in READ_AGAIN if (module := sys.modules.get(one)) is not None] if READ_AGAIN else []
        return list({module.__name__: module for module in (home, own, *again) if module is not None}.values())

    def _module(self, name: str, find: Callable[[], ModuleType | None]) -> ModuleType | None:
        if name not in self._modules:
            self._modules[name] = find()
        return self._modules[name]

    def _blame_function(self, task: str, fn: Callable[..., Any], error: Exception) -> str:
        for what, name, value in _reached_by(fn):
            trouble = self._trouble(value, fn)
            if trouble is not None:
                return (
                    f"the function of task {task!r} cannot be sent to another process, because of the {what} {name!r} that it "
                    f"uses, {_a(value)}: {_said(trouble)}; make it in the function, or leave backend out"
                )
        return f"the function of task {task!r} cannot be sent to another process: {_said(error)}"


def pack_output(output: Any) -> bytes:
    """What a task returned, on the far side."""
    return cloudpickle.dumps(output, protocol=5)  # type: ignore[no-any-return]


def describe(value: Any, error: Exception) -> str:
    """What could not be packed and why, for a sentence."""
    return f"{_a(value)}, cannot be sent back to the engine: {_said(error)}"


@contextmanager
def _by_value(modules: Iterable[ModuleType]) -> Generator[None]:
    with _registering:
        present = cloudpickle.list_registry_pickle_by_value()
        ours = [module for module in modules if module.__name__ not in present and module.__name__ in sys.modules]
        try:
            for module in ours:
                cloudpickle.register_pickle_by_value(module)
            yield
        finally:
            for module in ours:
                cloudpickle.unregister_pickle_by_value(module)


def _module_name(fn: object) -> str:
    while isinstance(fn, partial):
        fn = fn.func
    return str(getattr(fn, "__module__", "") or "")


def _module_of_file(path: str) -> ModuleType | None:
    """The module that was made of this file, unless it is installed: then it can be imported everywhere."""
    if not path or "-packages" in path:
        return None
    for name, module in list(sys.modules.items()):
        if name != "__main__" and vars(module).get("__file__") == path if type(module) is ModuleType else False:
            return module
    return None


def _if_not_importable(name: str) -> ModuleType | None:
    """The module, if `import` would not find it or something else."""
    module = sys.modules.get(name)
    if name in {"", "__main__", "builtins"} or type(module) is not ModuleType:
        return None
    top = sys.modules.get(name.partition(".")[0], module)
    try:
        spec = PathFinder.find_spec(top.__name__)
    except (ImportError, AttributeError, ValueError):
        spec = None
    file = vars(top).get("__file__")
    if file is None or (spec is not None and spec.origin == file):
        return None
    return module


def _reached_by(fn: Callable[..., Any]) -> Iterator[tuple[str, str, Any]]:
    """The globals and variables that a function uses."""
    while isinstance(fn, partial):
        yield from (("argument", f"#{i}", value) for i, value in enumerate(fn.args, 1))
        yield from (("argument", name, value) for name, value in fn.keywords.items())
        fn = fn.func
    code = getattr(fn, "__code__", None)
    if code is None:
        return
    names: Mapping[str, Any] = getattr(fn, "__globals__", {})
    yield from (("global", name, names[name]) for name in code.co_names if name in names)
    for name, cell in zip(code.co_freevars, getattr(fn, "__closure__", None) or (), strict=False):
        try:
            yield "variable", name, cell.cell_contents
        except ValueError:  # empty still
            continue


def _a(value: object) -> str:
    name = type(value).__qualname__[:80]
    return f"{'an' if name[:1] in 'AEIOUaeiou' else 'a'} {name}"


def _said(error: Exception) -> str:
    try:
        return (str(error) or type(error).__name__)[:500]
    except Exception:  # noqa: BLE001 - the user's __str__
        return type(error).__name__
