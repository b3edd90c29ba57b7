"""A small shop that stays open: web services, child processes and jobs that are kept at a desired state.

Shows a reconciler: a one-shot migration that comes first, services that are ready when they say so or when a probe gets an
answer over HTTP, restarts with backoff, a liveness probe, a job that does its round and begins again, and customers whose
orders are the load. `prices` is a child process that crashes now and then, and then twice more; `suggest` never forgets
anything until its liveness probe has it started anew; `packer` has two replicas, and as many as you like; `tidy` ends well and
is started again, because it is to run always. All of it is real and on this computer only: HTTP and sockets on loopback,
SQLite, files, processes. Try `P`, `d` and `x` on `prices`, and `C` on `packer`.

    dagtop sample_graphs/services.py
    dagtop sample_graphs/services.py -p pace=0.3 -p customers=8 -p seed=3

A child process ends when its task is stopped, and also when dagtop is killed: its standard input is a pipe that closes then.
"""

from __future__ import annotations

import json
import random
import socket
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, suppress
from functools import partial
from pathlib import Path
from typing import Any

from dagtop import Graph, Probe, Reconciler, Restart, TaskContext
from loopback import LOOPBACK, Addresses, RefusedError, is_up, serve
from loopback.children import child, said_by

ITEMS = ("anvil", "bellows", "chisel", "drill", "easel", "file", "gouge", "hammer", "inkwell", "jigsaw")
#: Pieces of each item in the beginning; `tidy` orders more when there are few.
PIECES = 40
#: So much `suggest` remembers before it is not well any more.
TOO_MUCH = 150

#: Answers the name of an item with its price, so many times; then it crashes.
PRICES = """
import os, socketserver, sys, zlib
left = int(sys.argv[1])
class Line(socketserver.StreamRequestHandler):
    def handle(self):
        global left
        item, left = self.rfile.readline().strip(), left - 1
        if left < 0:
            print("the price list has come apart", flush=True)
            os._exit(3)
        self.wfile.write(b"%d" % (100 + zlib.crc32(item) % 9900) + b"\\n")
with socketserver.TCPServer(("127.0.0.1", 0), Line) as server:
    print("port", server.server_address[1], flush=True)
    server.serve_forever()
"""

#: Makes a parcel of each order file that it finds in a folder.
PACKER = """
import json, os, pathlib, sys, time
packed = 0
print("waiting for orders", flush=True)
while True:
    for order in sorted(pathlib.Path(sys.argv[1]).glob("*.order")):
        mine = order.with_suffix(f".{os.getpid()}")
        try:
            order.rename(mine)
        except FileNotFoundError:  # another packer has taken it
            continue
        for_whom = json.loads(mine.read_text())
        mine.write_text("".join(f"1 {item}\\n" for item in for_whom["items"]) + for_whom["customer"])
        mine.rename(order.with_suffix(".parcel"))
        packed += 1
        print("packed", packed, order.stem, flush=True)
    time.sleep(0.1)
"""

#: What makes the database, step by step; it knows itself how many it has seen.
STEPS = {
    "table of items": "CREATE TABLE items (name TEXT PRIMARY KEY, pieces INTEGER)",
    "table of orders": "CREATE TABLE orders (id INTEGER PRIMARY KEY, customer TEXT, cents INTEGER)",
    "the first items": f"INSERT INTO items VALUES {', '.join(f'({name!r}, {PIECES})' for name in ITEMS)}",
}


def connected(folder: str) -> closing[sqlite3.Connection]:
    """The shop's database; one that has been lost is made anew."""
    Path(folder).mkdir(parents=True, exist_ok=True)
    db = sqlite3.connect(Path(folder) / "shop.sqlite", timeout=10, isolation_level=None)
    if db.execute("PRAGMA user_version").fetchone()[0] < len(STEPS):
        for _ in migrated(db):
            pass
    return closing(db)


def migrated(db: sqlite3.Connection) -> Iterator[str]:
    """Take the steps that have not been taken: what each of them made."""
    db.execute("BEGIN IMMEDIATE")
    with db:
        (taken,) = db.execute("PRAGMA user_version").fetchone()
        for number, (what, sql) in enumerate(STEPS.items(), 1):
            if number > taken:
                db.execute(sql)
                db.execute(f"PRAGMA user_version = {number}")
                yield what


