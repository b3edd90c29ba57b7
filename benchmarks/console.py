"""What the console costs and how fast it answers, in a real pseudo-terminal: `python benchmarks/console.py`.

Needs the test extra (pexpect, pyte) and an installed dagtop. Prints, each beside its bar:

- start-up: `dagtop --version` against `python -c pass`, and the first paint against that of an empty Textual app, by the
  clock and in processor time ("work"), which a busy machine leaves nearly as it is;
- key to screen: from the key press to the cursor on its new line, while 10,000 tasks run flat out, and in the timeline 40,000;
- throughput: how long the run itself takes with the console watching, against the same engine alone;
- idle: the processor time of a console whose run is over.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import pexpect
import pyte

WIDE = Path(__file__).parent.parent / "sample_graphs" / "wide.py"
DAGTOP = [sys.executable, "-m", "dagtop_app"]
EMPTY_APP = """
from textual.app import App
from textual.widgets import Static
class Empty(App):
    def compose(self):
        yield Static("ready")
Empty().run()
"""
ALONE = f"""
import sys
sys.path.insert(0, {str(WIDE.parent)!r})
import wide
from dagtop import DAGExecutor
from dagtop.observe.report import ReportRecorder
from dagtop.runtime.thread import EngineThread
graph = wide.build(n=int(sys.argv[1]), seconds=0, shape="wide")
executor = DAGExecutor(graph, recorders=[ReportRecorder()], capture=True)
thread = EngineThread(executor)
thread.start()
thread.join()
print(max(task.ended_at for task in executor.result()))
"""
LATER = """
from dagtop import Graph
graph = Graph("later", every="1h")
@graph.task
def work():
    return 1
"""
#: Options of what is painted: without a journal, and as people have it.
FIRST_PAINTS = {"without a journal": ["--no-journal"], "with the history": []}
CURSOR = "▌"
#: What stands in the line above a view, by its key.
VIEWS = {"3": "Timeline"}
perf = time.perf_counter


class Terminal:
    """A program in a pseudo-terminal of 120 by 36, and its screen rebuilt from the bytes that it wrote."""

    def __init__(self, command: list[str]) -> None:
        self.screen = pyte.Screen(120, 36)
        self._stream = pyte.ByteStream(self.screen)
        environment = {**os.environ, "TERM": "xterm-256color", "COLORTERM": "truecolor"}
        for name in (
            "CI",
            "NO_COLOR",
            "PYTHONDONTWRITEBYTECODE",
        ):  # modules that were compiled are loaded, as installed ones are
            environment.pop(name, None)
        self.child = pexpect.spawn(
            command[0], command[1:], dimensions=(36, 120), timeout=60, env=environment, maxread=65536
        )
        self.child.delaybeforesend = None  # it would be part of what is measured

    def until(self, seen: Callable[[list[str]], bool], timeout: float = 60.0) -> float:
        """Read until the screen fulfils the condition; how many seconds that took."""
        begun = perf()
        while not seen(self.screen.display):
            if perf() - begun > timeout:
                raise TimeoutError("\n".join(self.screen.display))
            try:
                self.take(0.05)
            except pexpect.TIMEOUT:
                continue
        return perf() - begun

    def take(self, timeout: float) -> None:
        """Draw what came from it. pexpect.TIMEOUT if nothing did."""
        self._stream.feed(self.child.read_nonblocking(65536, timeout=timeout))

    def read_for(self, seconds: float) -> None:
        """Keep reading for a while."""
        end = perf() + seconds
        self.until(lambda _: perf() >= end, timeout=seconds + 10)

    def cursor_line(self) -> int:
        """The line that the table's cursor is on; -1 if none."""
        return next((y for y, line in enumerate(self.screen.display) if line.startswith(CURSOR)), -1)

    def end(self) -> None:
        """Kill it: it would see to its run if it were only hung up."""
        if self.child.isalive():
            self.child.kill(signal.SIGKILL)
            self.child.wait()
        self.child.close(force=True)


def shows(text: str) -> Callable[[list[str]], bool]:
    """Whether the text stands on the screen."""
    return lambda lines: any(text in line for line in lines)


def spent(pid: int | None) -> float:
    """Seconds of processor time of all its threads, finer than ticks."""
    total = 0
    for thread in Path(f"/proc/{pid}/task").iterdir():
        try:
            total += int((thread / "schedstat").read_text().split()[0])
        except OSError:  # it has ended
            continue
    return total / 1e9


def report(what: str, figure: str, reached: bool, bar: str) -> None:
    """One line."""
    print(f"{what:44} {figure:>34}   bar {bar}: {'reached' if reached else 'MISSED'}", flush=True)


