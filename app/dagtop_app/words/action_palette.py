"""The palette of Ctrl+p: every action of the list, and every task by name."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice

from dagtop_app.actions import ACTIONS, BY_ID, Action
from dagtop_app.screens.command_line import CommandLine, Words
from dagtop_app.settings.keymap import shown_of
from dagtop_app.text import name_of
from dagtop_app.words.completing import Offer
from dagtop_app.words.palette import Outlook

#: Task names offered at most.
_MOST = 40
#: How the answer begins that is a task.
TASK = "task "


def offers(text: str, names: Sequence[str]) -> list[Offer]:
    """The actions that all of the words are in, those whose labels have them first; then tasks by name. Pure."""
    words = text.lower().split()
    found = [(rank, action) for action in ACTIONS if action.in_palette and (rank := _rank(action, words)) is not None]
    found.sort(key=lambda it: it[0])
    actions = [Offer(action.id, _title(action), action.help) for _, action in found]
    return [*actions, *(_tasks(text.strip().lower(), names) if words else ())]


def _rank(action: Action, words: Sequence[str]) -> int | None:
    """How well it fits: 0 the label begins so, 1 it has all of it, 2 the help has; None: it does not."""
    label, whole = action.label.lower(), f"{action.label} {action.help} {action.id}".lower()
    if not all(word in whole for word in words):
        return None
    if words and label.startswith(words[0]):
        return 0
    return 1 if all(word in label for word in words) else 2


def _tasks(wanted: str, names: Sequence[str]) -> Iterator[Offer]:
    """The first ones whose names have that."""
    found = (index for index, name in enumerate(names) if wanted in name.lower())
    for index in islice(found, _MOST):
        yield Offer(f"{TASK}{index}", f"go to {name_of(names[index], 80)}", "the task")


def _title(action: Action) -> str:
    shown = shown_of(action)
    return f"{action.label}  ({shown})" if shown else action.label


def outlook(text: str) -> Outlook:
    """What the line is for."""
    return Outlook(
        "an action or a task by name · ↑↓ choose · ⏎ takes · esc leaves" if not text else "⏎ takes it", "dim"
    )


class ActionPalette(CommandLine):
    """Dismissed with the id of an action, `TASK` and an index, or None."""

    SIGN = ">"
    takes_first = True

    def __init__(self, names: Sequence[str]) -> None:
        super().__init__(Words(lambda text: offers(text, names), outlook), [])

    def enter(self, line: str) -> None:
        """What is chosen is meant, or what would be."""
        found = self._words.offers(line)
        self.dismiss(found[0].line if found else None)

    def take(self, offer: Offer) -> None:
        """That one."""
        self.dismiss(offer.line)


def action_of(answer: str) -> Action | None:
    """The action that was chosen; None if it is a task."""
    return BY_ID.get(answer)
