"""A census of Python's own standard library: what is in it, how big it is, and who imports whom.

Shows a fan-out and a fan-in over real work. Each package, and each handful of single modules, is parsed with `ast` in a
task of its own, which reports progress and logs; the tasks after them add up.

    dagtop sample_graphs/stdlib_census.py
    dagtop sample_graphs/stdlib_census.py -p only=asyncio,json,email

It needs nothing but the Python that runs it, and takes a few seconds. Parsing is computing, so it is done in worker processes
(`backend="process"`): every core helps, and the console stays as quick as without it. What only adds up runs in threads.
"""

from __future__ import annotations

import ast
import sysconfig
from collections import Counter
from functools import partial
from pathlib import Path
from typing import Any

from dagtop import Graph, TaskContext

LIBRARY = Path(sysconfig.get_paths()["stdlib"])
LEFT_OUT = {"test", "tests", "idle_test", "site-packages", "dist-packages", "__pycache__", "lib2to3", "turtledemo"}
MODULES_PER_TASK = 12
BLOCKS = (
    *(ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.If, ast.For, ast.AsyncFor, ast.While),
    *(ast.With, ast.AsyncWith, ast.Try, ast.Match),
)

Census = dict[str, Any]


def parts(only: str = "") -> dict[str, list[Path]]:
    """What each parsing task has to read: a package, or some of the modules that are single files."""
    wanted = {name.strip() for name in only.split(",") if name.strip()}
    found: dict[str, list[Path]] = {}
    single: list[Path] = []
    for path in sorted(LIBRARY.iterdir()):
        if wanted and path.stem not in wanted:
            continue
        if path.suffix == ".py":
            single.append(path)
        elif path.name not in LEFT_OUT and (path / "__init__.py").exists():
            found[path.name] = files_of(path)
    for start in range(0, len(single), MODULES_PER_TASK):
        some = single[start : start + MODULES_PER_TASK]
        found[f"{some[0].stem}…{some[-1].stem}" if len(some) > 1 else some[0].stem] = some
    return found


def files_of(package: Path) -> list[Path]:
    """Every Python file of a package, without its tests."""
    return sorted(p for p in package.rglob("*.py") if not LEFT_OUT.intersection(p.relative_to(package).parts))


# -- one file ---------------------------------------------------------------------------------------------------------


def census_of(path: Path) -> Census:
    """Count one module."""
    source = path.read_bytes()
    tree = ast.parse(source, str(path))
    counts = Counter(type(node) for node in ast.walk(tree))
    return {
        "module": module_name(path),
        "lines": source.count(b"\n"),
        "functions": counts[ast.FunctionDef] + counts[ast.AsyncFunctionDef],
        "classes": counts[ast.ClassDef],
        "nesting": deepest_nesting(tree),
        "imports": sorted(imports_of(tree)),
    }


def module_name(path: Path) -> str:
    """The name under which the file is imported."""
    name = ".".join(path.relative_to(LIBRARY).with_suffix("").parts)
    return name.removesuffix(".__init__")


def deepest_nesting(tree: ast.Module) -> int:
    """How many blocks (def, class, if, for, while, with, try, match) are inside each other at most."""
    deepest = 0
    stack: list[tuple[ast.AST, int]] = [(tree, 0)]
    while stack:
        node, depth = stack.pop()
        depth += isinstance(node, BLOCKS)
        deepest = max(deepest, depth)
        for child in ast.iter_child_nodes(node):
            # `elif` is an `if` in the `else` of another one, at the same indentation.
            is_elif = isinstance(node, ast.If) and isinstance(child, ast.If) and child.col_offset == node.col_offset
            stack.append((child, depth - is_elif))
    return deepest


def imports_of(tree: ast.Module) -> set[str]:
    """The top-level packages that a module imports, wherever in it; relative imports are left out."""
    found: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found.update(alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found.add(node.module.partition(".")[0])
    return found


# -- the tasks --------------------------------------------------------------------------------------------------------


def parse(paths: list[Path], ctx: TaskContext) -> list[Census]:
    """Count some modules; a file that cannot be parsed is told and left out."""
    done: list[Census] = []
    for number, path in enumerate(paths):
        if ctx.cancelled:
            break
        ctx.progress(number, len(paths), path.name)
        try:
            done.append(census_of(path))
        except (SyntaxError, ValueError) as error:
            ctx.log.warning("%s cannot be parsed: %s", path.name, error)
    ctx.progress(len(paths), len(paths))
    ctx.log.info("%d modules, %d lines", len(done), sum(module["lines"] for module in done))
    return done


def all_modules(ctx: TaskContext) -> list[Census]:
    """The fan-in: what all parsing tasks found."""
    return [module for found in ctx.upstream.values() for module in found]


def biggest(all_modules: list[Census]) -> list[tuple[str, int]]:
    """The packages with the most lines."""
    lines: Counter[str] = Counter()
    for module in all_modules:
        lines[module["module"].partition(".")[0]] += module["lines"]
    return lines.most_common(10)


def most_imported(all_modules: list[Census]) -> list[tuple[str, int]]:
    """The packages that the most modules of other packages import."""
    users: Counter[str] = Counter()
    for module in all_modules:
        own = module["module"].partition(".")[0]
        users.update(name for name in module["imports"] if name not in {own, "__future__"})
    return users.most_common(10)


def greediest(all_modules: list[Census]) -> list[tuple[str, int]]:
    """The modules that import the most."""
    return Counter({module["module"]: len(module["imports"]) for module in all_modules}).most_common(5)


def deepest(all_modules: list[Census]) -> list[tuple[str, int]]:
    """The modules with the deepest nesting."""
    return Counter({module["module"]: module["nesting"] for module in all_modules}).most_common(5)


def totals(all_modules: list[Census]) -> dict[str, int]:
    """Everything added up."""
    return {
        "modules": len(all_modules),
        **{key: sum(module[key] for module in all_modules) for key in ("lines", "functions", "classes")},
    }


def report(
    totals: dict[str, int],
    biggest: list[tuple[str, int]],
    most_imported: list[tuple[str, int]],
    greediest: list[tuple[str, int]],
    deepest: list[tuple[str, int]],
) -> dict[str, Any]:
    """Print it for people and return it for programs."""
    print(", ".join(f"{count:,} {what}" for what, count in totals.items()))
    tables = {
        "lines": biggest,
        "modules that import it": most_imported,
        "packages that it imports": greediest,
        "blocks inside each other": deepest,
    }
    for what, rows in tables.items():
        print(f"\n{what}:")
        for name, count in rows:
            print(f"  {count:>8,}  {name}")
    return {"totals": totals, "biggest": biggest, "most_imported": most_imported, "deepest": deepest}


def build(only: str = "") -> Graph:
    """The graph. `only`: names of packages and modules to look at, separated by commas."""
    graph = Graph("stdlib_census", max_parallel=6)
    parsing: list[str] = []
    for name, paths in parts(only).items():
        parsing.append(f"parse {name}")
        size = sum(path.stat().st_size for path in paths)
        graph.add(parsing[-1], partial(parse, paths), cost=max(1, size / 10_000), tags=["parse"], backend="process")
    graph.add("all_modules", all_modules, depends_on=parsing)
    for task in (biggest, most_imported, greediest, deepest, totals, report):
        graph.add(task.__name__, task, description=task.__doc__ or "")
    return graph
