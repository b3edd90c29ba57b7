"""The one who listens in `--plain`: every word, questions, and what is typed at the wrong moment, before an engine by hand."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from types import SimpleNamespace

import pytest
from console_fakes import FakeEngine, S, running_mix
from console_scenes import steered
from dagtop.core import commands as do
from dagtop.core.events import GateWaiting
from dagtop.core.snapshot import EMPTY
from dagtop.core.states import RunState
from dagtop_app.plain.console import Talk
from dagtop_app.plain.events import PlainLines
from dagtop_app.plain.printer import OurLines, TalkPrinter
from dagtop_app.settings.config import Confirm
from dagtop_app.words.vocabulary import BY_WORD
from hypothesis import given
from hypothesis import strategies as st


class Heard(TalkPrinter):
    """Keeps what is said."""

    def __init__(self) -> None:
        self.said: list[str] = []
        self.holds = False

    def say(self, lines: Iterable[str], end: str = "\n") -> None:
        self.said += lines

    def note(self, line: str) -> None:
        self.said.append(line)

    def hold(self) -> None:
        self.holds = True

    def release(self) -> None:
        self.holds = False

    @property
    def text(self) -> str:
        return "\n".join(self.said)


_open: list[Conversation] = []


@pytest.fixture(autouse=True)
def _closed_afterwards() -> Iterator[None]:
    yield
    while _open:
        _open.pop().close()


class Conversation:
    """A person, the one who listens, and an engine."""

    def __init__(self, engine: FakeEngine | None = None, confirm: Confirm | None = None) -> None:
        self.engine = engine if engine is not None else FakeEngine(running_mix())
        self.heard = Heard()
        _open.append(self)
        self.talk = Talk(self.engine, self.heard, say=self.heard.said.append, grace=1.0, confirm=confirm or Confirm())

    def close(self) -> None:
        """Let go of the mailbox's pipe."""
        self.talk.mailbox.close()

    def type(self, *lines: str) -> str:
        """Type lines; returns what is said to them."""
        self.heard.said.clear()
        for line in lines:
            self.talk.take(f"{line}\n")
            self.talk.look()
        return self.heard.text


def test_a_command_that_loses_nothing_is_given_at_once_and_its_answer_told() -> None:
    talk = Conversation()
    talk.type("hold score_ltv")
    assert talk.engine.sent == [do.HoldTask("score_ltv")]
    assert talk.heard.holds
    talk.engine.apply("score_ltv is held")
    talk.talk.look()
    assert talk.heard.text == "score_ltv is held (undo takes it back)."
    assert not talk.heard.holds
    talk.type("undo")
    assert talk.engine.sent[-1] == do.ReleaseTask("score_ltv")


def test_a_question_takes_the_next_line_whatever_it_is() -> None:
    talk = Conversation()
    assert "Type yes:" in talk.type("cancel train_ltv because late")
    assert talk.heard.holds
    assert talk.type("status") == "Nothing was changed."
    talk.type("cancel train_ltv because late", "YES")
    assert talk.engine.sent == [do.CancelTask("train_ltv", "late")]


def test_what_is_no_longer_possible_when_the_yes_comes_is_not_sent() -> None:
    talk = Conversation()
    talk.type("skip train_ltv")
    talk.engine.change("train_ltv", state=S.SUCCEEDED)
    assert "no longer possible" in talk.type("yes")
    assert talk.engine.sent == []


def test_questions_that_are_not_wanted_are_not_asked() -> None:
    talk = Conversation(confirm=Confirm(cancel="never"))
    talk.type("cancel train_ltv")
    assert talk.engine.sent == [do.CancelTask("train_ltv")]


def test_many_tasks_are_one_question_and_one_undo() -> None:
    talk = Conversation()
    assert "Will not run:" in talk.type("skip train_*")
    talk.type("yes")
    assert {type(command) for command in talk.engine.sent} == {do.SkipTask}
    assert len(talk.engine.sent) == 2


def test_a_refusal_and_a_mistake_are_sentences() -> None:
    talk = Conversation()
    assert talk.type("cancel auth_token") == "cancel refused: auth_token has ended already (succeeded)."
    assert talk.type("cancle auth_token") == "there is no command 'cancle'; did you mean 'cancel'?"
    assert talk.engine.sent == []


def test_leaving_a_run_that_goes_on_is_asked() -> None:
    talk = Conversation()
    assert "Type drain" in talk.type("quit")
    assert talk.type("hm") == "It goes on."
    talk.type("quit", "cancel")
    assert talk.engine.sent == [do.CancelRun()]
    assert not talk.engine.closed


def test_a_run_that_is_over_is_left_at_once() -> None:
    talk = Conversation()
    talk.engine.show(state=RunState.FAILED)
    talk.type("quit")
    assert talk.engine.closed


