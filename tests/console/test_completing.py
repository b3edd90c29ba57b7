"""What the line that `:` opens offers: only what would be accepted as things are, the likeliest first."""

from __future__ import annotations

import random
from collections.abc import Callable

import msgspec
import pytest
from console_fakes import FakeEngine, S, finished_with_failures, hostile, many, running_mix, snapshot_of
from console_pilot import console
from console_scenes import steered
from dagtop.core.commands import RestartTask
from dagtop.core.snapshot import RunSnapshot
from dagtop.core.states import RunState
from dagtop_app.steering.node_commands import together
from dagtop_app.words.completing import Known, Offer, offers
from dagtop_app.words.palette import outlook
from dagtop_app.words.parsing import WordError, parse
from dagtop_app.words.vocabulary import VOCABULARY

SCENES: list[Callable[[], RunSnapshot]] = [running_mix, steered, finished_with_failures, hostile]
KNOWN = Known(views=("tasks", "graph"), themes=("dark", "light"))


def lines(text: str, snapshot: RunSnapshot | None = None, **known: object) -> list[str]:
    """The lines that are offered, in the mixed run."""
    found = offers(text, snapshot or running_mix(), KNOWN._replace(**known))  # type: ignore[arg-type]
    return [offer.line for offer in found]


def shown(text: str, snapshot: RunSnapshot | None = None) -> list[str]:
    return [offer.shown for offer in offers(text, snapshot or running_mix(), KNOWN)]


class TestWords:
    def test_a_word_is_completed_and_an_alias_leads_to_it(self) -> None:
        assert lines("pol")[0] == "policy "
        assert lines("kill")[0] == "cancel "
        assert lines("pau")[0] == "pause"

    def test_words_that_would_be_refused_are_not_offered(self) -> None:
        words = {line.strip() for line in lines("")}
        assert {"cancel", "release", "pause", "drain", "restart", "why", "view"} <= words
        assert words.isdisjoint({"continue", "scale", "pool", "breaker", "approve", "ack"})
        over = {line.strip() for line in lines("", finished_with_failures())}
        assert {"restart", "retry", "mark"} <= over
        assert over.isdisjoint({"cancel", "pause", "drain", "hold", "release", "where", "abandon"} - {"where"})
        paused = msgspec.structs.replace(running_mix(), state=RunState.PAUSED)
        assert lines("cont", paused) == ["continue"]

    def test_in_a_replay_nothing_that_changes_the_run_is_offered(self) -> None:
        words = {line.strip() for line in lines("", may_steer=False)}
        asks = {entry.word for entry in VOCABULARY if entry.asks}
        assert words == asks
        assert lines("cancel ", may_steer=False) == []

    def test_what_this_run_has_not_is_not_offered(self) -> None:
        assert lines("undo") == ["undo"]
        assert lines("undo", useless=frozenset({"undo"})) == []

    def test_a_slip_of_the_finger_gets_the_nearest_words(self) -> None:
        assert lines("cancle") == ["cancel "]
        assert lines("restrat")[0] == "restart "
        assert lines("qqqq") == []


class TestTasks:
    def test_only_tasks_that_would_be_accepted_are_offered(self) -> None:
        assert lines("cancel load") == []
        assert set(shown("release ")) == {"geo_enrich", "snapshot_config"}
        assert set(shown("abandon ")) == {"warm_cache"}
        assert "auth_token" not in shown("hold ")
        assert set(shown("where ")) == {"extract_events", "extract_users", "dedupe_events", "warm_cache"}

    def test_the_likeliest_come_first_and_what_is_chosen_before_all(self) -> None:
        assert set(shown("restart ")[1:3]) == {"load_orders", "notify_ops"}
        assert lines("restart ", chosen=["calendar"])[1] == "restart calendar "
        assert set(shown("cancel ")[1:4]) <= {"extract_events", "extract_users", "dedupe_events"}

    def test_those_that_begin_so_come_before_those_that_contain_it(self) -> None:
        assert lines("goto orders") == [
            f"goto {name} " for name in ("load_orders", "extract_orders", "clean_orders", "join_orders")
        ]
        assert lines("goto clean") == ["goto clean_orders "]

    @pytest.mark.parametrize("word", ["goto", "where"])
    def test_a_word_for_one_task_takes_no_second(self, word: str) -> None:
        assert lines(f"{word} extract_events ") == []

    def test_a_task_is_not_offered_twice_nor_what_a_pattern_means_already(self) -> None:
        assert "hold train_ltv train_ltv " not in lines("hold train_ltv tr")
        assert "hold train_ltv train_churn " in lines("hold train_ltv tr")
        assert not [line for line in lines("hold train_* tr") if line.endswith(("train_ltv ", "train_churn "))]

    def test_a_name_that_is_none_gets_the_nearest(self) -> None:
        found = offers("why laod_orders", running_mix(), KNOWN)
        assert found[0] == Offer("why load_orders ", "load_orders", "did you mean this?")

    @pytest.mark.parametrize("line", ["policy retries=7 train_*", "why load_or*", "hold train_lt?"])
    def test_a_pattern_that_means_tasks_gets_no_nearest(self, line: str) -> None:
        assert [offer for offer in offers(line, running_mix(), KNOWN) if offer.note == "did you mean this?"] == []

    def test_values_of_the_filter_are_those_of_tasks_that_can_be_meant(self) -> None:
        assert "cancel state:" in lines("cancel st")
        found = {offer.shown: offer.note for offer in offers("restart state:", running_mix())}
        assert found["state:failed"] == "2 tasks"
        assert "state:failed" not in shown("cancel state:")

    def test_names_that_are_no_word_are_quoted_and_hostile_ones_shown_safely(self) -> None:
        found = offers("why ", hostile())
        assert "[bold]x[/bold] [b +" in {offer.shown for offer in found}
        assert 'why "[bold]x[/bold] [b +" ' in {offer.line for offer in found}
        for offer in found:
            assert offer.shown.isprintable()
            assert offer.line.isprintable(), "it is put into the line as it is"

    def test_of_very_many_tasks_some_are_offered(self) -> None:
        assert 10 < len(offers("cancel load_0", many(20_000))) <= 60


