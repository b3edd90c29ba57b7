"""`dagtop FILE --plain` on a terminal: the run in lines, and every command by a word. For screen readers and plain terminals.

Nothing is ever drawn over: lines come one after another. An empty line, or a question, holds those of the run back until the
next one is typed, so that they do not break into what is being written.
"""

from __future__ import annotations

import contextlib
import os
import signal
import threading
import time
from collections.abc import Callable, Iterable
from enum import Enum, auto
from typing import TYPE_CHECKING, Any

from dagtop.core import commands as do
from dagtop.core.states import RUN_OVER, RunState
from dagtop.errors import DagtopError

from dagtop_app.bridge import Bridge
from dagtop_app.commandline.signals import EXIT_CODES
from dagtop_app.plain import answers
from dagtop_app.plain.events import PlainLines
from dagtop_app.plain.headless import Watch
from dagtop_app.plain.looks import LOOKS, Looks
from dagtop_app.plain.printer import OurLines, TalkPrinter
from dagtop_app.plain.reports import ReportKeeper
from dagtop_app.settings.config import Confirm
from dagtop_app.steering.asking import is_asked
from dagtop_app.steering.node_commands import together
from dagtop_app.text import clean, plural
from dagtop_app.words.parsing import Worded, WordError, parse

if TYPE_CHECKING:
    from dagtop.ports.journal import Journal

    from dagtop_app.reloading.file import Difference, Reloader

#: Seconds between two looks at whether a command was answered.
_LOOK = 0.05
#: Seconds for which an empty line holds back the lines of the run.
_HELD = 60.0
#: Seconds after which the lines of the run go on though a command is not answered.
_PATIENCE = 3.0
#: How long a line may be that is typed.
_LONGEST = 100_000

WELCOME = (
    "Type a word and Enter: status, why TASK, cancel TASK, help. Enter alone holds these lines back while you type.\n"
)


class _Heard(Enum):
    """What the main thread is told, besides lines and signals."""

    OVER = auto()
    NO_MORE_LINES = auto()


