"""Orders, customers, products and visits of a shop: made up, loaded into SQLite, checked, cleaned, joined and summed.

Shows a graph as pipelines have it: four branches, joins, a diamond that must add up, bad rows put aside, and retries
against a real obstacle: the loads write to one SQLite file without waiting for each other, so `sqlite3` raises
"database is locked" and the task is tried again.

    dagtop sample_graphs/etl.py
    dagtop sample_graphs/etl.py -p orders=200000 -p seed=3 -p folder=out

The data is the same for the same seed. The files are in a temporary folder, which is removed at the end if all went
well, and kept if not; with `-p folder=PATH` they are there, and stay.
"""

from __future__ import annotations

import csv
import json
import random
import shutil
import sqlite3
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from datetime import date, timedelta
from pathlib import Path
from typing import Any

from dagtop import Graph, Retry, TaskContext

COUNTRIES = ("AT", "DE", "ES", "FR", "IT", "NL", "PL", "SE")
TABLES = {
    "customers": "id INTEGER, name TEXT, email TEXT, country TEXT",
    "products": "id INTEGER, name TEXT, price INTEGER",
    "orders": "id INTEGER, customer INTEGER, product INTEGER, quantity INTEGER, day TEXT",
    "visits": "id INTEGER, country TEXT, pages INTEGER",
}
LOCKED = Retry(retries=30, base=0.05, factor=1.5, cap=0.5, jitter=0.5, on=(sqlite3.OperationalError,))

graph = Graph("etl", inputs={"orders": 100_000, "seed": 7, "folder": ""})


# -- made-up data; prices are in cents, and some rows are bad on purpose ----------------------------------------------


def customer_rows(seed: int, count: int) -> Iterator[tuple[Any, ...]]:
    """Customers; one in fifty has no e-mail address."""
    dice = random.Random(f"customers {seed}")
    for number in range(count):
        email = f"c{number}@example.org" if dice.random() > 0.02 else ""
        yield number, f"Customer {number}", email, dice.choice(COUNTRIES)


def product_rows(seed: int) -> Iterator[tuple[Any, ...]]:
    """Products; the last one has a price below zero."""
    dice = random.Random(f"products {seed}")
    for number in range(120):
        yield number, f"Product {number}", dice.randrange(199, 19_999) if number < 119 else -100


def order_rows(seed: int, count: int, customers: int) -> Iterator[tuple[Any, ...]]:
    """Orders; some have no quantity, some are of customers that nobody knows, some come twice."""
    dice = random.Random(f"orders {seed}")
    for number in range(count):
        customer = dice.randrange(customers) if dice.random() > 0.005 else customers + 1
        quantity = dice.randrange(1, 6) if dice.random() > 0.01 else 0
        day = date(2025, 1, 1) + timedelta(days=dice.randrange(365))
        row = (number, customer, dice.randrange(120), quantity, day.isoformat())
        yield row
        if dice.random() < 0.003:
            yield row


def visit_rows(seed: int, count: int) -> Iterator[tuple[Any, ...]]:
    """Visits to the web shop."""
    dice = random.Random(f"visits {seed}")
    for number in range(count):
        yield number, dice.choice(COUNTRIES), dice.randrange(1, 30)


def write_csv(path: Path, rows: Iterable[tuple[Any, ...]], ctx: TaskContext) -> str:
    """Write rows to a file; its path."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        for number, row in enumerate(rows, 1):
            writer.writerow(row)
            if number % 5000 == 0:
                ctx.progress(number, message="rows")
    return str(path)


@graph.task
def workspace(folder: str, ctx: TaskContext) -> str:
    """An empty database in a folder of this run's own."""
    place = Path(folder) if folder else Path(tempfile.mkdtemp(prefix="dagtop-etl-"))
    place.mkdir(parents=True, exist_ok=True)
    database = place / "shop.sqlite"
    database.unlink(missing_ok=True)
    with opened(place, ctx) as db:
        for table, columns in TABLES.items():
            db.execute(f"CREATE TABLE {table} ({columns})")
        db.execute("CREATE TABLE quarantine (source TEXT, id INTEGER, why TEXT)")
    ctx.log.info("working in %s", place)
    return str(place)


@contextmanager
def opened(workspace: str | Path, ctx: TaskContext, *, patience: float = 10.0) -> Iterator[sqlite3.Connection]:
    """The database in one transaction; raises OperationalError if another writer keeps it for longer than `patience`."""
    with closing(sqlite3.connect(Path(workspace) / "shop.sqlite", timeout=patience, isolation_level=None)) as db:
        try:
            db.execute("BEGIN IMMEDIATE")
        except sqlite3.OperationalError as error:
            ctx.log.warning("attempt %d: %s", ctx.attempt, error)
            raise
        with db:
            yield db


