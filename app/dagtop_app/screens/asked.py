"""A screen that stands before the others until it is answered, once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from textual.await_complete import AwaitComplete
from textual.screen import ModalScreen, Screen, ScreenResultType

if TYPE_CHECKING:
    _AnyScreen = Screen[Any]
else:  # Textual takes the style sheets of a class from its first base that is a widget: the mix-in must be none
    _AnyScreen = object


class AnsweredOnce(_AnyScreen):
    """Keys that were pressed before it has gone come to it still: an answer is not given twice, nor taken for another one."""

    _is_answered = False

    def dismiss(self, result: Any = None) -> AwaitComplete:
        """Close it; again, do nothing."""
        if self._is_answered:
            return AwaitComplete()
        self._is_answered = True
        return super().dismiss(result)


class Asked(AnsweredOnce, ModalScreen[ScreenResultType]):
    """A question of the console's own."""
