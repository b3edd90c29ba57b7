"""A screen that stands before the others until it is answered, once."""

from __future__ import annotations

from textual.await_complete import AwaitComplete
from textual.screen import ModalScreen, ScreenResultType


class Asked(ModalScreen[ScreenResultType]):
    """Keys that were pressed before it has gone come to it still: an answer is not given twice, nor taken for another one."""

    _is_answered = False

    def dismiss(self, result: ScreenResultType | None = None) -> AwaitComplete:
        """Close it; again, do nothing."""
        if self._is_answered:
            return AwaitComplete()
        self._is_answered = True
        return super().dismiss(result)
