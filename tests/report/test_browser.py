"""The page in a real browser, where there is one."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest
from dagtop.observe.report import Report, collect, write_report
from dagtop_app.picturing import draw
from report_scene import big_run, steered_run
from test_html import evil_run

BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome", "chrome"))), "")
pytestmark = pytest.mark.skipif(not BROWSER, reason="needs Chromium")


def opened(report: Report, folder: Path, *options: str) -> str:
    """The document as it is after its scripts have run; what the browser has to say of it must be nothing."""
    page = write_report(report, folder / "page.html", draw=draw)
    command = [BROWSER, "--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={folder / 'profile'}"]
    command += ["--enable-logging=stderr", "--v=0", *options, page.as_uri()]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    assert re.findall(r".*CONSOLE.*", done.stderr) == []
    return done.stdout


@pytest.mark.parametrize("make", [steered_run, lambda: collect(evil_run()), lambda: collect(big_run(10_000, bad=100))])
def test_the_page_opens_without_a_complaint_and_its_table_gets_its_tools(make, tmp_path: Path) -> None:
    document = opened(make(), tmp_path, "--dump-dom")
    assert 'class="tools"' in document
    assert document.count("<button") > 6
    assert "<img" not in document


def test_the_page_prints(tmp_path: Path) -> None:
    opened(steered_run(), tmp_path, f"--print-to-pdf={tmp_path / 'page.pdf'}")
    assert (tmp_path / "page.pdf").read_bytes().startswith(b"%PDF")
