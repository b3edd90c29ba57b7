"""A screen that stands before the others until it is answered, once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from textual.await_complete import AwaitComplete
from textual.screen import ModalScreen, Screen, ScreenResultType

from dagtop_app.chrome.view_model import is_small

if TYPE_CHECKING:
    _AnyScreen = Screen[Any]
else:  # Textual takes the style sheets of a class from its first base that is a widget: the mix-in must be none
    _AnyScreen = object


class AnsweredOnce(_AnyScreen):
    """Keys that were pressed before it has gone come to it still: an answer is not given twice, nor taken for another one."""

    _is_answered = False
    _answers: tuple[Any, ...] = ()
    """What it was answered while another one stood before it."""

    opened_small = False
    """Whether it was asked on a terminal that is too small for what it is about."""

    def on_mount(self) -> None:
        """It is asked."""
        self.opened_small = is_small(*self.app.size)

    def dismiss(self, result: Any = None) -> AwaitComplete:
        """Close it; again, do nothing. Below another one it closes when it is the foremost: only that can be closed."""
        if self._is_answered:
            return AwaitComplete()
        self._is_answered = True
        if self.app.screen is not self:
            self._answers = (result,)
            return AwaitComplete()
        return super().dismiss(result)

    def on_screen_resume(self) -> None:
        """It is the foremost again."""
        if self._answers:
            answers, self._answers = self._answers, ()
            super().dismiss(*answers)


class Asked(AnsweredOnce, ModalScreen[ScreenResultType]):
    """A question of the console's own."""
