"""Moments at the very ends of the calendar: no time zone may push them over."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from dagtop import DAGExecutor, Graph
from dagtop.core.schedule import schedule_of
from dagtop.errors import GraphError


@pytest.mark.parametrize(
    "at", ["9999-12-31 23:59", "9999-12-31T23:59:59+00:00", "0001-01-01", datetime(9999, 1, 1, tzinfo=UTC)]
)
def test_B44_a_moment_that_some_time_zone_has_no_date_for_is_refused(at: object) -> None:
    """It was taken, and the console ended with a traceback about the year 10000."""
    with pytest.raises(ValueError, match="at must be in a year from 2 to 9998, not "):
        schedule_of(at=at)


def test_B44_the_last_year_of_all_is_told_with_the_graph() -> None:
    with pytest.raises(GraphError, match="from 2 to 9998"):
        Graph("g", at="9999-12-31 23:59").add("a", print).validate()


@pytest.mark.parametrize("resume", ["latest", "20261121-0815-3fa2c1", 1, {}])
def test_B38_a_run_that_is_to_go_on_with_another_one_says_what_it_takes(resume: object) -> None:
    """An AttributeError about str said nothing."""
    with pytest.raises(ValueError, match=r"resume takes what plan_resumption\(.*\) gives, not "):
        DAGExecutor(Graph("g").add("a", print), resume=resume)  # type: ignore[arg-type]  # that is what is refused
