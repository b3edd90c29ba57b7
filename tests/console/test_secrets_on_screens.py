"""A real run with secrets planted in all that it has to do with: no view, no popup and no copy shows one, live or replayed."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from console_pilot import Clock, Seen
from dagtop.core.commands import CancelTask
from dagtop.journal.sqlite import SqliteJournal
from dagtop.observe.story import Story
from dagtop.runtime.replay import Replay
from dagtop.runtime.thread import EngineThread
from dagtop_app.commandline.options import GraphOptions, OutputOptions, parse_parameters
from dagtop_app.console import ConsoleApp
from dagtop_app.launching.executing import executor_for
from dagtop_app.launching.preparing import prepare
from dagtop_app.logs.store import DeepLogs
from dagtop_app.tasks.copying import pieces

pytestmark = pytest.mark.anyio
SIZE = (132, 40)
#: What shows texts of a task, or of the run.
POPUPS = {
    "1": (("enter",), ("w",), ("y",), ("x",), ("m",), ("number_sign",), ("A",), ("colon", *"skip ")),
    "2": (("enter",),), "4": (("y",),), "6": (("t",), ("m",)), "7": (("enter",),),
}  # fmt: skip
#: Tasks that are looked at: one with a secret for a name, one that has failed with all kinds of them.
LOOKED_AT = (0, 5)


def _planted() -> ModuleType:
    """What the tests of commands plant, which are in another folder."""
    spec = importlib.util.spec_from_file_location(
        "planted_for_screens", Path(__file__).parents[1] / "cli" / "planted.py"
    )
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


PLANTED = _planted()


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[EngineThread, Path]]:
    """The run, which has ended, and its journal."""
    folder = tmp_path_factory.mktemp("screens")
    (folder / "orders.py").write_text(PLANTED.graph_text(), "utf-8")
    path, modules = list(sys.path), set(sys.modules)
    with pytest.MonkeyPatch.context() as patch:
        for name, value in PLANTED.ENVIRON.items():
            patch.setenv(name, value)
        parameters = parse_parameters(PLANTED.PARAMETERS[1::2])
        prepared = prepare(str(folder / "orders.py"), GraphOptions(), parameters)
        journal = SqliteJournal(folder / "runs.db")
        executor = executor_for(prepared, [], journal=journal, output=OutputOptions(no_plugins=True))
        engine = EngineThread(executor, story=Story(), logs=DeepLogs())
        engine.send(CancelTask("after", "for token=pw-of-a-reason"), by="ana")
        engine.start()
        assert engine.join(60.0)
        assert engine.error is None
        yield engine, folder / "runs.db"
    sys.path[:] = path
    for name in set(sys.modules) - modules:
        if name.startswith("orders"):
            del sys.modules[name]


@pytest.fixture(params=["live", "replayed"])
def engine(ran: tuple[EngineThread, Path], request: pytest.FixtureRequest) -> Iterator[Any]:
    live, journal = ran
    if request.param == "live":
        yield live
        return
    stored = SqliteJournal(journal).load("last")
    replay = Replay(stored, at_end=True)
    replay.start()
    yield replay
    replay.close()
    replay.join(10.0)
    stored.close()


def check(seen: Seen, what: object) -> None:
    text = seen.text
    assert PLANTED.found(text) == {}, what
    assert PLANTED.found(text.replace("\n", "").replace(" ", "")) == {}, what  # broken at the end of a line
    assert "pw-of-a-reason" not in text, what


async def closed(seen: Seen) -> None:
    while seen.app.screen is not seen.app.main:
        await seen.pilot.press("escape")
    if seen.app.main.is_asking:
        await seen.pilot.press("escape")
    seen.app.main.clear_marks()


@pytest.mark.parametrize("view", ["1", "2", "3", "4", "5", "6", "7"])
async def test_B45_no_view_and_no_popup_shows_a_secret(engine: Any, view: str) -> None:
    app = ConsoleApp(engine, title="orders.py", now=Clock())
    async with app.run_test(size=SIZE) as pilot:
        seen = Seen(app, pilot, engine, Clock())
        await seen.settle()
        names = app.main.roster.snapshot.plan.names
        assert "load postgres://ana:«redacted»@db/orders" in names
        await seen.press(view, "home")
        check(seen, view)
        for place in LOOKED_AT:
            app.main.select(place)
            await seen.settle()
            check(seen, names[place])
        for keys in POPUPS.get(view, ()) if isinstance(engine, EngineThread) else ():
            await seen.press(*keys)
            await app.workers.wait_for_complete()
            await seen.settle()
            check(seen, (keys, view))
            await closed(seen)
            await seen.press(view)
            app.main.select(LOOKED_AT[-1])


async def test_nothing_that_can_be_copied_has_one(ran: tuple[EngineThread, Path]) -> None:
    engine, _ = ran
    snapshot = engine.latest
    for row in snapshot.rows:
        for piece in pieces(snapshot, row, engine.logs.tail(row.name, 1_000)):
            assert PLANTED.found(piece.text) == {}, (row.name, piece.label)
    assert "«redacted»" in pieces(snapshot, snapshot.rows[0], engine.logs.tail(snapshot.rows[0].name, 10))[-1].text


async def test_a_command_for_the_name_that_is_seen_is_for_the_task(ran: tuple[EngineThread, Path]) -> None:
    engine, _ = ran
    (answer,) = [one for one in engine.latest.answers if one.by == "ana"]
    assert answer.command == CancelTask("after", "for token=«redacted»")
    shown = engine.latest.plan.names[0]
    assert engine._engine.hiding.command(CancelTask(shown)) == CancelTask(PLANTED_NAME)


PLANTED_NAME = f"load postgres://ana:{PLANTED.PLANTED['name']}@db/orders"
