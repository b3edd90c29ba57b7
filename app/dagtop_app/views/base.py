"""What every view of the console is: some widgets, and how they are drawn and asked."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar, Generic, TypeVar

from textual.widget import Widget

from dagtop_app.lines import Span

if TYPE_CHECKING:
    from dagtop.core.snapshot import TaskRow

    from dagtop_app.screens.main import MainScreen
    from dagtop_app.tasks.copying import Piece


P = TypeVar("P", bound=Widget)


class View(Generic[P]):
    """One of the console's views. It is made when it is first shown, and stays.

    It draws what `desk` has: the rows, the order and the selection in `desk.roster`, the run as it is in `desk.snapshot`.
    It asks the engine for nothing but through `desk.bridge`. One selection goes through all views: `desk.roster.selected`,
    set by `desk.select(index)`.

    Keys of its own are `Action(..., do="do('zoom')", view=name)` in the list of actions, bound by `bindings(name)` on its pane.

    Parameters
    ----------
    desk: the console's screen.
    """

    name: ClassVar[str]
    inspector: ClassVar[str] = "beside"
    """Where the inspector may stand: "beside" it if the screen is wide, else below; "below" always; "" nowhere."""
    footer: ClassVar[str] = ""
    """Ids of what its footer offers, the most important first; "" for those of the table."""
    asks: ClassVar[str] = "text  /re/  !not  ~fuzzy  state:retry  tag:x  pool:x  policy:x  circuit:x  node:x  error:x"
    """What stands in the empty line that `/` opens."""
    parts: Sequence[Widget]
    """All of it, from top to bottom."""
    pane: P
    """The part that gets the focus."""

    def __init__(self, desk: MainScreen) -> None:
        self.desk = desk

    def show(self, *, moved: bool = False) -> None:
        """Draw what is new; `moved`: rows are in other places than before."""
        raise NotImplementedError

    def tick(self) -> bool:
        """Called ten times a second when the run has nothing new. True if the line above the view is another one now."""
        return False

    def attached(self) -> None:
        """Another engine: what was read of the one before is to be read anew."""

    def title(self) -> tuple[list[Span], list[Span]]:
        """What the line above the view says: (left, right)."""
        raise NotImplementedError

    @property
    def row(self) -> TaskRow | None:
        """The task that keys act on while this view is shown: the selected one, unless its own cursor is about another."""
        return self.desk.roster.row

    def move(self, how: str) -> None:
        """A key of moving: "up", "half-down", "top" and so on."""
        move = getattr(self.pane, "move", None)
        if move is not None:
            move(how)

    def do(self, what: str) -> object:
        """One of its own keys."""
        raise NotImplementedError

    def back(self) -> bool:
        """Esc: whether there was something to step back from in it. If not, the table is shown."""
        return False

    def opened(self) -> bool:
        """Enter: whether the view does something of its own. If not, the selected task is shown full size."""
        return False

    def pieces(self) -> Sequence[Piece]:
        """What y offers besides what there is of the task."""
        return ()

    def next(self, step: int) -> bool:
        """n and N: whether there was a next one, or one before."""
        return self.desk.next_problem(step)

    @property
    def nothing_next(self) -> str:
        """What is said if there was none."""
        return "no problem to go to"

    @property
    def sought(self) -> str:
        """What is in the line that `/` opens."""
        return self.desk.roster.wanted.text

    def look_for(self, text: str) -> None:
        """Something else is in that line, letter by letter."""
        self.desk.set_filter(text, problems=self.desk.roster.problems)
