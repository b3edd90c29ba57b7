"""The key that writes a report of the run as it is shown, beside the working directory's other files."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dagtop.errors import DagtopError

from dagtop_app.screens import questions
from dagtop_app.screens.popup import Popup
from dagtop_app.screens.rereading import Rereading
from dagtop_app.text import clean

if TYPE_CHECKING:
    from dagtop_app.reports.exporting import Export


class Exporting(Rereading):
    """Reports from the console."""

    inputs: Mapping[str, Any] = {}
    """Of the graph: what looks secret of them is in no report."""
    source = ""
    """The graph's file."""
    _form = "html"
    """What was written last."""

    def action_export(self) -> None:
        """The menu of forms."""
        from dagtop_app.reports import exporting  # noqa: PLC0415 - seldom needed

        if not self.snapshot.rows:
            self.bridge.refuse("there is no run yet to be told of")
            self.draw_word()
            return
        choices, at = questions.menu(exporting.FORMS, self._form)

        def chosen(form: str | None) -> None:
            if form is None:
                self.bridge.say("nothing was written")
            else:
                self._form = form
                self._export(form, None)
            self.draw_word()

        title = "Write a report of the run as it is now"
        self.app.push_screen(Popup(title, [], choices, pick=True, at=at, note="⏎ writes it here · esc"), chosen)

    def action_report(self, asked: str) -> None:
        """Write what comes after the word `report`; without a form ask for it."""
        from dagtop_app.words.reports import report_asked  # noqa: PLC0415 - seldom needed

        form, target = report_asked(asked)
        if form and self.snapshot.rows:
            self._export(form, target)
            self.draw_word()
        else:
            self.action_export()

    def _export(self, form: str, target: Path | None) -> None:
        from dagtop_app.reports import exporting  # noqa: PLC0415 - seldom needed

        recorder = exporting.recorder_of(self.bridge.story, self.snapshot)
        export = exporting.Export(self.snapshot, recorder, self.bridge.engine.logs, self.inputs, self.source)
        self.bridge.say(f"writing {form}…")
        work = partial(self._write, export, form, target)
        self.run_worker(work, thread=True, exit_on_error=False, description="writes a report")

    def _write(self, export: Export, form: str, target: Path | None = None) -> None:
        """On a thread of its own: that of the console goes on drawing."""
        tell: Callable[[str], None] = self.bridge.refuse
        try:
            told, tell = export.write(form, Path.cwd(), target), self.bridge.say
        except DagtopError as error:
            told = str(error)
        except Exception as error:  # noqa: BLE001 - a report that cannot be made must not close the console
            told = f"could not write the report: {type(error).__name__}: {error}"
        self.app.call_from_thread(self._told, tell, clean(told, 400))

    def _told(self, tell: Callable[[str], None], told: str) -> None:
        tell(told)
        self.draw_word()
