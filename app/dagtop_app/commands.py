"""The command palette: every action of the list, and every task by name."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING

from textual import work
from textual.command import CommandPalette, DiscoveryHit, Hit, Hits, Provider
from textual.content import Content
from textual.css.query import NoMatches
from textual.message import Message

from dagtop_app.actions import ACTIONS, Action
from dagtop_app.keymap import shown_of
from dagtop_app.screens.asked import AnsweredOnce
from dagtop_app.text import name_of

if TYPE_CHECKING:
    from dagtop_app.screens.main import MainScreen

#: Task names offered at most.
_MOST = 40


class _OnMain(Provider):
    @property
    def main(self) -> MainScreen | None:
        """The console's screen, if that is where the palette was opened."""
        from dagtop_app.screens.main import MainScreen  # noqa: PLC0415 - the screen imports the actions that are read here

        return self.screen if isinstance(self.screen, MainScreen) else None


class ActionProvider(_OnMain):
    """What keys do, by name."""

    def _runner(self, action: Action) -> Callable[[], object]:
        main = self.main
        assert main is not None
        return partial(main.run_action, action.do)

    async def discover(self) -> Hits:
        """Everything, before anything is typed."""
        if self.main is not None:
            for action in ACTIONS:
                if action.in_palette:
                    yield DiscoveryHit(_title(action), self._runner(action), help=action.help)

    async def search(self, query: str) -> Hits:
        """What matches."""
        if self.main is None:
            return
        matcher = self.matcher(query)
        for action in ACTIONS:
            score = matcher.match(f"{action.label} {action.help}")
            if action.in_palette and score > 0:
                yield Hit(score, matcher.highlight(_title(action)), self._runner(action), help=action.help)


def _title(action: Action) -> str:
    shown = shown_of(action)
    return f"{action.label}  ({shown})" if shown else action.label


class TaskProvider(_OnMain):
    """Goes to a task by its name."""

    async def search(self, query: str) -> Hits:
        """The first tasks whose names contain what was typed."""
        main = self.main
        if main is None:
            return
        wanted = query.lower()
        names = main.snapshot.plan.names
        found = (index for index, name in enumerate(names) if wanted in name.lower())
        for index in islice(found, _MOST):
            name = name_of(names[index], 80)
            yield Hit(0.5, Content(f"go to {name}"), partial(main.select, index), text=name, help="the task")


class ActionPalette(AnsweredOnce, CommandPalette):
    """Textual's, for keys that come before its list is laid out, or after it has been closed."""

    def _action_command_list(self, action: str) -> None:
        with suppress(KeyError):
            super()._action_command_list(action)

    @contextmanager
    def _until_answered(self) -> Generator[None]:
        """What comes once its parts have gone, as keys in a hurry do, is about nothing any more."""
        try:
            yield
        except NoMatches:
            if not self._is_answered:
                raise

    async def _dispatch_message(self, message: Message) -> None:
        with self._until_answered():
            await super()._dispatch_message(message)

    @work(exclusive=True, group=CommandPalette._GATHER_COMMANDS_GROUP)
    async def _gather_commands(self, search_value: str) -> None:
        with self._until_answered():
            await inspect.unwrap(CommandPalette._gather_commands)(self, search_value)