def price(item: str, addresses: Addresses) -> int:
    """What an item costs, in cents, by the line protocol of `prices`.

    Raises
    ------
    OSError: it is down.
    """
    with socket.create_connection((LOOPBACK, addresses.port("prices")), timeout=5) as line:
        line.sendall(f"{item}\n".encode())
        said = line.makefile("rb").readline()
    if not said:
        raise ConnectionError("prices hung up")
    return int(said)


def migrate(folder: str, pace: float, ctx: TaskContext) -> str:
    """Make the folder and the database, once: where they are."""
    place = Path(folder or ctx.scratch_dir).absolute()
    place.mkdir(parents=True, exist_ok=True)
    with closing(sqlite3.connect(place / "shop.sqlite", timeout=10, isolation_level=None)) as db:
        for done, step in enumerate(migrated(db), 1):
            ctx.log.info("migration: %s", step)
            ctx.progress(done, len(STEPS), step)
            time.sleep(0.3 * pace)
    return str(place)


def stock(migrate: str, addresses: Addresses, ctx: TaskContext) -> None:
    """How many pieces there are of each item, over HTTP."""

    def answer(path: str, given: dict[str, Any]) -> Any:
        with connected(migrate) as db:
            if path == "/take":
                taken = db.execute(
                    "UPDATE items SET pieces = pieces - 1 WHERE name = ? AND pieces > 0", [given["item"]]
                )
                return {"taken": taken.rowcount == 1}
            items = dict(db.execute("SELECT name, pieces FROM items"))
            return {"well": True} if path == "/health" else items

    serve("stock", answer, addresses, ctx)


async def prices(seed: int, answers: int, addresses: Addresses, ctx: TaskContext) -> None:
    """What each item costs, from a child process that crashes after some hundred answers, and then twice more."""
    dice = random.Random(f"{seed} {ctx.attempt}")
    often = dice.randrange(2 * answers, 4 * answers) // 3 if ctx.attempt % 3 == 1 else dice.randrange(3, 10)
    last = ""
    try:
        async with child(PRICES, often) as process:
            ctx.log.info("it is process %d", process.pid)
            async for last in said_by(process):
                ctx.log.info("%s", last)
                if last.startswith("port "):
                    addresses["prices"] = int(last[5:])
                    ctx.ready({"port": addresses["prices"], "pid": process.pid})
            code = await process.wait()
    finally:
        addresses.pop("prices", None)
    raise RefusedError(f"the child process ended with exit code {code}: {last}")


def suggest(addresses: Addresses, ctx: TaskContext) -> None:
    """What one might buy as well. It remembers every question, and is not well any more when these are too many."""
    known = [*addresses.ask("stock", "/items")]
    remembered: list[str] = []

    def answer(path: str, given: dict[str, Any]) -> Any:
        if path == "/health":
            if len(remembered) > TOO_MUCH:
                raise MemoryError(f"it remembers {len(remembered)} questions")
            return {"well": True}
        remembered.append(given["item"])
        return {"item": known[(known.index(given["item"]) + remembered.count(given["item"])) % len(known)]}

    serve("suggest", answer, addresses, ctx)


def shop(migrate: str, addresses: Addresses, ctx: TaskContext) -> None:
    """Takes orders over HTTP: asks for stock and prices, and leaves an order for the packers. A probe says when it is ready."""
    folder = Path(migrate)

    def answer(path: str, given: dict[str, Any]) -> Any:
        if path == "/health":
            return {"well": price(ITEMS[0], addresses) > 0 and is_up("stock", addresses)}
        cents = sum(price(item, addresses) for item in given["items"])
        bought = [item for item in given["items"] if addresses.ask("stock", "/take", item=item)["taken"]]
        with connected(migrate) as db:
            number = db.execute(
                "INSERT INTO orders (customer, cents) VALUES (?, ?)", [given["customer"], cents]
            ).lastrowid
        draft = folder / f"{number}.draft"
        draft.write_text(json.dumps({**given, "items": bought}))
        draft.rename(folder / f"{number}.order")
        return {"order": number, "cents": cents, "sold out": len(given["items"]) - len(bought)}

    serve("shop", answer, addresses, ctx, says_ready=False)


async def packer(migrate: str, ctx: TaskContext) -> None:
    """Packs parcels, in a child process that reads and writes files."""
    async with child(PACKER, migrate) as process:
        ctx.log.info("it is process %d", process.pid)
        async for line in said_by(process):
            if line.startswith("packed "):
                _, packed, order = line.split()
                ctx.progress(int(packed), message=f"{packed} parcels, the last one for order {order}")
            else:
                ctx.log.info("%s", line)
                ctx.ready({"pid": process.pid})
        code = await process.wait()
    raise RefusedError(f"the child process ended with exit code {code}")


