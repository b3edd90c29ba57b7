"""A crawl of a small web site that lives on loopback while the graph runs: nobody knows beforehand how many pages there are.

Shows a graph that grows while it runs. The site is a service: opened when the first page is asked for, closed when
everything has ended. Each page that is fetched adds a task for every link that leads to a page not seen before, all of them
in a pool that allows eight requests at once and fifty in a second. The site refuses now and then; retries take care
of that, and a circuit breaker watches. At the end the words of each page are counted as a task of its own.

    dagtop sample_graphs/crawl.py
    dagtop run sample_graphs/crawl.py -p pages=300
"""

from __future__ import annotations

import http.client
import re
import threading
from collections import Counter
from collections.abc import Iterator
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from random import Random

from dagtop import Breaker, Graph, Pool, Retry, TaskContext

WORDS = (
    "graph",
    "task",
    "run",
    "retry",
    "pool",
    "breaker",
    "gate",
    "journal",
    "snapshot",
    "event",
    "ledger",
    "console",
)

graph = Graph(
    "crawl",
    max_parallel=16,
    pools={"site": Pool(8, rate=50.0, burst=8)},
    breakers=[Breaker("site", failure_threshold=20, recovery_timeout=0.5)],
    inputs={"pages": 60, "refusals": 0.05},
)
LINK = re.compile(r'href="(/page/\d+)"')
found: dict[str, str] = {}
"""The text of each page, by path; a page is here as soon as somebody has asked for it."""
at_work = threading.Lock()


def text_of(number: int, pages: int) -> str:
    """What page `number` says, and where it leads: a tree with a few links across."""
    chance = Random(number)
    words = " ".join(chance.choices(WORDS, k=40))
    links = [link for link in (2 * number + 1, 2 * number + 2, chance.randrange(pages)) if link < pages]
    return f"<p>{words}</p>" + "".join(f'<a href="/page/{link}">more</a>' for link in links)


@graph.service
def site(pages: int, refusals: float) -> Iterator[str]:
    """The web site: its address."""
    chance = Random(0)

    class Pages(BaseHTTPRequestHandler):
        def do_GET(self) -> None:  # the name that http.server wants
            refused = chance.random() < refusals
            body = b"" if refused else text_of(int(self.path.rpartition("/")[2]), pages).encode()
            self.send_response(503 if refused else 200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Pages) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield f"127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


def fetch(path: str, site: str, ctx: TaskContext) -> int:
    """Fetch one page, and add a task for each page that it leads to and nobody has asked for."""
    connection = http.client.HTTPConnection(site, timeout=5)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        body = answer.read().decode()
    finally:
        connection.close()
    if answer.status != 200:
        raise ConnectionError(f"{path} answered with {answer.status}")
    with at_work:
        found[path] = body
        new = [link for link in dict.fromkeys(LINK.findall(body)) if link not in found]
        found.update(dict.fromkeys(new, ""))
    for link in new:
        spawn(ctx, link)
    return len(new)


def spawn(ctx: TaskContext, path: str) -> None:
    """A task for one more page; the list of texts waits for it."""
    ctx.spawn(
        path.removeprefix("/"),
        partial(fetch, path),
        retries=Retry(retries=8, base=0.01, cap=0.1),
        circuit="site",
        pool="site",
        before=["texts"],
        tags=["page"],
    )


@graph.task
def start(ctx: TaskContext) -> None:
    """Begin at the front page."""
    with at_work:
        found.clear()
        found["/page/0"] = ""
    spawn(ctx, "/page/0")


@graph.task(depends_on=[start])
def texts() -> list[str]:
    """The texts of all pages, when there is none left to fetch."""
    return [found[path] for path in sorted(found, key=lambda path: int(path.rpartition("/")[2]))]


def count(text: str) -> dict[str, int]:
    """How often each word is on a page."""
    return dict(Counter(re.sub(r"<[^>]*>", " ", text).replace("more", "").split()))


graph.map("words", count, over=texts, limit=4)


@graph.task
def total(words: list[dict[str, int]]) -> dict[str, int]:
    """How often each word is on the whole site, the most frequent first."""
    summed: Counter[str] = Counter()
    for page in words:
        summed.update(page)
    return dict(summed.most_common())
