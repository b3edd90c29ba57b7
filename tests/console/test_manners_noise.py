"""Noise on the line of a real terminal: the console lives, the run goes on, and the terminal is as it was at the end."""

from __future__ import annotations

import os
import random
import signal
from pathlib import Path

import pytest
from console_terminal import Real, on_terminal

ROUNDS = int(os.environ.get("DAGTOP_NOISE", "2"))

WAITS = """
    import anyio
    from pathlib import Path
    from dagtop import Graph

    graph = Graph("waits")

    @graph.task
    async def waits():
        await anyio.sleep(1000)

    @graph.task
    async def too():
        try:
            await anyio.sleep(1000)
        finally:
            Path("cleaned").touch()
"""

#: Keys that leave, or hand the terminal to another program: Ctrl+c, Ctrl+z, Ctrl+q, F10, q, and K, which stops everything.
_NOT = frozenset(b"\x03\x1a\x11qKyYDxXdEZ")

BROKEN = (
    b"\x1b[", b"\x1b[<", b"\x1b[<0;", b"\x1b[<35;1;1", b"\x1b[<0;999999;999999M", b"\x1b[<99;0;0M", b"\x1b[M\x20\xff\xff",
    b"\x1bO", b"\x1b[200~", b"\x1b[201~", b"\x1b[200~paste \x1b[31m\xff\n", b"\x1b[?1;2c", b"\x1b[?2026;2$y", b"\x1b[?2048;0$y",
    b"\x1b[48;0;0;0;0t", b"\x1b[48;99999;99999;1;1t", b"\x1b[I", b"\x1b[O", b"\x1bP+q\x1b\\", b"\x1b]11;rgb:ff/ff/ff\x1b\\",
    b"\x1b]52;c;\x07",
    b"\x1b[97;5u", b"\x1b[1114112u", b"\x1b[-1u", b"\x1b[1;9999A", b"\xed\xa0\x80", b"\xc3", b"\xf0\x9f\x98", b"\x00\x00\x00",
)  # fmt: skip


def noise(dice: random.Random) -> bytes:
    """Some of it."""
    if dice.random() < 0.5:
        return dice.choice(BROKEN)
    return bytes(byte for byte in dice.randbytes(dice.randint(1, 60)) if byte not in _NOT)


def send(real: Real, data: bytes) -> None:
    """All of it, while what comes back is taken: a terminal has room for 4 kB only."""
    for start in range(0, len(data), 1024):
        os.write(real.child.child_fd, data[start : start + 1024])
        assert real.look(0.001), real.raw[-3000:]


def check_that_it_lives(real: Real, folder: Path) -> None:
    """It takes keys, and a signal ends it as ever."""
    send(real, b"\x1b[201~")
    real.resize(100, 30)
    for _ in range(12):
        real.press("\x1b")
        for _ in range(4):
            assert real.look(), real.raw[-3000:]
    real.press_until("4", "4 Logs")
    assert not (folder / "cleaned").exists()
    real.child.kill(signal.SIGTERM)
    assert real.end() == 143
    real.check_that_all_is_restored()
    assert (folder / "cleaned").exists()
    assert "Traceback" not in real.raw


@pytest.mark.parametrize("seed", range(ROUNDS))
def test_random_bytes_and_broken_sequences(tmp_path: Path, seed: int) -> None:
    dice = random.Random(seed)
    with on_terminal(tmp_path, WAITS, "--no-journal") as real:
        real.until("RUNNING")
        for _ in range(60):
            send(real, noise(dice))
        check_that_it_lives(real, tmp_path)


def test_the_size_is_that_of_the_terminal_whatever_the_environment_says(tmp_path: Path) -> None:
    """With COLUMNS and LINES exported another size was never heard of."""
    with on_terminal(tmp_path, WAITS, "--no-journal", COLUMNS="70", LINES="20") as real:
        real.until("RUNNING")
        assert len(real.text.splitlines()[0].rstrip()) > 90
        real.resize(40, 10)
        real.until("only · the rest needs 60x15")
        real.resize(132, 40)
        real.until("RETRIES")
        real.child.kill(signal.SIGTERM)
        assert real.end() == 143


def test_a_megabyte_at_once(tmp_path: Path) -> None:
    """Half of it is pasted, half is keys that move the cursor."""
    with on_terminal(tmp_path, WAITS, "--no-journal") as real:
        real.until("RUNNING")
        send(real, b"\x1b[200~" + b"load_orders \xf0\x9f\x94\xa5\n" * 30_000 + b"\x1b[201~")
        send(real, b"jjkkG\x1b[B\x1b[A" * 2_000)
        check_that_it_lives(real, tmp_path)