def tidy(migrate: str, ctx: TaskContext) -> dict[str, int]:
    """One round: send the parcels off and order what is nearly sold out. Then it ends, and begins again in a while."""
    parcels = [*Path(migrate).glob("*.parcel")]
    for done, parcel in enumerate(parcels, 1):
        parcel.unlink()
        ctx.progress(done, len(parcels), "parcels sent off")
    with connected(migrate) as db:
        ordered = db.execute("UPDATE items SET pieces = ? WHERE pieces < ?", [PIECES, PIECES // 2]).rowcount
        orders, cents = db.execute("SELECT count(*), coalesce(sum(cents), 0) FROM orders").fetchone()
    ctx.log.info(
        "%d parcels sent off, %d items ordered; %d orders so far, worth %.2f",
        len(parcels),
        ordered,
        orders,
        cents / 100,
    )
    return {"sent": len(parcels), "orders": orders, "cents": cents}


def customer(number: int, pace: float, seed: int, addresses: Addresses, ctx: TaskContext) -> None:
    """Buys one thing after another; what goes wrong is tried again later."""
    dice = random.Random(f"{seed} customer {number}")
    orders = failed = cents = in_a_row = 0
    ctx.ready()
    while not ctx.cancelled:
        try:
            cents += buy(f"customer {number}", dice.choice(ITEMS), addresses)
            orders += 1
            if in_a_row:
                ctx.log.info("served again; orders that failed: %d", in_a_row)
            in_a_row = 0
        except (OSError, RefusedError) as error:
            failed, in_a_row = failed + 1, in_a_row + 1
            if in_a_row == 1:
                ctx.log.warning("%s", error)
        ctx.progress(orders, message=f"{orders} orders worth {cents / 100:,.2f}, {failed} failed")
        time.sleep(pace * dice.uniform(0.3, 0.9))


def buy(who: str, item: str, addresses: Addresses) -> int:
    """Order an item, and what goes well with it: what they cost."""
    items = [item]
    with suppress(OSError, RefusedError):  # a shop without suggestions is still a shop
        items.append(addresses.ask("suggest", "/", item=item)["item"])
    return int(addresses.ask("shop", "/order", customer=who, items=items)["cents"])


def build(pace: float = 1.0, customers: int = 4, answers: int = 300, seed: int = 7, folder: str = "") -> Reconciler:
    """The shop.

    Parameters
    ----------
    pace: 0.5 for twice as fast.
    customers: how many buy at once.
    answers: so many, or a third more or less, before `prices` crashes.
    seed: of what the customers buy, and of when `prices` crashes.
    folder: of the database and the orders; otherwise one that is removed in the end.
    """
    graph = Graph("shop", inputs={"pace": pace, "answers": answers, "seed": seed, "folder": folder})

    @graph.service
    def addresses() -> Iterator[Addresses]:
        """Who listens where."""
        yield Addresses()

    patient = Restart(policy="always", base=0.5 * pace, cap=8 * pace, reset_after=10 * pace)
    often = 0.5 * pace
    graph.add("migrate", migrate, tags=["job"])
    graph.add("stock", stock, restart=patient, alive=Probe(partial(is_up, "stock"), interval=often), tags=["http"])
    graph.add("prices", prices, depends_on=["migrate"], restart=patient, tags=["process"])
    well = Probe(partial(is_up, "suggest"), interval=often, threshold=2)
    graph.add("suggest", suggest, depends_on=["stock"], restart=patient, alive=well, tags=["http"])
    opened = Probe(partial(is_up, "shop"), interval=0.2 * pace)
    graph.add("shop", shop, depends_on=["stock", "prices"], restart=patient, ready=opened, tags=["http"])
    graph.add("packer", packer, replicas=2, restart="on-failure", tags=["process"])
    rounds = Restart(policy="always", base=3 * pace, cap=3 * pace)
    graph.add("tidy", tidy, depends_on=["packer"], restart=rounds, tags=["job"])
    for number in range(1, customers + 1):
        graph.add(
            f"customer {number}", partial(customer, number), depends_on=["shop"], restart="on-failure", tags=["load"]
        )
    return Reconciler(graph)
