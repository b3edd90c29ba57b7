"""The console's screen in front of a run that is over, or goes on elsewhere: the same views, at any instant of it."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import ClassVar

from dagtop.core import commands as do
from dagtop.runtime.replay import Replay
from textual.app import ComposeResult
from textual.binding import Binding, BindingType

from dagtop_app.actions import ACTIONS, BY_ID, Action, bindings
from dagtop_app.bridge import Bridge
from dagtop_app.chrome.word_line import Standing
from dagtop_app.screens.main import MainScreen
from dagtop_app.widgets.footer import Footer
from dagtop_app.widgets.time_bar import TimeBar

#: The part of a run that `,` and `.` go on by.
_LEAP = 0.02
#: What is said to a key that would change something.
REFUSED = "this is a replay: nothing of it can be changed"


def _own_keys() -> list[BindingType]:
    """Before those of any view; while something is typed they are none."""
    return [Binding(*_parts(binding), show=False, priority=True, id=binding.id) for binding in bindings("replay")]


def _parts(binding: Binding) -> tuple[str, str, str]:
    return binding.key, binding.action.removeprefix("screen."), binding.description


class Replayed(MainScreen):
    """Plays a stored run in all views."""

    BINDINGS: ClassVar[list[BindingType]] = _own_keys()

    def __init__(
        self, bridge: Bridge, title: str, replay: Replay, *, now: Callable[[], float] = time.monotonic
    ) -> None:
        super().__init__(bridge, title, now=now)
        self.replay = replay
        self._bar = TimeBar(id="time-bar")
        self._epoch = replay.epoch

    def compose(self) -> ComposeResult:
        """The same, with the line of the replay above the footer."""
        for part in super().compose():
            if isinstance(part, Footer):
                yield self._bar
            yield part

    def poll(self) -> None:
        """Ten times a second."""
        if self._epoch != self.replay.epoch:  # what was read of the time behind the instant does not hold any more
            self._epoch = self.replay.epoch
            self.bridge.look_again()
            self.on_attached()
        if self.header.crashed is not self.has_crashed:
            self.header.crashed = self.has_crashed
            self.draw()
        super().poll()
        self._bar.show(self.replay.transport)

    @property
    def has_crashed(self) -> bool:
        """Whether the instant is the last of a run whose process ended before it did."""
        at = self.replay.transport
        died = self.replay.summary.state in {"crashed", "incomplete"}
        return died and at.indexed and not at.following and at.number >= at.last

    @property
    def standing(self) -> Standing:
        """What the line above the footer tells of."""
        crashed = self.replay.summary.run if self.has_crashed else ""
        return super().standing._replace(is_replay=True, crashed=crashed)

    # -- keys of the player ------------------------------------------------------------------------------------------

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """The keys of the player are letters where something is typed, or asked."""
        if action == "replay" and (self.is_asking or self.app.screen is not self):
            return False
        return super().check_action(action, parameters)

    def action_replay(self, what: str) -> None:
        """A key of the player."""
        replay, at = self.replay, self.replay.transport
        match what:
            case "play":
                replay.play()
            case "faster" | "slower":
                replay.faster(1 if what == "faster" else -1)
            case "next" | "previous":
                replay.step(1 if what == "next" else -1)
            case "forward" | "backward":
                leap = max(0.001, at.end * _LEAP) * (1 if what == "forward" else -1)
                replay.seek_time(max(0.0, min(at.end, at.at + leap)))
            case "problem" | "problem-before":
                if not replay.to_trouble(1 if what == "problem" else -1):
                    self.bridge.say("no problem behind" if what == "problem" else "no problem before")
            case "begin":
                replay.seek(0)
            case _:
                replay.to_end()
        self._bar.show(replay.transport)
        self.draw_word()

    def action_move(self, how: str) -> None:
        """To the last line of a run that goes on is along with it, too."""
        super().action_move(how)
        if how == "bottom" and self.replay.summary.alive:
            self.replay.to_end()

    def on_time_bar_chosen(self, message: TimeBar.Chosen) -> None:
        """A moment was clicked."""
        self.replay.seek_time(message.at)

    # -- what cannot be done here ------------------------------------------------------------------------------------

    @property
    def may_steer(self) -> bool:
        """Nothing can be changed."""
        return False

    def is_useful(self, action: Action) -> bool:
        """Whether a key would do something."""
        return not _steers(action) and super().is_useful(action)

    def refuse_to_steer(self, *_: object) -> None:
        """What every key that steers does here."""
        self.bridge.refuse(REFUSED)
        self.draw_word()

    def action_quit(self) -> None:
        """Leave; nothing runs."""
        self.app.exit(return_code=0)

    def leave_after(self, command: do.Command, how: str, saying: str) -> None:
        """A signal: leave."""
        self.app.exit(return_code=0)

    def draw_footer(self) -> None:
        """Those of the view, behind the player's most important."""
        first = [BY_ID[name] for name in ("replay.play", "replay.next", "replay.problem", "replay.faster")]
        seen = [action for action in self.footer_actions() if not _steers(action)]
        self.footer.show([(action, self.is_useful(action)) for action in (*first, *seen)])


def _steers(action: Action) -> bool:
    """Whether a key changes something: those of the view of breakers do too, and are refused by the replay itself."""
    return action.group == "Steer" or action.id in _OF_BREAKERS


_OF_BREAKERS = frozenset({"breaker.close", "breaker.trip", "breaker.half-open", "breaker.force", "breaker.edit"})

for _action in ACTIONS:
    if _action.group == "Steer":
        setattr(Replayed, f"action_{_action.do.partition('(')[0]}", Replayed.refuse_to_steer)