class TestValues:
    def test_what_takes_one_value_takes_no_second(self) -> None:
        assert lines("sort pro") == ["sort problems "]
        assert lines("view ") == ["view tasks ", "view graph "]
        for line in ("sort name ", "view tasks ", "theme dark ", "limit 4 ", "help cancel ", "pause ", "undo "):
            assert lines(line) == [], line
        assert lines("pool web 3 ", steered()) == []

    def test_limits_are_offered_with_what_is_now(self) -> None:
        assert shown("limit ")[:2] == ["+1", "-1"]
        assert lines("pool ", steered()) == ["pool web "]
        assert lines("pool web ", steered())[0] == "pool web +1 "

    def test_a_task_with_replicas_then_how_many(self) -> None:
        replicas = snapshot_of({"pack[0]": (), "pack[1]": (), "pack": ("pack[0]", "pack[1]"), "other": ()}, {})
        assert lines("scale ", replicas) == ["scale pack "]
        assert "scale pack +1 " in lines("scale pack ", replicas)
        assert lines("scale pack 3 ", replicas) == []

    def test_fields_of_a_policy_once_with_their_values(self) -> None:
        assert "policy always " in lines("policy al")
        assert "policy retries=" in lines("policy ret")
        assert "policy retries=3 retries=" not in lines("policy retries=3 ret")
        assert "policy backoff=linear " in lines("policy backoff=")
        assert not [line for line in lines("policy always ") if line.endswith(("no ", "on-failure "))]

    def test_breakers_once_and_a_state_where_one_is_held_so(self) -> None:
        now = steered()
        assert lines("breaker tr", now) == ["breaker trip "]
        assert lines("breaker trip ", now) == ["breaker trip api ", "breaker trip mail "]
        assert lines("breaker trip api ", now) == ["breaker trip api mail "]
        assert lines("breaker force ha", now) == ["breaker force half-open "]
        assert lines("breaker force open ", now) == ["breaker force open api ", "breaker force open mail "]
        assert "breaker window=3 window=" not in lines("breaker window=3 wi", now)

    def test_gates_and_escalations_that_are_open(self) -> None:
        now = steered()
        assert lines("approve ", now) == ["approve deploy "]
        assert lines("gate ", now) == ["gate approve ", "gate reject "]
        assert lines("gate reject ", now) == ["gate reject deploy "]
        assert "ack 1 " in lines("ack ", now)
        assert "ack load " in lines("ack ", now)

    def test_a_reason_ends_it(self) -> None:
        assert "cancel extract_events because " in lines("cancel extract_events bec")
        assert lines("cancel extract_events because it ") == []


@pytest.mark.parametrize("scene", SCENES)
@pytest.mark.parametrize("entry", VOCABULARY, ids=lambda entry: entry.word)
def test_what_is_offered_and_says_all_is_accepted(entry, scene) -> None:  # type: ignore[no-untyped-def]
    """Tab until there is nothing more: no line on the way would be refused once it means something."""
    now, dice = scene(), random.Random(7)
    for _ in range(6):
        line = f"{entry.word} "
        for _ in range(4):
            found = offers(line, now, KNOWN)
            if not found:
                break
            line = dice.choice(found[:12]).line
            try:
                worded = parse(line, now)
            except WordError:
                continue  # it lacks something yet
            if worded.commands:
                assert not together(now, worded.commands).radius.refusal, line
        assert outlook(line, now).text or line.strip() != entry.word


@pytest.mark.anyio
async def test_tab_takes_the_nearest_of_what_was_misspelt() -> None:
    engine = FakeEngine(running_mix())
    async with console(engine, (100, 30)) as seen:
        await seen.press("colon", *"restrt", "tab", *"notfy_ops", "tab", "enter")
        assert engine.sent == [RestartTask("notify_ops")]


def test_what_was_told_to_stop_is_not_cancelled_again() -> None:
    assert running_mix().rows[running_mix().plan.index["warm_cache"]].state is S.CANCELLING
    assert "warm_cache" not in shown("cancel ")