def test_a_run_that_ends_badly_waits_for_a_word_and_one_that_ends_well_does_not() -> None:
    for state, closed in ((RunState.FAILED, False), (RunState.SUCCEEDED, True)):
        talk = Conversation()
        talk.talk.hear_of_end()
        talk.talk.take(talk.talk.mailbox.get())
        talk.talk.look()  # the snapshot does not show it yet
        assert not talk.engine.closed
        talk.engine.show(state=state)
        talk.talk.look()
        assert talk.engine.closed is closed
        assert ("The run is over" in talk.heard.text) is not closed


@pytest.mark.parametrize("word", [*BY_WORD])
def test_every_word_is_answered_in_every_run(word: str) -> None:
    for scene in (running_mix(), steered(), EMPTY):
        names = scene.plan.names or ("nothing",)
        for rest in ("", names[0], "*", "state:failed", "8", "api", "because of it"):
            talk = Conversation(FakeEngine(scene))
            talk.engine.place = "somewhere"
            said = talk.type(f"{word} {rest}".strip())
            assert said or talk.engine.sent or talk.engine.closed, (word, rest)


class Rereads:
    """A file that says something else now."""

    path = "it.py"

    def begin(self) -> bool:
        return True

    def take(self) -> SimpleNamespace:
        return SimpleNamespace(plan=SimpleNamespace(is_empty=False), again=("load_orders",))

    def lines(self, found: object) -> list[str]:
        return ["+ added load_more"]

    def command(self, found: object) -> do.SwapGraph:
        return do.SwapGraph(7)


class TestLooks:
    """The words that only choose what is looked at work as behind `:`."""

    def test_chosen_tasks_are_what_words_mean_that_name_none(self) -> None:
        talk = Conversation()
        assert "2 tasks chosen: train_ltv, train_churn." in talk.type("select train_*")
        talk.type("hold")
        assert set(talk.engine.sent) == {do.HoldTask("train_ltv"), do.HoldTask("train_churn")}
        assert talk.type("select") == "No task is chosen."
        assert "needs a task" in talk.type("hold")

    def test_going_to_a_task_chooses_it(self) -> None:
        talk = Conversation()
        assert talk.type("goto load_orders").startswith("load_orders, failed")
        assert "load_orders failed" in talk.type("why")

    def test_an_order_and_a_filter_hold_for_the_next_list(self) -> None:
        talk = Conversation()
        assert talk.type("sort name") == "Tasks are listed by name."
        names = [line.partition(",")[0] for line in talk.type("filter orders").splitlines()]
        assert names == ["clean_orders", "extract_orders", "join_orders", "load_orders"]
        assert talk.type("tasks").count("orders,") == 4
        talk.type("filter")
        assert len(talk.type("tasks").splitlines()) == 25

    @pytest.mark.parametrize(
        "view", ["tasks", "graph", "timeline", "logs", "breakers", "escalations", "events", "meta"]
    )
    def test_every_view_is_told_in_lines(self, view: str) -> None:
        assert Conversation().type(f"view {view}")

    def test_the_graph_is_told_by_what_needs_what(self) -> None:
        assert "join_orders, succeeded after clean_orders, extract_items." in Conversation().type("view gr")

    def test_a_slip_of_the_finger_is_told_with_the_nearest(self) -> None:
        assert "did you mean 'graph'?" in Conversation().type("view grpah")
        assert "did you mean 'name'?" in Conversation().type("sort nmae")

    def test_a_file_that_is_read_again_is_told_before_it_is_gone_on_with(self) -> None:
        for answer, sent in (("yes", [do.SwapGraph(7)]), ("no", [])):
            talk = Conversation()
            talk.talk._reloader = Rereads()  # type: ignore[assignment]  # it is asked for nothing more
            said = talk.type("reload")
            assert "Reading the file again." in said
            assert "+ added load_more" in said
            talk.type(answer)
            assert talk.engine.sent == sent

    def test_what_has_no_file_is_not_read_again(self) -> None:
        assert "no file of its own" in Conversation().type("reload")


@given(
    st.lists(
        st.one_of(
            st.sampled_from(["", "yes", "quit", "undo", "cancel train_ltv", "drain", "hold *"]), st.text(max_size=12)
        )
    )
)
def test_any_lines_are_taken(lines: list[str]) -> None:
    talk = Conversation(FakeEngine(steered()))
    for line in lines:
        if line.strip() != "now":  # that leaves at once
            talk.type(line)
    _open.pop().close()


@pytest.mark.parametrize(("task", "typed"), [("deploy", "deploy"), ("to the shop", '"to the shop"')])
def test_at_a_gate_it_is_said_what_to_type_here(task: str, typed: str) -> None:
    asked = GateWaiting(1.0, task, "Deploy to production?", 600.0)
    (line,) = OurLines().lines(asked)
    assert line.endswith(
        f"{task} waits at its gate, for 10:00: Deploy to production? Type: approve {typed}, or reject {typed}."
    )
    (elsewhere,) = PlainLines().lines(asked)
    assert "Type:" not in elsewhere
