"""A dispatch centre on a busy morning, with everything in it that may hold a task up, and that a person may take hold of.

Shows pools, resources, an adaptive limit, a circuit breaker that opens and recovers, a gate, a cache and a mapped list. The
warehouse is a small service in this process; it answers up to five people at once and refuses a sixth, so the run comes down
to what it bears. The label printer is off at first: its breaker opens, and lets one probe after another through until it is
on. The forklifts are a resource: heavy orders take two of three. Before the lorry leaves, somebody must say so: press `a` on
the console, or wait: the gate opens by itself. Try `b` and `#` on a task that waits, `+` and `-`, `m`, `@`, `e`, and then `u`.

    dagtop sample_graphs/steering.py
    dagtop sample_graphs/steering.py -p patience=60 -p slowness=3
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from functools import partial
from hashlib import sha256

from dagtop import Breaker, Gate, Graph, Pool, Retry, TaskContext

ITEMS = ("anvil", "bellows", "chisel", "drill", "easel", "file", "gouge", "hammer")
ORDERS = 12
#: So many people at once the warehouse bears.
BEARS = 5
#: So many attempts find the printer off.
OFF_FOR = 4

AGAIN = Retry(retries=30, base=0.05, cap=0.4)


def number_of(text: str, below: int) -> int:
    """A number that looks drawn by lot and is always the same for the same text."""
    return int.from_bytes(sha256(text.encode()).digest()[:4], "big") % below


def order(number: int) -> dict[str, int]:
    """What order `number` asks for: pieces by item."""
    return {item: 1 + number_of(f"{number} {item}", 4) for item in ITEMS if number_of(f"{item} {number}", 3) == 0}


def price(item: str) -> int:
    """What a piece costs, in cents."""
    return 100 + number_of(item, 9_900)


class Warehouse:
    """Hands out items; asked by more people at once than it bears it refuses the last one."""

    def __init__(self, slowness: float) -> None:
        self._slowness = slowness
        self._lock = threading.Lock()
        self._inside = 0
        self.most = 0
        """How many people were inside at once, at most."""
        self.refused = 0

    def fetch(self, wanted: dict[str, int]) -> int:
        """Fetch the items of an order: how many pieces there are."""
        with self._lock:
            if self._inside >= BEARS:
                self.refused += 1
                raise ConnectionError(f"the warehouse is full: {self._inside} of {BEARS} people are inside")
            self._inside += 1
            self.most = max(self.most, self._inside)
        try:
            time.sleep(0.08 * self._slowness)
            return sum(wanted.values())
        finally:
            with self._lock:
                self._inside -= 1


def pick(number: int, warehouse: Warehouse) -> int:
    """Fetch what an order asks for."""
    return warehouse.fetch(order(number))


def pack(number: int, slowness: float, ctx: TaskContext) -> str:
    """Put the pieces of an order into a box, with a forklift or two."""
    pieces = sum(order(number).values())
    for done in range(pieces):
        time.sleep(0.01 * slowness)
        ctx.progress(done + 1, pieces)
    return f"box {number}: {pieces} pieces"


class Printer:
    """Prints labels, once it is on."""

    def __init__(self) -> None:
        self.asked = 0
        self._lock = threading.Lock()

    def print(self, box: str) -> str:
        """A label for a box."""
        with self._lock:
            self.asked += 1
            if self.asked <= OFF_FOR:
                raise ConnectionError("the label printer is off")
        return f"[{box}]"


def label(box: str, printer: Printer) -> str:
    """Print the label of a box."""
    return printer.print(box)


def build(patience: float = 10.0, slowness: float = 1.0) -> Graph:
    """The graph.

    Parameters
    ----------
    patience: seconds after which the gate opens by itself.
    slowness: 2 for half as fast.
    """
    graph = Graph(
        "dispatch",
        max_parallel=16,
        adaptive=True,
        pools={"dock": Pool(3), "labels": Pool(2, rate=20.0)},
        resources={"forklift": 3},
        breakers=[Breaker("printer", failure_threshold=2, recovery_timeout=0.5 * slowness)],
        inputs={"slowness": slowness},
    )

    @graph.service
    def warehouse(slowness: float) -> Iterator[Warehouse]:
        """Open in the morning, closed last."""
        yield Warehouse(slowness)

    @graph.service
    def printer() -> Iterator[Printer]:
        """Somebody forgot to switch it on."""
        yield Printer()

    @graph.task(cache=True, description="The second run takes it from the first one's cache.")
    def price_list() -> dict[str, int]:
        """Prices of all items."""
        return {item: price(item) for item in ITEMS}

    for number in range(1, ORDERS + 1):
        graph.add(f"pick {number}", partial(pick, number), retries=AGAIN, cost=2, tags=["picking"])
        heavy = sum(order(number).values()) > 6
        graph.add(
            f"pack {number}",
            partial(pack, number),
            depends_on=[f"pick {number}"],
            pool="dock",
            resources={"forklift": 2 if heavy else 1},
            priority=1 if heavy else 0,
            tags=["packing"],
        )

    @graph.task(depends_on=[f"pack {number}" for number in range(1, ORDERS + 1)])
    def boxes(ctx: TaskContext) -> list[str]:
        """All boxes, in the order of their numbers."""
        return [*ctx.upstream.values()]

    graph.map("label", label, over=boxes, circuit="printer", pool="labels", retries=AGAIN)

    @graph.task
    def invoice(price_list: dict[str, int]) -> dict[int, int]:
        """What each order costs, in cents."""
        return {
            number: sum(price_list[item] * count for item, count in order(number).items())
            for number in range(1, ORDERS + 1)
        }

    @graph.task(
        gate=Gate(prompt="All is packed and labelled. May the lorry leave?", timeout=patience, on_timeout="approve")
    )
    def lorry(label: list[str], invoice: dict[int, int]) -> str:
        """What cannot be undone."""
        return f"{len(label)} boxes are on their way, worth {sum(invoice.values()) / 100:,.2f}"

    @graph.task(depends_on=[lorry])
    def report(warehouse: Warehouse, printer: Printer) -> dict[str, int]:
        """How it went in the warehouse."""
        return {"most inside": warehouse.most, "refused": warehouse.refused, "labels tried": printer.asked}

    return graph
