"""How many tasks there are, as people are told: what stands for a node is none, nor is what was taken out of the graph."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dagtop.core.ledger import Ledger
    from dagtop.core.plan import Plan


def count_of_tasks(plan: Plan) -> int:
    """How many tasks the graph has."""
    return len(plan) - len(plan.nodes)


def counts_of_tasks(ledger: Ledger) -> dict[str, int]:
    """How many tasks are in each state, by the state's name in lower case; states without tasks are left out."""
    no_tasks = {*ledger.plan.nodes, *ledger.desired.gone}
    others = Counter([ledger.state[index] for index in no_tasks])
    return {state.value: count - others[state] for state, count in ledger.counts.items() if count - others[state]}
