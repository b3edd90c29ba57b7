"""Web services on this computer only, for the samples: HTTP with JSON in it, on ports that the system chooses."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import closing
from http.client import HTTPConnection, HTTPException
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socketserver import TCPServer
from typing import Any

from dagtop import TaskContext

LOOPBACK = "127.0.0.1"


class RefusedError(Exception):
    """A service has answered, but not what one hoped for."""


Answer = Callable[[str, dict[str, Any]], Any]


class Server(ThreadingHTTPServer):
    """Answers each path with what a function returns, as JSON, on a port that the system has chosen."""

    daemon_threads = True
    timeout = 0.1

    def __init__(self, answer: Answer) -> None:
        self.answer = answer
        self.asked = self.failed = 0
        super().__init__((LOOPBACK, 0), Handler)

    def server_bind(self) -> None:
        """As TCP has it: HTTPServer also looks for the name of the host, which may take seconds."""
        TCPServer.server_bind(self)
        self.server_name, self.server_port = LOOPBACK, self.server_address[1]

    def handle_error(self, *_: Any) -> None:
        """Whoever asked has gone: that is his affair."""


class Handler(BaseHTTPRequestHandler):
    """One request."""

    server: Server

    def do_POST(self) -> None:
        """Read a JSON object, answer with another one; what goes wrong is a 503."""
        self.server.asked += 1
        try:
            given = json.loads(self.rfile.read(int(self.headers.get("Content-Length", 0))) or b"{}")
            status, said = 200, self.server.answer(self.path, given)
        except Exception as error:
            self.server.failed += 1
            status, said = 503, {"error": f"{type(error).__name__}: {error}"}
        body = json.dumps(said).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_GET = do_POST  # noqa: N815 - http.server wants this name

    def log_message(self, *_: Any) -> None:
        """Say nothing of each request."""


class Addresses(dict[str, int]):
    """Who listens on which port. A service that starts again has another one."""

    def ask(self, service: str, path: str, /, **given: Any) -> Any:
        """What a service answers over HTTP.

        Raises
        ------
        OSError: nobody listens, or not in time.
        RefusedError: it says that it cannot.
        """
        connection = HTTPConnection(LOOPBACK, self.port(service), timeout=5)
        with closing(connection):
            try:
                connection.request("POST", path, json.dumps(given), {"Content-Type": "application/json"})
                response = connection.getresponse()
                said = json.loads(response.read())
            except HTTPException as error:  # it went away in the middle of it
                raise ConnectionError(f"{service} hung up: {type(error).__name__}") from error
        if response.status != 200:
            raise RefusedError(f"{service} says {response.status}, {said['error']}")
        return said

    def port(self, service: str) -> int:
        """Where a service listens.

        Raises
        ------
        ConnectionError: it is down.
        """
        if service not in self:
            raise ConnectionRefusedError(f"{service} is down")
        return self[service]


def serve(
    name: str,
    answer: Answer,
    addresses: Addresses,
    ctx: TaskContext,
    *,
    says_ready: bool = True,
    now_and_then: Callable[[], None] = lambda: None,
) -> None:
    """Answer until the task is told to stop."""
    with Server(answer) as server:
        addresses[name] = server.server_port
        ctx.log.info("listening on %s:%d", LOOPBACK, server.server_port)
        if says_ready:
            ctx.ready({"port": server.server_port})
        try:
            while not ctx.cancelled:
                server.handle_request()
                now_and_then()
                ctx.progress(server.asked, message=f"{server.asked} asked, {server.failed} refused")
        finally:
            addresses.pop(name, None)


def is_up(service: str, addresses: Addresses) -> bool:
    """A probe: whether a service says over HTTP that it is well."""
    return bool(addresses.ask(service, "/health")["well"])