@graph.task
def extract_customers(workspace: str, orders: int, seed: int, ctx: TaskContext) -> str:
    """As if from the shop's CRM."""
    return write_csv(Path(workspace) / "customers.csv", customer_rows(seed, max(1, orders // 10)), ctx)


@graph.task
def extract_products(workspace: str, seed: int, ctx: TaskContext) -> str:
    """As if from the catalogue."""
    return write_csv(Path(workspace) / "products.csv", product_rows(seed), ctx)


@graph.task
def extract_orders(workspace: str, orders: int, seed: int, ctx: TaskContext) -> str:
    """As if from the web shop."""
    return write_csv(Path(workspace) / "orders.csv", order_rows(seed, orders, max(1, orders // 10)), ctx)


@graph.task
def extract_visits(workspace: str, orders: int, seed: int, ctx: TaskContext) -> str:
    """As if from the web server's log."""
    return write_csv(Path(workspace) / "visits.csv", visit_rows(seed, orders * 2), ctx)


# -- load -------------------------------------------------------------------------------------------------------------


def load(table: str, file: str, workspace: str, ctx: TaskContext) -> int:
    """A file into a table, in one transaction; how many rows. Does not wait for other writers: that is the retries' job."""
    marks = ",".join("?" * TABLES[table].count(" INTEGER") + "?" * TABLES[table].count(" TEXT"))
    with Path(file).open(newline="", encoding="utf-8") as source, opened(workspace, ctx, patience=0) as db:
        rows = list(csv.reader(source))
        for start in range(0, len(rows), 2000):
            db.executemany(f"INSERT INTO {table} VALUES ({marks})", rows[start : start + 2000])
            ctx.progress(start, len(rows), "rows")
    ctx.log.info("%d rows into %s", len(rows), table)
    return len(rows)


@graph.task(retries=LOCKED)
def load_customers(extract_customers: str, workspace: str, ctx: TaskContext) -> int:
    """Customers into SQLite."""
    return load("customers", extract_customers, workspace, ctx)


@graph.task(retries=LOCKED)
def load_products(extract_products: str, workspace: str, ctx: TaskContext) -> int:
    """Products into SQLite."""
    return load("products", extract_products, workspace, ctx)


@graph.task(retries=LOCKED)
def load_orders(extract_orders: str, workspace: str, ctx: TaskContext) -> int:
    """Orders into SQLite."""
    return load("orders", extract_orders, workspace, ctx)


@graph.task(retries=LOCKED)
def load_visits(extract_visits: str, workspace: str, ctx: TaskContext) -> int:
    """Visits into SQLite."""
    return load("visits", extract_visits, workspace, ctx)


# -- check and put aside ----------------------------------------------------------------------------------------------


def put_aside(source: str, checks: dict[str, str], workspace: str, ctx: TaskContext) -> dict[str, int]:
    """Note the rows of a table that a check finds: {why: how many}. `checks` are conditions by reason."""
    with opened(workspace, ctx) as db:
        found = {
            why: db.execute(
                f"INSERT INTO quarantine SELECT '{source}', rowid, ? FROM {source} WHERE {condition}", [why]
            ).rowcount
            for why, condition in checks.items()
        }
    ctx.log.info("%s: %s", source, ", ".join(f"{count} with {why}" for why, count in found.items()))
    return found


@graph.task(depends_on=[load_customers])
def check_customers(workspace: str, ctx: TaskContext) -> dict[str, int]:
    """Who has no e-mail address gets no bill."""
    return put_aside("customers", {"no e-mail": "email = ''"}, workspace, ctx)


@graph.task(depends_on=[load_products])
def check_products(workspace: str, ctx: TaskContext) -> dict[str, int]:
    """Nothing costs less than nothing."""
    return put_aside("products", {"bad price": "price <= 0"}, workspace, ctx)


@graph.task(depends_on=[load_orders, load_customers])
def check_orders(workspace: str, ctx: TaskContext) -> dict[str, int]:
    """Orders need a quantity and a customer, and count once."""
    checks = {
        "no quantity": "quantity <= 0",
        "unknown customer": "customer NOT IN (SELECT id FROM customers)",
        "double": "rowid NOT IN (SELECT min(rowid) FROM orders GROUP BY id)",
    }
    return put_aside("orders", checks, workspace, ctx)


@graph.task
def quarantine(
    check_customers: dict[str, int],
    check_products: dict[str, int],
    check_orders: dict[str, int],
    load_orders: int,
    ctx: TaskContext,
) -> int:
    """How many faults were found; too many of them stop everything."""
    found = sum(sum(faults.values()) for faults in (check_customers, check_products, check_orders))
    if found > load_orders * 0.1:
        raise ValueError(f"{found:,} faults in {load_orders:,} orders: this is not our data")
    ctx.log.info("%d faults", found)
    return found


# -- join and add up: a diamond ---------------------------------------------------------------------------------------


@graph.task(depends_on=[quarantine])
def sales(workspace: str, ctx: TaskContext) -> int:
    """Every good order of a good customer for a good product; how many."""
    bad = "SELECT id FROM quarantine WHERE source = "
    with opened(workspace, ctx) as db:
        return (
            db.execute(
                "CREATE TABLE sales AS SELECT o.id, o.day, c.country, c.id AS customer, o.quantity * p.price AS amount "
                "FROM orders o JOIN customers c ON c.id = o.customer JOIN products p ON p.id = o.product "
                f"WHERE o.rowid NOT IN ({bad} 'orders') AND c.rowid NOT IN ({bad} 'customers') "
                f"AND p.rowid NOT IN ({bad} 'products')"
            )
            .connection.execute("SELECT count(*) FROM sales")
            .fetchone()[0]
        )


def table(workspace: str, query: str) -> dict[str, int]:
    """A query of two columns as a dict."""
    with closing(sqlite3.connect(Path(workspace) / "shop.sqlite")) as db:
        return {str(key): value for key, value in db.execute(query)}


@graph.task(depends_on=[sales])
def by_country(workspace: str) -> dict[str, int]:
    """Revenue by country, in cents."""
    return table(workspace, "SELECT country, sum(amount) FROM sales GROUP BY 1 ORDER BY 1")


@graph.task(depends_on=[sales])
def by_month(workspace: str) -> dict[str, int]:
    """Revenue by month, in cents."""
    return table(workspace, "SELECT substr(day, 1, 7), sum(amount) FROM sales GROUP BY 1 ORDER BY 1")


@graph.task(depends_on=[sales])
def best_customers(workspace: str) -> dict[str, int]:
    """Who spent the most, in cents."""
    return table(workspace, "SELECT customer, sum(amount) FROM sales GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT 10")


@graph.task(depends_on=[sales, load_visits])
def conversion(workspace: str) -> dict[str, int]:
    """Sales for every thousand visits, by country."""
    visits = "(SELECT count(*) FROM visits v WHERE v.country = s.country)"
    return table(workspace, f"SELECT country, 1000 * count(*) / {visits} FROM sales s GROUP BY 1 ORDER BY 1")


@graph.task
def reconcile(by_country: dict[str, int], by_month: dict[str, int]) -> int:
    """Both sums must be the same; the revenue."""
    total, again = sum(by_country.values()), sum(by_month.values())
    if total != again:
        raise ArithmeticError(f"{total} by country, but {again} by month")
    return total


@graph.task
def summary(
    reconcile: int,
    sales: int,
    quarantine: int,
    by_country: dict[str, int],
    by_month: dict[str, int],
    best_customers: dict[str, int],
    conversion: dict[str, int],
) -> dict[str, Any]:
    """Everything that the board wants to know."""
    print(f"{sales:,} sales, revenue {reconcile / 100:,.2f}, {quarantine:,} faults put aside")
    for country, cents in by_country.items():
        print(f"  {country} {cents / 100:>16,.2f}  {conversion[country]:>4} sales per 1,000 visits")
    return {
        "revenue": reconcile,
        "sales": sales,
        "by_country": by_country,
        "by_month": by_month,
        "best_customers": best_customers,
        "conversion": conversion,
    }


@graph.task
def write_summary(summary: dict[str, Any], workspace: str) -> str:
    """The summary as a file."""
    path = Path(workspace) / "summary.json"
    path.write_text(json.dumps(summary, indent=2), encoding="utf-8")
    return str(path)


@graph.task(depends_on=[write_summary])
def clean_up(workspace: str, folder: str, ctx: TaskContext) -> None:
    """Remove the temporary folder. Runs only if all went well, so a failure can be looked into, and resumed."""
    if not folder:
        shutil.rmtree(workspace)
        ctx.log.info("removed %s", workspace)
