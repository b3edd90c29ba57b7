"""How many attempts at once, as the tasks themselves show it."""

from __future__ import annotations


class Window:
    """The adaptive limit of a run: always within its bounds, which are those of the run.

    Parameters
    ----------
    least: how far it may go down.
    most: how far it may go up.
    """

    def __init__(self, least: int, most: int) -> None:
        self.least, self.most = least, most
        self.limit = most

    def ended(self, kind: int, at: float, seconds: float, ok: bool, in_flight: int) -> str:
        """An attempt ended: why the limit has changed, "" if it has not.

        Parameters
        ----------
        kind: tasks of one kind run the same code: how long they take is compared among themselves.
        at: now, seconds since the run began.
        seconds: how long the attempt took.
        ok: whether it succeeded; False for an exception of its own and for a timeout. (An attempt that a person or the run
            stopped is not told at all: it says nothing about the load.)
        in_flight: attempts in progress when it ended, itself included.
        """
        return ""

    def set_bounds(self, least: int, most: int) -> str:
        """The run has new bounds: why the limit has changed, "" if it has not."""
        self.least, self.most = min(least, most), most
        was, self.limit = self.limit, min(max(self.limit, self.least), most)
        return "" if self.limit == was else f"max_parallel is {most} now"
