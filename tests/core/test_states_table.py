"""The one table of legal moves, pair by pair."""

from __future__ import annotations

import itertools

import pytest
from dagtop.core.ledger import Ledger
from dagtop.core.states import ACTIVE, BAD, FINAL, GOOD, MOVES, TaskState
from dagtop.errors import IllegalTransitionError
from machine_driver import plan_of

_PAIRS = list(itertools.product(TaskState, TaskState))


@pytest.mark.parametrize(("start", "finish"), [pair for pair in _PAIRS if pair[1] in MOVES[pair[0]]])
def test_a_listed_move_is_made_and_counted(start: TaskState, finish: TaskState) -> None:
    ledger = _at(start)
    ledger.move(0, finish)
    assert ledger.state == [finish]
    assert ledger.counts == {**dict.fromkeys(TaskState, 0), finish: 1}


@pytest.mark.parametrize(("start", "finish"), [pair for pair in _PAIRS if pair[1] not in MOVES[pair[0]]])
def test_a_move_that_is_not_listed_raises_and_changes_nothing(start: TaskState, finish: TaskState) -> None:
    ledger = _at(start)
    with pytest.raises(IllegalTransitionError, match=f"'it' was to go from {start.name} to {finish.name}"):
        ledger.move(0, finish)
    assert ledger.state == [start]


def test_every_state_has_a_row_and_only_a_restart_leaves_a_final_one() -> None:
    assert set(MOVES) == set(TaskState)
    assert all(MOVES[state] == {TaskState.WAITING} for state in FINAL)
    assert GOOD | BAD <= FINAL
    assert not ACTIVE & FINAL


@pytest.mark.parametrize("state", [state for state in TaskState if state not in ACTIVE])
def test_a_slot_is_taken_from_ready_only(state: TaskState) -> None:
    assert (TaskState.RUNNING in MOVES[state]) is (state is TaskState.READY)


def _at(state: TaskState) -> Ledger:
    ledger = Ledger(plan_of({"it": []}))
    ledger.state[0] = state
    ledger.counts[TaskState.WAITING] -= 1
    ledger.counts[state] += 1
    return ledger
