"""What several commands of the command line take."""

from __future__ import annotations

from typing import Annotated

from cyclopts import Parameter

Run = Annotated[str, Parameter(name="RUN", help='A run\'s id, the beginning of one, or "last".')]
Task = Annotated[str, Parameter(name="TASK", help="The task's name.")]
Reason = Annotated[str, Parameter(show_default=False, help="Why; it is kept with the run.")]
