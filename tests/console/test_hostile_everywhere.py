"""Texts of an enemy in every view and every popup at 80x24: lines as wide as the screen, nothing that acts on a terminal."""

from __future__ import annotations

import msgspec
import pytest
from console_fakes import HOSTILE, FakeEngine, S, snapshot_of
from console_pilot import Seen, console
from console_rich import enemies, merged, within
from rich.cells import cell_len

pytestmark = pytest.mark.anyio

SIZE = (80, 24)
VIEWS = ("1", "2", "3", "4", "5", "6", "7")
POPUPS = (
    ("enter",), ("w",), ("y",), ("x",), ("R",), ("r",), ("m",), ("e",), ("P",), ("C",), ("b",), ("number_sign",), ("A",),
    ("d",), ("a",), ("at",), ("space", "j", "space", "x"), ("slash", "x"), ("colon",), ("colon", *"cancel "), ("q",),
)  # fmt: skip
#: Of other views, what is theirs.
OWN = {
    "2": (("enter",), ("H",)), "4": (("y",), ("slash", "x")), "5": (("e",), ("f",), ("y",)),
    "6": (("A",), ("t",), ("y",), ("m",)), "7": (("o",), ("enter",)),
}  # fmt: skip
#: They would act on a terminal, or have it show something else than what the console means.
FORBIDDEN = {*map(chr, (*range(32), *range(127, 160))), *"\u200b\u200d\u200e\u200f\u202a\u202e\u2066\u2069\ufe0f\u2028"}


async def check(seen: Seen, what: object) -> None:
    await seen.app.workers.wait_for_complete()
    await seen.settle()
    lines = seen.lines
    assert len(lines) == SIZE[1], what
    assert {cell_len(line) for line in lines} == {SIZE[0]}, (
        what,
        [line for line in lines if cell_len(line) != SIZE[0]],
    )
    bad = {char for line in lines for char in line} & FORBIDDEN
    assert not bad, (what, bad)
    "".join(lines).encode()
    assert seen.app.is_running


async def closed(seen: Seen) -> None:
    while seen.app.screen is not seen.app.main:
        await seen.pilot.press("escape")
    if seen.app.main.is_asking:
        await seen.pilot.press("escape")
    seen.app.main.clear_marks()


@pytest.mark.parametrize("view", VIEWS)
async def test_texts_of_an_enemy_in_every_view_and_popup(view: str) -> None:
    async with console(enemies(), SIZE) as seen:
        names = seen.engine.latest.plan.names
        await seen.press(view, "home")
        await check(seen, view)
        for place in range(len(names) if view in "123" else 0):
            seen.app.main.select(place)
            seen.engine.sent.clear()
            await check(seen, names[place])
        for _ in names:
            await seen.press("j")
            await check(seen, "j")
        for keys in POPUPS if view == "1" else OWN.get(view, ()):
            for place in (1, 12):
                seen.app.main.select(place)
                await seen.press(*keys)
                await check(seen, (keys, names[place]))
                await closed(seen)
                await seen.press(view)


@pytest.mark.parametrize("place", [0, 4, 8, 9, 10, 13])
async def test_nodes_with_names_of_an_enemy(place: int) -> None:
    node = HOSTILE[place]
    inner = snapshot_of(dict.fromkeys(HOSTILE, ()), {name: {"state": S.FAILED} for name in HOSTILE})
    async with console(FakeEngine(merged([within(node, inner)], [node])), SIZE) as seen:
        for keys in (("0",), ("enter",), ("1",), ("enter",), ("j",), ("2",), ("3",), ("1", "underscore"), ("x",)):
            await seen.press(*keys)
            await check(seen, (keys, node))


@pytest.mark.parametrize("text", HOSTILE[::2], ids=range(0, len(HOSTILE), 2))
async def test_a_run_of_which_every_text_is_the_same(text: str) -> None:
    """The run's name, the file's, why it stops, the answers to commands, the problems, each in every view."""
    engine: FakeEngine = enemies()
    engine.latest = msgspec.structs.replace(engine.latest, graph=text, run=text, reason=text)
    async with console(engine, SIZE) as seen:
        seen.app.main.source_title = text
        for view in VIEWS:
            await seen.press(view)
            await check(seen, view)
        await seen.press("1", "plus")
        engine.refuse(text)
        await check(seen, "refused")
        engine.apply(text)
        await check(seen, "applied")