def startup(repeat: int) -> None:
    """Whole processes, one after the other, so that both meet the same machine."""

    def seconds(command: list[str]) -> float:
        begun = perf()
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        return perf() - begun

    def paint(command: list[str], text: str) -> tuple[float, float]:
        begun = perf()
        terminal = Terminal(command)
        terminal.child.expect_exact(text)  # in the bytes: the emulator would take longer for more colours
        took = perf() - begun, spent(terminal.child.pid)
        terminal.end()
        return took

    script = Path(sys.executable).with_name("dagtop")
    version = [str(script), "--version"] if script.exists() else [*DAGTOP, "--version"]
    pairs = [(seconds(version), seconds([sys.executable, "-c", "pass"])) for _ in range(repeat)]
    ratio = statistics.median(own / least for own, least in pairs)
    report("dagtop --version / python -c pass", f"{ratio:.2f} x", ratio <= 2, "2 x")
    empty = [sys.executable, "-c", EMPTY_APP]
    for where, options in FIRST_PAINTS.items():
        command = [*DAGTOP, str(WIDE), "-p", "n=30", "-p", "seconds=5", *options]
        paint(command, "WHY / NEXT")  # what was never compiled is compiled
        paints = [(paint(command, "WHY / NEXT"), paint(empty, "ready")) for _ in range(repeat)]
        ratio, work = (statistics.median(own[i] / least[i] for own, least in paints) for i in (0, 1))
        own, least = (statistics.median(pair[i][0] for pair in paints) * 1e3 for i in (0, 1))
        figure = f"{own:.0f} / {least:.0f} ms = {ratio:.2f} x, work {work:.2f} x"
        report(f"first paint / empty app, {where}", figure, ratio <= 1.5, "1.5 x")


def latency(n: int, presses: int, view: str = "1") -> None:
    """Press j and k in turn while tasks run flat out: run after run, until there are enough key presses."""
    times: list[float] = []
    while len(times) < presses:
        times += keys_of_one_run(n, presses - len(times), view)
    times.sort()
    median, p95 = statistics.median(times) * 1e3, times[int(len(times) * 0.95)] * 1e3
    figure = f"{len(times)} keys: median {median:.0f}, p95 {p95:.0f} ms"
    where = "" if view == "1" else f", view {view}"
    report(f"key to screen, {n:,} tasks running{where}", figure, median <= 50 and p95 <= 120, "50, p95 120 ms")


def keys_of_one_run(n: int, presses: int, view: str) -> list[float]:
    """Seconds from key to screen in that view, for as many keys as fit into the run."""
    options = ["-p", f"n={n}", "-p", "seconds=0.005", "-p", "shape=wide", "--no-journal"]
    terminal = Terminal([*DAGTOP, str(WIDE), *options])
    terminal.until(lambda lines: "RUNNING" in lines[0] and terminal.cursor_line() >= 0)
    if view != "1":
        terminal.child.send(view)
        terminal.until(lambda lines: VIEWS[view] in lines[3])
        terminal.read_for(0.5)
        terminal.child.send("\x1b[H")  # to its top: at the bottom the rows move, and not the cursor
        terminal.until(lambda _: 0 <= terminal.cursor_line() < 12)
    times: list[float] = []
    while len(times) < presses:
        before, step = terminal.cursor_line(), len(times) % 10
        terminal.child.send("j" if step < 5 else "k")
        took = terminal.until(lambda _: terminal.cursor_line() not in (-1, before))  # noqa: B023
        if "RUNNING" not in terminal.screen.display[0]:
            break
        times.append(took)
        terminal.read_for(0.03)
    terminal.end()
    return times


def throughput(n: int, repeat: int) -> None:
    """From the run's begin to the end of its last task: in the console, and of the same engine alone."""
    options = [str(WIDE), "-p", f"n={n}", "-p", "seconds=0", "-p", "shape=wide", "--no-journal"]

    def alone() -> float:
        return float(subprocess.run([sys.executable, "-c", ALONE, str(n)], check=True, capture_output=True).stdout)

    def watched() -> float:
        with tempfile.TemporaryDirectory() as folder:
            out = Path(folder) / "report.json"
            terminal = Terminal([*DAGTOP, *options, "--report", str(out)])
            terminal.until(shows(f"{n:,}/{n:,}"), timeout=120)
            terminal.child.send("q")
            terminal.until(lambda _: out.exists())
            terminal.end()
            return max(task["ended_at"] for task in json.loads(out.read_text())["tasks"])

    share = statistics.median(alone() / watched() for _ in range(repeat))
    report(f"throughput with the console, {n:,} tasks", f"{share:.0%} of the engine alone", share >= 0.75, "75 %")


def idle(seconds: float) -> None:
    """Processor time of a console that has nothing to do: its run is over, or not due yet."""
    with tempfile.TemporaryDirectory() as folder:
        later = Path(folder) / "later.py"
        later.write_text(LATER)
        over = [str(WIDE), "-p", "n=1000", "-p", "seconds=0"]
        for what, arguments, text in (("over", over, "1,000/1,000"), ("not due", [str(later)], "next run")):
            terminal = Terminal([*DAGTOP, *arguments, "--no-journal"])
            terminal.until(shows(text))
            terminal.read_for(3)
            before, begun = spent(terminal.child.pid), perf()
            terminal.read_for(seconds)
            share = (spent(terminal.child.pid) - before) / (perf() - begun)
            terminal.end()
            report(f"idle console, its run {what}", f"{share:.2%} of one processor", share <= 0.01, "1 %")


def main() -> int:
    """Run what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeat", type=int, default=7)
    parser.add_argument("--keys", type=int, default=100)
    chosen = parser.parse_args()
    startup(chosen.repeat)
    latency(10_000, chosen.keys)
    latency(40_000, chosen.keys, view="3")  # a longer run: it is switched to first
    throughput(100_000, max(1, chosen.repeat // 2))
    idle(10)
    return 0


if __name__ == "__main__":
    sys.exit(main())
