"""Something that takes as long as a file does, read on a thread while the console goes on."""

from __future__ import annotations

import threading
from typing import Generic, TypeVar

from dagtop.errors import DagtopError

T = TypeVar("T")


class ReadsAside(Generic[T]):
    """What `look` gives, for whoever must not wait for it: `begin` it, then `take` what came of it."""

    path: str
    """Of what is read, for what is said of errors."""

    def __init__(self) -> None:
        self._asked = threading.Lock()
        self._answer: T | str | None = None

    def look(self) -> T:
        """Read it; it takes as long as that takes.

        Raises
        ------
        DagtopError: there is nothing to be had of it.
        """
        raise NotImplementedError

    @property
    def is_busy(self) -> bool:
        """Whether it is being read now."""
        return self._asked.locked()

    def begin(self) -> bool:
        """Read it on a thread; False if that is under way already. `take` gives what came of it."""
        if not self._asked.acquire(blocking=False):
            return False
        threading.Thread(target=self._look_aside, name="reads the graph file again", daemon=True).start()
        return True

    def _look_aside(self) -> None:
        try:
            self._answer = self.look()
        except DagtopError as error:
            self._answer = str(error)
        except Exception as error:  # noqa: BLE001 - nothing that a file holds may end the console
            self._answer = f"{self.path}: {type(error).__name__}: {error}"
        finally:
            self._asked.release()

    def take(self) -> T | str | None:
        """What came of it, once: what was read, or why there is nothing. None as long as there is no answer."""
        answer, self._answer = self._answer, None
        return answer
