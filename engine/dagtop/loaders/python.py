"""From a Python file to the graph that it defines.

The file runs as a module of its own name, once per `load`, with its folder first on `sys.path`. Its prints go to
stderr, and `if __name__ == "__main__"` does not run. What goes wrong on the way is a `LoadError` or a `GraphError`.
"""

from __future__ import annotations

import ast
import contextlib
import importlib
import inspect
import linecache
import os
import stat
import sys
import tokenize
import zlib
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from importlib.machinery import SourceFileLoader
from importlib.util import module_from_spec, spec_from_loader
from io import BytesIO
from types import CodeType, FunctionType, ModuleType
from typing import Any

from dagtop.core.values import dataclass
from dagtop.errors import LoadError
from dagtop.loaders import problems
from dagtop.loaders.arguments import arguments_of

#: Nobody writes a graph file of this size; a device or a dump has it.
LARGEST_FILE = 32 * 1024 * 1024

#: By path of a graph file: the modules beside it that it brought along, so that a second load gets them fresh.
_brought_along: dict[str, set[str]] = {}

#: Packages that are never taken for a graph file's own, though it may lie in a folder above them.
_OURS = frozenset({"dagtop", "dagtop_app", "dagtop_themes"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Loaded:
    """What a graph file gave."""

    target: Any
    """The graph, or whatever else of the `kinds` asked for."""
    name: str
    """The global it was found under, or the function that returned it."""
    source: str
    """Absolute path of the file, with ":NAME" if one was given: loading this again gives the same."""
    path: str
    """Absolute path of the file."""
    module: ModuleType
    taken: frozenset[str] = frozenset()
    """Parameters that the function that built it takes, whether they were given or not."""


@dataclass(frozen=True, slots=True)
class _Names:
    """The names that a file binds at its top level, with their lines."""

    own: Mapping[str, int]
    """Assigned or defined here."""
    imported: Mapping[str, int]


def load(
    path_and_name: str,
    parameters: Mapping[str, Any] | None = None,
    *,
    kinds: Sequence[type] | None = None,
    beside_a_run: bool = False,
) -> Loaded:
    """The graph that `FILE` or `FILE:NAME` defines.

    That is the one global that is of one of the `kinds` (an object of several names counts once; what was imported
    counts only if the file defines none itself; a graph that another candidate wraps as `.graph`, or that is a node of it, does
    not count; a `MetaDAG` comes before the others), NAME when there are several, or else what the file's `build()` returns.

    Parameters
    ----------
    path_and_name: the file, and after a colon the name of a global if there are several. A path that exists as it is
        is never split.
    parameters: values that `build` is given, by name, if it takes them.
    kinds: the types that count, `Graph` by default.
    beside_a_run: tasks run meanwhile, which go on printing where they did; see `loaders.again`.

    Raises
    ------
    LoadError: the file cannot be read, does not run to its end, or defines no graph, or several.
    GraphError: the file builds a graph that cannot be.
    """
    path, name = split(path_and_name)
    source = _read(path)
    code, names = _compile(path, source)
    with _as_a_script(path, quiet=not beside_a_run):
        module = _run(path, source, code)
        found = _Search(path, module, names, tuple(kinds) if kinds else _default_kinds())
        target, found_name, taken = found.named(name, parameters or {}) if name else found.only(parameters or {})
    return Loaded(
        target=target,
        name=found_name,
        source=f"{path}:{name}" if name else path,
        path=path,
        module=module,
        taken=taken,
    )


def split(path_and_name: str) -> tuple[str, str]:
    """The absolute path of the file and the name that was given, or "".

    Raises
    ------
    LoadError: there is no such file.
    """
    if not path_and_name:
        raise LoadError("no graph file was named")
    if "\0" in path_and_name:
        raise LoadError("a file name cannot contain null bytes", place=path_and_name.partition("\0")[0])
    path, name = path_and_name, ""
    if not os.path.exists(path):
        before, colon, after = path_and_name.rpartition(":")
        if colon and before and (os.path.exists(before) or after.isidentifier()):
            path, name = before, after
            if not after.isidentifier():
                raise LoadError(f"{after!r} is not a name; write FILE:NAME", place=path)
    if not os.path.exists(path):
        raise problems.no_such_file(path)
    return os.path.abspath(path), name


def _default_kinds() -> tuple[type, ...]:
    from dagtop.graph import Graph, MetaDAG  # noqa: PLC0415 - the graph stands above the loaders

    return (Graph, MetaDAG)


# -- reading ----------------------------------------------------------------------------------------------------------


def _read(path: str) -> bytes:
    try:
        mode = os.stat(path).st_mode
        if stat.S_ISDIR(mode):
            raise problems.a_folder(path)
        if not (stat.S_ISREG(mode) or stat.S_ISFIFO(mode)):
            raise LoadError("this is not a file but a device or a socket; give a graph file", place=path)
        with open(path, "rb") as file:
            source = file.read(LARGEST_FILE + 1)
    except OSError as error:
        raise LoadError(f"it cannot be read: {error.strerror or error}", place=path) from error
    if len(source) > LARGEST_FILE:
        raise LoadError("it is larger than 32 MB, which no graph file is", place=path)
    if (at := source.find(b"\0")) >= 0:
        line = source.count(b"\n", 0, at) + 1
        raise LoadError("it contains null bytes; save it as UTF-8 text", place=f"{path}:{line}")
    return source


def _decode(path: str, source: bytes) -> str:
    try:
        encoding, _ = tokenize.detect_encoding(BytesIO(source).readline)
        return source.decode(encoding)
    except UnicodeDecodeError as error:
        line = source.count(b"\n", 0, error.start) + 1
        bad = source[error.start : error.start + 1]
        raise LoadError(
            f"it is not {error.encoding} text (byte 0x{bad.hex()}); save it as UTF-8", place=f"{path}:{line}"
        ) from error
    except SyntaxError as error:  # an unknown encoding in the first two lines, or bad UTF-8 there
        bad_line = next((i for i, line in enumerate(source.split(b"\n"), 1) if not _is_utf8(line)), 1)
        reason = "it is not UTF-8 text; save it as UTF-8" if not _is_utf8(source) else str(error.msg)
        raise LoadError(reason, place=f"{path}:{bad_line}") from error


def _is_utf8(text: bytes) -> bool:
    try:
        text.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def _compile(path: str, source: bytes) -> tuple[CodeType, _Names]:
    _decode(path, source)
    try:
        tree = ast.parse(source, path)
        return compile(tree, path, "exec", dont_inherit=True), _top_level_names(tree)
    except SyntaxError as error:
        raise problems.syntax(path, error) from error
    except (RecursionError, MemoryError) as error:
        raise LoadError("it is nested too deeply for Python to compile", place=path) from error
    except ValueError as error:
        raise LoadError(str(error), place=path) from error


def _top_level_names(tree: ast.Module) -> _Names:
    own: dict[str, int] = {}
    imported: dict[str, int] = {}
    queue: list[ast.AST] = list(reversed(tree.body))
    while queue:
        node = queue.pop()
        match node:
            case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
                own[node.name] = node.lineno
            case ast.Import() | ast.ImportFrom():
                for alias in node.names:
                    imported[alias.asname or alias.name.partition(".")[0]] = node.lineno
            case ast.Lambda():
                pass
            case ast.Name(id=name, ctx=ast.Store()):
                own[name] = node.lineno
            case _:
                queue.extend(reversed(list(ast.iter_child_nodes(node))))
    return _Names(own, imported)


# -- running ----------------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def _as_a_script(path: str, *, quiet: bool) -> Generator[None, None, None]:
    """The file sees its own name in `sys.argv`, not dagtop's arguments; if it is to be quiet, its prints go to stderr."""
    argv = sys.argv
    sys.argv = [path]
    try:
        with contextlib.redirect_stdout(sys.stderr) if quiet else contextlib.nullcontext():
            yield
    finally:
        sys.argv = argv


def _module_name(path: str) -> str:
    """A name that `import` and pickle can find again and that hides no other module."""
    stem = os.path.basename(path).partition(".")[0]
    if not stem.isidentifier():
        stem = "".join(c if c.isalnum() or c == "_" else "_" for c in stem)
        stem = stem if stem.isidentifier() else f"graph_{stem}"
    present = sys.modules.get(stem)
    taken = stem in sys.stdlib_module_names or (present is not None and getattr(present, "__file__", None) != path)
    return f"{stem}_{zlib.crc32(os.fsencode(path)):08x}" if taken else stem


def _forget_what_it_brought_along(path: str) -> None:
    importlib.invalidate_caches()
    for name in _brought_along.pop(path, set()):
        sys.modules.pop(name, None)


def _remember_what_it_brought_along(path: str, before: set[str]) -> None:
    names = set(_beside(path, set(sys.modules) - before))
    _brought_along.setdefault(path, set()).update(names)
    for name in names:
        _keep_text(str(sys.modules[name].__file__))


def _keep_text(path: str) -> None:
    """Have tracebacks, and whoever asks for the text of a function, see what runs, also after the file was edited."""
    if not (lines := linecache.updatecache(path)):
        return
    # Without a time the entry is never thrown away.
    linecache.cache[path] = (sum(map(len, lines)), None, lines, path)


def _beside(path: str, names: Iterable[str]) -> Iterator[str]:
    """Plain modules from the file's own folder: what is installed there or compiled does not bear a second import."""
    folder = os.path.dirname(path) + os.sep
    for name in names:
        try:
            file = str(getattr(sys.modules[name], "__file__", None) or "")
        except Exception:  # noqa: BLE001 - anything may stand in for a module, also one that raises when looked at
            continue
        inside = file.startswith(folder) and file.endswith(".py") and "-packages" not in file[len(folder) :]
        if inside and name.partition(".")[0] not in _OURS:
            yield name


def own_modules(path: str) -> list[str]:
    """Names of the modules that the file is, and that it brought along from its own folder, as far as they are loaded."""
    names = [*_brought_along.get(path, ()), _module_name(path)]
    return [name for name in dict.fromkeys(names) if name in sys.modules]


def put_back(path: str, modules: Mapping[str, ModuleType]) -> None:
    """Have the file's `own_modules` be those that they were, by name."""
    for name in own_modules(path):
        sys.modules.pop(name, None)
    sys.modules.update(modules)
    _brought_along[path] = set(modules)


def _run(path: str, source: bytes, code: CodeType) -> ModuleType:
    _forget_what_it_brought_along(path)
    folder = os.path.dirname(path)
    if not sys.path or sys.path[0] != folder:
        sys.path.insert(0, folder)
    name = _module_name(path)
    spec = spec_from_loader(name, SourceFileLoader(name, path), is_package=False)
    assert spec is not None
    module = module_from_spec(spec)
    module.__file__ = path
    text = _decode(path, source)
    # As `_keep_text` does, of what was read already.
    linecache.cache[path] = (len(source), None, text.splitlines(keepends=True), path)
    before = set(sys.modules)
    sys.modules[name] = module
    try:
        exec(code, module.__dict__)
    except BaseException as error:  # whatever it is, even SystemExit, it is the file's own
        if sys.modules.get(name) is module:
            del sys.modules[name]
        raise problems.while_running(path, error) from error
    finally:
        _remember_what_it_brought_along(path, before)
    return module


# -- finding the graph ------------------------------------------------------------------------------------------------

_Found = tuple[Any, str, frozenset[str]]


class _Search:
    """Looks for the one object that is meant, among the globals of a module."""

    def __init__(self, path: str, module: ModuleType, names: _Names, kinds: tuple[type, ...]) -> None:
        self._path = path
        self._globals = dict(vars(module))
        self._names = names
        self._kinds = kinds

    def only(self, parameters: Mapping[str, Any]) -> _Found:
        """The one candidate of the most likely sort, or what `build()` returns."""
        candidates = self._candidates()
        own = [name for name in candidates if name in self._names.own]
        group = [name for name in own if not name.startswith("_")] or own or candidates
        group = self._outermost(group)
        if len(group) == 1:
            return self._globals[group[0]], group[0], frozenset()
        build = self._globals.get("build")
        if isinstance(build, FunctionType) and (not candidates or build.__code__.co_filename == self._path):
            return self._call("build", build, parameters)
        if candidates:
            raise problems.several(self._path, [(n, self._line(n), type(self._globals[n]).__name__) for n in group])
        raise problems.no_graph(self._path, [kind.__name__ for kind in self._kinds])

    def named(self, name: str, parameters: Mapping[str, Any]) -> _Found:
        """The global of that name, or what the function of that name returns."""
        if name not in self._globals:
            graphs = self._candidates()
            hint = problems.nearest(name, graphs) or problems.nearest(name, self._names.own)
            listed = f"; its graphs are {', '.join(graphs)}" if graphs else ""
            raise LoadError(f"it has no {name!r}{hint}{listed}", place=self._path)
        value = self._globals[name]
        if isinstance(value, self._kinds):
            return value, name, frozenset()
        if isinstance(value, FunctionType):
            return self._call(name, value, parameters)
        raise LoadError(
            f"{name!r} is {_a(type(value).__name__)}, not {_a(' or '.join(kind.__name__ for kind in self._kinds))}",
            place=self._place(name),
        )

    def _candidates(self) -> list[str]:
        """Names of the objects that count, each object once, without graphs that another one wraps."""
        by_id: dict[int, str] = {}
        for name, value in self._globals.items():
            if issubclass(type(value), self._kinds):  # isinstance would ask strange objects for their class
                kept = by_id.get(id(value))
                # Of several names the file's own one is the better: it has a line.
                if kept is None or (kept not in self._names.own and name in self._names.own):
                    by_id[id(value)] = name
        wrapped = {
            id(inner)
            for name in by_id.values()
            for place in ("graph", "declared")
            if (inner := getattr(self._globals[name], place, None)) is not self._globals[name]
        }
        return [name for key, name in by_id.items() if key not in wrapped]

    def _outermost(self, group: list[str]) -> list[str]:
        """Without what is a node of another one, and, if there are graphs of graphs, these alone."""
        holders = {name: held for name in group if (held := getattr(self._globals[name], "holds", None)) is not None}
        inside = {id(one) for held in holders.values() for one in held()}
        return [name for name in holders if id(self._globals[name]) not in inside] or group

    def _line(self, name: str) -> int | None:
        return self._names.own.get(name) or self._names.imported.get(name)

    def _place(self, name: str) -> str:
        line = self._line(name)
        return f"{self._path}:{line}" if line else self._path

    def _call(self, name: str, build: Callable[..., Any], parameters: Mapping[str, Any]) -> _Found:
        if inspect.iscoroutinefunction(build):
            raise LoadError(f"{name}() must be a plain function, not async", place=self._place(name))
        arguments = arguments_of(name, build, parameters)
        if arguments.wrong:
            raise LoadError(arguments.wrong, place=self._place(name))
        try:
            result = build(**arguments.given)
        except BaseException as error:  # as with the import: whatever it is, it is the file's own
            raise problems.while_running(self._path, error, doing=f"{name}()") from error
        if result is None:
            raise LoadError(f"{name}() returns nothing; end it with `return graph`", place=self._place(name))
        if not isinstance(result, self._kinds):
            wanted = " or ".join(kind.__name__ for kind in self._kinds)
            raise LoadError(
                f"{name}() returns {_a(type(result).__name__)}, not {_a(wanted)}",
                place=self._place(name),
            )
        return result, name, arguments.takes


def _a(name: str) -> str:
    return f"{'an' if name[:1] in 'AEIOUaeiou' else 'a'} {name}"
