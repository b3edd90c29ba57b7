"""Chromium without a head, spoken to through a pipe (the DevTools protocol): no port, no driver, nothing to install beside it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from base64 import b64decode
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")
BROWSER = next(filter(None, map(shutil.which, NAMES)), "")
#: Puts the two pipes where the browser looks for them, at 3 and 4, and becomes it.
_EXEC = """
import fcntl, os, sys
high = [fcntl.fcntl(int(pipe), fcntl.F_DUPFD, 20) for pipe in sys.argv[1:3]]
for place, pipe in zip((3, 4), high):
    os.dup2(pipe, place)
os.execv(sys.argv[3], sys.argv[3:])
"""
#: What a page must never cause: each is kept as it is told.
_TELLING = frozenset(
    {
        "Page.javascriptDialogOpening",
        "Runtime.exceptionThrown",
        "Runtime.consoleAPICalled",
        "Log.entryAdded",
        "Page.windowOpen",
    }
)


class BrowserGoneError(Exception):
    """The browser has ended."""


class Chromium:
    """One process; each `Page` in it is a tab with settings of its own."""

    def __init__(self, profile: Path) -> None:
        ours, its = os.pipe(), os.pipe()
        options = [
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--remote-debugging-pipe",
            f"--user-data-dir={profile}",
        ]
        options += [
            "--disable-dev-shm-usage",
            "--no-first-run",
            "--disable-background-networking",
            "--disable-extensions",
        ]
        self._process = subprocess.Popen(
            [sys.executable, "-c", _EXEC, str(ours[0]), str(its[1]), BROWSER, *options, "about:blank"],
            pass_fds=(ours[0], its[1]),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        os.close(ours[0])
        os.close(its[1])
        self._to, self._from = ours[1], its[0]
        self._left = b""
        self._number = 0
        self.events: list[dict[str, Any]] = []

    def close(self) -> None:
        """End it, and wait until it has ended."""
        os.close(self._to)
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        os.close(self._from)

    def call(self, method: str, session: str = "", **parameters: Any) -> dict[str, Any]:
        """Ask for something and wait for the answer; events that come meanwhile are kept."""
        self._number += 1
        order: dict[str, Any] = {"id": self._number, "method": method, "params": parameters}
        if session:
            order["sessionId"] = session
        os.write(self._to, json.dumps(order).encode() + b"\0")
        while True:
            message = self._read()
            if message.get("id") == self._number:
                assert "error" not in message, (method, message["error"])
                result: dict[str, Any] = message["result"]
                return result
            self.events.append(message)

    def wait_for(self, fits: Callable[[Mapping[str, Any]], bool]) -> dict[str, Any]:
        """The first event that fits, of those that came and those that come."""
        place = 0
        while True:
            for event in self.events[place:]:
                if fits(event):
                    return event
            place = len(self.events)
            self.events.append(self._read())

    def _read(self) -> dict[str, Any]:
        while b"\0" not in self._left:
            more = os.read(self._from, 1 << 20)
            if not more:
                raise BrowserGoneError
            self._left += more
        message, _, self._left = self._left.partition(b"\0")
        found: dict[str, Any] = json.loads(message)
        return found


class Page:
    """A tab that shows one file."""

    def __init__(
        self,
        browser: Chromium,
        file: Path,
        *,
        width: int = 1280,
        height: int = 900,
        dark: bool = False,
        scripts: bool = True,
        phone: bool = False,
    ) -> None:
        self._browser = browser
        target = browser.call("Target.createTarget", url="about:blank")["targetId"]
        self._target = target
        self._session = browser.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Network", "Log"):
            self._call(f"{domain}.enable")
        self._scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.media("")
        self._call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=phone)
        self._call("Emulation.setScriptExecutionDisabled", value=not scripts)
        self._call("Page.navigate", url=file.as_uri())
        self._wait("Page.loadEventFired")

    def evaluate(self, expression: str) -> Any:
        """The value of an expression of JavaScript."""
        # A page whose scripts are off still answers the protocol.
        answer = self._call("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        return answer["result"].get("value")

    def media(self, name: str) -> None:
        """Look as on "print" or "screen"; "" as it is."""
        self._call("Emulation.setEmulatedMedia", media=name, features=[self._scheme])

    def picture(self) -> bytes:
        """What is to be seen, as PNG."""
        return b64decode(self._call("Page.captureScreenshot", format="png")["data"])

    def paper(self) -> bytes:
        """The page as it is printed, as PDF."""
        return b64decode(self._call("Page.printToPDF", printBackground=True)["data"])

    def mouse(self, kind: str, x: float, y: float, **more: Any) -> None:
        """Move, press, release or turn: "mouseMoved", "mousePressed", "mouseReleased", "mouseWheel"."""
        self._call("Input.dispatchMouseEvent", type=kind, x=x, y=y, **more)

    def complaints(self) -> list[dict[str, Any]]:
        """Dialogs, errors and whatever it wrote to its console."""
        self._call("Runtime.evaluate", expression="1")  # what it has to say by now comes before the answer
        return [event for event in self._events() if event["method"] in _TELLING]

    def loaded(self) -> list[str]:
        """Addresses of all that it loaded or tried to."""
        sent = [event for event in self._events() if event["method"] == "Network.requestWillBeSent"]
        return [event["params"]["request"]["url"] for event in sent]

    def close(self) -> None:
        """Close the tab."""
        self._browser.call("Target.closeTarget", targetId=self._target)

    def _events(self) -> list[dict[str, Any]]:
        return [event for event in self._browser.events if event.get("sessionId") == self._session]

    def _call(self, method: str, **parameters: Any) -> dict[str, Any]:
        return self._browser.call(method, self._session, **parameters)

    def _wait(self, method: str) -> None:
        self._browser.wait_for(lambda event: event.get("sessionId") == self._session and event["method"] == method)
