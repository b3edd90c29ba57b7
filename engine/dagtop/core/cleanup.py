"""When a task's teardown runs: as soon as the task, and everything downstream of it, has ended and is torn down itself.

That is the reverse of the dependency order, and no resource is kept longer than somebody may need it.
"""

from __future__ import annotations

from dagtop.core.ledger import Ledger
from dagtop.core.plan import Plan
from dagtop.core.states import FINAL


class Cleanup:
    """Who is closed: ended, torn down, and everything downstream closed as well. Each ending costs O(degree)."""

    def __init__(self, ledger: Ledger, before: Cleanup | None = None) -> None:
        self._ledger = ledger
        self._plan: Plan = ledger.plan
        self._open_below: list[int] = [len(fed) for fed in self._plan.downstream]
        self._closed: list[bool] = [False] * len(self._plan)
        self.running: set[int] = before.running if before is not None else set()
        """Tasks whose teardown runs now."""
        for index in reversed(self._plan.order):
            if ledger.state[index] in FINAL and not self._open_below[index] and index not in self.running:
                if before is not None and not before.is_closed(index) and self._is_owed(index):
                    continue
                self._closed[index] = True
                self._told(index)

    def is_closed(self, index: int) -> bool:
        """Whether it, and everything downstream, has ended and been torn down."""
        return index < len(self._closed) and self._closed[index]

    def due(self) -> list[int]:
        """The tasks whose teardown may run now because nothing depends on them any more: the graph has changed."""
        return self._close_from([index for index in self._plan.cleans_up if not self._closed[index]])

    def ended(self, index: int) -> list[int]:
        """A task has come to a final state: the tasks whose teardown may run now."""
        return self._close_from([index])

    def torn_down(self, index: int) -> list[int]:
        """The teardown of a task is over: the tasks whose teardown may run now."""
        self.running.discard(index)
        if self._ledger.state[index] not in FINAL or self._open_below[index]:
            return []  # it has started over meanwhile, or something that depends on it has come
        self._closed[index] = True
        return self._close_from(self._told(index))

    def started_over(self, index: int) -> None:
        """A task has left its final state: neither it nor anything upstream is closed any more."""
        stack = [index]
        while stack:
            i = stack.pop()
            if self._closed[i]:
                self._closed[i] = False
                for above in self._plan.upstream[i]:
                    self._open_below[above] += 1
                    stack.append(above)

    def _told(self, index: int) -> list[int]:
        """Tell the upstream that a task is closed; those of it for which it was the last one."""
        last: list[int] = []
        for above in self._plan.upstream[index]:
            self._open_below[above] -= 1
            if not self._open_below[above]:
                last.append(above)
        return last

    def _is_owed(self, index: int) -> bool:
        ledger = self._ledger
        return index in self._plan.cleans_up and ledger.attempt[index] > 0 and index not in ledger.torn_down

    def _close_from(self, stack: list[int]) -> list[int]:
        due: list[int] = []
        ledger = self._ledger
        while stack:
            index = stack.pop()
            if self._open_below[index] or self._closed[index] or ledger.state[index] not in FINAL:
                continue
            if index in self.running:
                continue
            if self._is_owed(index):
                self.running.add(index)
                due.append(index)
            else:
                self._closed[index] = True
                stack += self._told(index)
        return due
