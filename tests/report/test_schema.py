"""The schema of the JSON report is written down, and what is written down is what is written."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from dagtop.observe.report import Report, collect
from dagtop.observe.report.json import from_json, json_schema, to_json
from report_scene import small_run, steered_run
from test_html import evil_run

WRITTEN = Path(__file__).parents[2] / "docs" / "report.schema.json"


def test_the_schema_that_is_written_down_is_that_of_the_code() -> None:
    """If it is not, write what `json_schema()` returns to docs/report.schema.json."""
    assert json.loads(WRITTEN.read_bytes()) == json.loads(json_schema())


@pytest.mark.parametrize("report", [collect(small_run()), collect(evil_run()), steered_run()])
def test_a_report_is_what_the_schema_says_and_is_read_back_as_it_was(report: Report) -> None:
    assert from_json(to_json(report)) == report