class Talk(Watch):
    """Watches a run as `dagtop run` does, and answers what is typed meanwhile. The main thread alone does either.

    Parameters
    ----------
    confirm: which questions are asked.
    reloader: reads the graph file again, if there is one.
    """

    def __init__(
        self,
        engine: Any,
        printer: TalkPrinter,
        *,
        say: Callable[[str], None],
        grace: float,
        confirm: Confirm,
        reloader: Reloader | None = None,
    ) -> None:
        super().__init__(engine, printer, say=say, grace=grace)
        self.looks, self._reloader = Looks(), reloader
        self.reports = ReportKeeper()
        """What is told when a report is asked for."""
        self._talk, self._confirm = printer, confirm
        self.bridge = Bridge(engine)
        self._answer: Callable[[str], None] | None = None
        """Takes the next line: a question is open."""
        self._pending: object = None
        """What was said when the command was given that is not answered yet."""
        self._patient_until = 0.0
        self._is_told = False
        """Whether the run is over, and the latest snapshot does not show it yet."""
        self._held_until: float | None = None
        self._hears = True
        self._leaving = False
        self._reads = False
        """Whether the graph file is being read again."""

    # -- what is typed ---------------------------------------------------------------------------------------

    def listen(self, descriptor: int = 0) -> None:
        """Read lines on a thread of its own. In the background of a shell there are none, and that must not stop the run.

        They are for us only: a task that reads the descriptor from now on finds its end at once.
        """
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGTTIN, signal.SIG_IGN)
        own = os.dup(descriptor)
        with open(os.devnull, "rb") as nothing:
            os.dup2(nothing.fileno(), descriptor)

        def read() -> None:
            with contextlib.suppress(OSError, ValueError), open(own, "rb") as stream:
                while line := stream.readline(_LONGEST):
                    self.mailbox.put(line.decode("utf-8", "replace"))
            self.mailbox.put(_Heard.NO_MORE_LINES)

        threading.Thread(target=read, name="reads what is typed", daemon=True).start()

    def hear_of_end(self) -> None:
        """The run is over; called by the engine."""
        self.mailbox.put(_Heard.OVER)

    def take(self, item: object) -> None:
        """A line, or news of the run."""
        match item:
            case str():
                self._line(item.strip())
            case _Heard.OVER:
                self._is_told = True
            case _Heard.NO_MORE_LINES:
                self._hears = False
                self._free()
                if self.is_over:
                    self._leave()
            case _:
                return

    def next_look(self) -> float | None:
        """When there is something to do even if nobody says anything."""
        if self._pending is not None or self._is_told or self._reads:
            return time.monotonic() + _LOOK
        return self._held_until

    def as_told(self, text: str) -> str:
        """Without glyphs."""
        return answers.spoken(text)

    def look(self) -> None:
        """That time has come."""
        self.bridge.poll()
        if self._pending is not None:
            word = self.bridge.word
            if word is not self._pending:
                self._tell(answers.sentence(word.text.replace(" · u undoes it", " (undo takes it back)")))
            if word is not self._pending or time.monotonic() > self._patient_until:
                self._pending = None
                self._free()
        if self._reads and self._reloader is not None and (read := self._reloader.take()) is not None:
            self._reads = False
            self._ask_about(self._reloader, read)
        if self._is_told and self._engine.latest.state in RUN_OVER:
            self._is_told = False
            self._end()
        if self._held_until is not None and time.monotonic() >= self._held_until and self._answer is None:
            self._free()

    @property
    def is_over(self) -> bool:
        """Whether nothing happens any more by itself."""
        return self.bridge.is_over

    def _free(self) -> None:
        self._held_until = None
        self._talk.release()

    def _line(self, text: str) -> None:
        if self._answer is not None:
            answer, self._answer = self._answer, None
            self._free()
            answer(text)
        elif not text:
            self._hold("> ")
        else:
            self._free()
            try:
                self._obey(text)
            except WordError as error:
                self._tell(answers.sentence(str(error)))

    def _hold(self, prompt: str) -> None:
        """Keep the lines of the run back while something is typed."""
        self._held_until = time.monotonic() + _HELD
        self._talk.hold()
        self._talk.say([prompt], end="")

    def _tell(self, *lines: str) -> None:
        self._talk.say(line for line in lines if line)

    def _ask(self, question: str, answer: Callable[[str], None]) -> None:
        self._answer = answer
        self._hold(f"{question} ")

    # -- what it does ----------------------------------------------------------------------------------------

    def _obey(self, text: str) -> None:
        self.bridge.poll()
        snapshot = self.bridge.snapshot
        said = parse(text, snapshot, chosen=self.looks.chosen, usual=self.bridge.usual)
        if said.commands:
            self._give(said)
            return
        if said.word in LOOKS:
            self.looks.usual = self.bridge.usual
            self._tell(*self.looks.answer(said, snapshot))
            return
        match said.word:
            case "undo":
                self._send(self.bridge.undo)
            case "quit":
                self._quit()
            case "reload":
                self._reload()
            case "now":
                self._tell("The run does not wait for its schedule here; restart TASK runs tasks again.")
            case "why":
                self._tell(*answers.reasons(snapshot, said.tasks))
            case "where":
                self._tell(*(clean(line, 400) for line in self.bridge.engine.where(said.tasks[0]).splitlines()[-40:]))
            case "logs":
                self._tell(*self._logs(said))
            case "help":
                self._tell(*answers.help_lines(said.rest))
            case "report":
                self._tell(
                    answers.sentence(clean(self.reports.answer(said.rest, snapshot, self.bridge.engine.logs), 400))
                )
            case word:
                self._tell(*answers.ANSWERS[word](snapshot))

    def _logs(self, said: Worded) -> Iterable[str]:
        last = said.rest.split()[-1] if said.rest else ""
        count = min(answers.MOST, int(last)) if last.isdecimal() and len(last) < 9 else 20
        logs, started_at = self.bridge.engine.logs, self.bridge.snapshot.started_at
        lines = [line for name in said.tasks or (None,) for line in logs.tail(name, count)]
        lines.sort(key=lambda line: line.number)
        return answers.log_lines(lines[-max(1, count) :], started_at)

    def _give(self, said: Worded) -> None:
        """Give commands; where they would lose something, ask first."""
        snapshot = self.bridge.snapshot
        made = together(snapshot, said.commands)
        first = said.commands[0]
        if made.radius.refusal:
            self._tell(answers.sentence(f"{first.verb} refused: {clean(made.radius.refusal, 400)}"))
            return
        if not is_asked(self._confirm, snapshot, first, made.radius):
            self._send(lambda: self.bridge.send_all(made.commands, said.saying, told=made.told))
            return

        def answered(text: str) -> None:
            if text.lower() not in {"yes", "y"}:
                self._tell("Nothing was changed.")
                return
            self.bridge.poll()
            now = together(self.bridge.snapshot, said.commands)
            if now.radius.refusal:
                self._tell(answers.sentence(f"no longer possible: {clean(now.radius.refusal, 400)}"))
            else:
                self._send(lambda: self.bridge.send_all(now.commands, said.saying, told=now.told))

        self._ask(f"{answers.blast_text(made.radius, snapshot, self.bridge.usual)} Type yes:", answered)

    def _reload(self) -> None:
        """Read the graph file again; what it says is told when it has been read."""
        if self._reloader is None:
            self._tell("This run has no file of its own that could be read again.")
        else:
            self._reads = self._reloader.begin() or self._reads
            self._tell("Reading the file again.")

    def _ask_about(self, reloader: Reloader, found: Difference | str) -> None:
        if isinstance(found, str):
            self._tell(answers.sentence(f"the run goes on as it was: {clean(found, 1000)}"))
            return
        if found.plan.is_empty:
            self._tell("The file says what it said: nothing is different.")
            return
        self._tell(*reloader.lines(found))

        def answered(text: str) -> None:
            if text.lower() not in {"yes", "y"}:
                self._tell("Nothing was changed.")
                return
            try:
                command = reloader.command(found)
            except DagtopError as error:
                self._tell(answers.sentence(f"the run goes on as it was: {clean(str(error), 400)}"))
            else:
                self._send(lambda: self.bridge.send(command, "going on with the new version"))

        again = f"{plural(len(found.again), 'task')} start over. " if found.again else ""
        self._ask(f"{again}Go on with it? Type yes:", answered)

    def _send(self, send: Callable[[], object]) -> None:
        """Give commands, and tell what becomes of them before anything else."""
        send()
        if self.bridge.word.tone == "warn":
            self._pending = self.bridge.word
            self._patient_until = time.monotonic() + _PATIENCE
            self._talk.hold()
        else:
            self._tell(answers.sentence(self.bridge.word.text))

    # -- leaving ---------------------------------------------------------------------------------------------

    def _end(self) -> None:
        """The run is over: one that went well is left, with any other a person may go on."""
        latest = self._engine.latest
        if self.code is not None or self._leaving or not self._hears or latest.state is RunState.SUCCEEDED:
            self._leave()
        else:
            self._talk.note(answers.over_text(latest))

    def _leave(self) -> None:
        """Nothing more is wanted of the run once it is over."""
        self._engine.close()

    def _quit(self) -> None:
        if self.is_over:
            self._leave()
            return
        self._ask(answers.quit_text(self.bridge.snapshot), self._how)

    def _how(self, text: str) -> None:
        match text.lower():
            case "drain":
                self._go(do.DrainRun(), "draining")
            case "cancel":
                self._go(do.CancelRun(), "cancelling the run")
            case "now":
                self.leave_at_once(EXIT_CODES[2])
            case _:
                self._tell("It goes on.")

    def _go(self, command: do.Command, saying: str) -> None:
        self._leaving = True
        if self.is_over:
            self._leave()
        else:
            self._send(lambda: self.bridge.send(command, saying))


class Conversation:
    """What `--plain` on a terminal needs: a printer now, and somebody to watch and to listen once there is an engine."""

    def __init__(self, lines: PlainLines, out: int, confirm: Confirm, reports: ReportKeeper | None = None) -> None:
        self._confirm = confirm
        self.reports = reports if reports is not None else ReportKeeper()
        self.journal: Journal | None = None
        """Where runs are kept, for who asks."""
        self._talk: Talk | None = None
        self.printer = TalkPrinter(out, OurLines(lines.plan, lines.started_at), self._hear_of_end)

    def _hear_of_end(self) -> None:
        if self._talk is not None:
            self._talk.hear_of_end()

    def _say(self, text: str) -> None:
        self.printer.say([f"dagtop: {text}"])

    def watch(self, engine: Any, *, grace: float, reloader: Reloader | None = None) -> Talk:
        """Begin to listen."""
        talk = self._talk = Talk(
            engine, self.printer, say=self._say, grace=grace, confirm=self._confirm, reloader=reloader
        )
        talk.looks.journal = self.journal
        talk.reports = self.reports
        self.printer.say([WELCOME], end="")
        talk.listen()
        return talk
