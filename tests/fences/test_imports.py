"""What must not be imported where: start-up is paid by everybody, each time."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ENVIRON = {
    "PATH": os.environ["PATH"],
    "PYTHONPATH": os.pathsep.join(str(ROOT / name) for name in ("engine", "app", "themes")),
}


def modules_after(code: str, folder: Path) -> set[str]:
    """The modules that are there after the code has run in an interpreter of its own."""
    script = f"import sys\n{code}\nsys.stdout = sys.__stdout__\nprint('modules:', *sorted(sys.modules))"
    environ = ENVIRON | {"HOME": str(folder), "DAGTOP_DB": str(folder / "runs.db")}
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=folder, env=environ, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return set(done.stdout.rpartition("modules: ")[2].split())


def packages(modules: set[str]) -> set[str]:
    return {name.partition(".")[0] for name in modules}


def test_the_version_costs_nothing_but_itself(tmp_path):
    code = "sys.argv[1:] = ['--version']\nfrom dagtop_app.entry import main\nmain()"
    ours = {"dagtop_app", "dagtop_app.entry", "dagtop_app.version"}
    assert modules_after(code, tmp_path) - modules_after("import __future__", tmp_path) == ours


def test_the_engine_knows_no_terminal_and_no_command_line(tmp_path):
    unwanted = {
        "textual",
        "rich",
        "cyclopts",
        "jinja2",
        "sqlite3",
        "platformdirs",
        "dagtop_app",
        "dagtop_themes",
        "trio",
    }
    everything = "from dagtop import *\nimport dagtop.runtime.blocking"
    assert not packages(modules_after(everything, tmp_path)) & unwanted


def test_a_graph_is_declared_without_the_engine_and_without_a_loop(tmp_path):
    code = "from dagtop import Graph, Retry\nGraph('g').add('a', lambda: 1, retries=Retry(retries=2))"
    modules = modules_after(code, tmp_path)
    assert not packages(modules) & {"anyio", "asyncio", "logging", "statistics"}
    assert not [name for name in modules if name.startswith(("dagtop.runtime", "dagtop.backends", "dagtop.journal."))]


def test_a_run_that_goes_well_loads_nothing_that_tells_of_failures_and_no_backend_that_it_does_not_use(tmp_path):
    code = "from dagtop import Graph\nassert Graph('g').add('a', lambda: 1).run().ok"
    modules = modules_after(code, tmp_path)
    assert not packages(modules) & {"multiprocessing", "distributed", "cloudpickle", "sqlite3", "statistics"}
    assert not modules & {
        "dagtop.core.diagnosis",
        "dagtop.core.signs",
        "dagtop.backends.process",
        "dagtop.runtime.caching",
    }


def test_every_public_name_is_there_and_no_other_is_made_up(tmp_path):
    code = (
        "import dagtop\nassert {*dagtop.__all__} <= {*dir(dagtop)}\nfor name in dagtop.__all__: getattr(dagtop, name)"
    )
    modules_after(f"{code}\nassert not hasattr(dagtop, 'Nonsense')", tmp_path)


@pytest.mark.parametrize("output", ["--json", "--plain"])
def test_a_run_without_the_console_loads_no_textual_and_draws_nothing(tmp_path, output):
    (tmp_path / "etl.py").write_text("from dagtop import Graph\ngraph = Graph('etl')\ngraph.add('a', lambda: 1)\n")
    code = f"from dagtop_app.commandline.calling import call\nassert call(['run', 'etl.py', {output!r}]) == 0"
    modules = modules_after(code, tmp_path)
    assert not packages(modules) & {"textual", "jinja2", "dagtop_themes"}
    assert not modules & {"rich.console", "rich.live", "dagtop_app.console", "dagtop_app.plain.live"}


def test_a_check_loads_neither_textual_nor_the_journal(tmp_path):
    (tmp_path / "etl.py").write_text(
        "from dagtop import Graph\ngraph = Graph('etl')\n graph.add('a', lambda: 1)\n".replace("\n g", "\ng")
    )
    modules = modules_after(
        "from dagtop_app.commandline.calling import call\nassert call(['check', 'etl.py']) == 0", tmp_path
    )
    assert not packages(modules) & {"textual", "sqlite3", "jinja2"}


def test_the_console_loads_neither_the_parser_nor_what_is_not_shown_first(tmp_path):
    modules = modules_after(
        "import dagtop_app.commandline.calling, dagtop_app.console, dagtop_app.commands.watching", tmp_path
    )
    assert not packages(modules) & {"cyclopts", "jinja2", "sqlite3", "trio"}
    assert not modules & {
        "dagtop_app.commandline.cli",
        "dagtop_app.commandline.cli_history",
        "dagtop_app.commandline.cli_telling",
        "dagtop_app.commandline.cli_words",
        "dagtop_app.graphview",
        "dagtop_app.widgets.log_pane",
        "dagtop.observe.report",
    }
