"""Where outputs are kept for later runs: nothing comes back that was not put in."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from dagtop.errors import JournalError
from dagtop.journal import cache_file, schema
from dagtop.journal.cache_file import SqliteCache
from dagtop.journal.cache_memory import MemoryCache, Shelf
from dagtop.journal.sqlite import SqliteJournal
from dagtop.ports.cache import Cache, Entry
from journal_scene import HOSTILE, Told, record_of

ORIGIN = b"/somewhere/g.py"

Open = Callable[..., Cache]


@pytest.fixture(params=["sqlite", "memory"])
def again(request: pytest.FixtureRequest, tmp_path: Path) -> Open:
    """Opens the cache as another run would."""
    shelf = Shelf()

    def open_it(origin: bytes = ORIGIN) -> Cache:
        cache: Cache = (
            SqliteCache(tmp_path / "c.db", origin, pytest.fail)
            if request.param == "sqlite"
            else MemoryCache(origin, shelf)
        )
        cache.open()
        return cache

    return open_it


def entry(key: bytes = b"k", value: bytes = b"1", task: str = "a", **parts: str) -> Entry:
    return Entry(task=task, key=key, parts=parts or {"code": "c"}, run="r1", codec="json", value=value)


def test_nothing_is_there_at_first(again: Open) -> None:
    cache = again()
    assert not cache.has("a", b"k")
    assert cache.get("a", b"k") is None
    assert not cache.is_far("a", b"k")
    assert cache.latest("a") == {}
    assert cache.close()


def test_what_is_put_in_is_there_at_once_and_in_the_next_run(again: Open) -> None:
    cache = again()
    cache.put(entry(code="c", day="d"))
    for place in (cache, again() if cache.close() else cache):
        assert place.has("a", b"k")
        found = place.get("a", b"k")
        assert found is not None
        assert (found.value, found.codec, found.run) == (b"1", "json", "r1")
        assert place.latest("a") == {"code": "c", "day": "d"}
    assert not again().has("a", b"other")
    assert not again().has("b", b"k")


def test_graphs_of_other_files_have_their_own_entries(again: Open) -> None:
    cache = again()
    cache.put(entry())
    cache.close()
    assert not again(b"/elsewhere/g.py").has("a", b"k")


def test_the_later_of_two_entries_of_one_key_counts(again: Open) -> None:
    for value in (b"1", b"2"):
        cache = again()
        cache.put(entry(value=value))
        cache.close()
    found = again().get("a", b"k")
    assert found is not None
    assert found.value == b"2"


def test_hostile_names_are_told_apart(again: Open) -> None:
    cache = again()
    for number, name in enumerate(HOSTILE):
        cache.put(entry(task=name, value=b"%d" % number))
    cache.close()
    cache = again()
    for number, name in enumerate(HOSTILE):
        found = cache.get(name, b"k")
        assert found is not None
        assert found.value == b"%d" % number


def test_the_parts_of_the_latest_entry_tell_what_changed(again: Open) -> None:
    for key in (b"1", b"2", b"3"):
        cache = again()
        cache.put(entry(key, code=key.decode()))
        cache.close()
    assert again().latest("a") == {"code": "3"}


def test_what_was_used_longest_ago_goes_first_when_memory_is_short() -> None:
    shelf = Shelf(limit=25)
    cache = MemoryCache(ORIGIN, shelf)
    for name in "ab":
        cache.put(entry(task=name, value=b"0123456789"))
    assert cache.get("a", b"k") is not None
    cache.put(entry(task="c", value=b"0123456789"))
    assert [cache.has(name, b"k") for name in "abc"] == [True, False, True]
    assert cache.latest("b") == {}


class TestFile:
    @pytest.fixture
    def path(self, tmp_path: Path) -> Path:
        return tmp_path / "runs.db"

    def of(self, path: Path, **options: int) -> SqliteCache:
        cache = SqliteCache(path, ORIGIN, pytest.fail, **options)
        cache.open()
        return cache

    def change(self, path: Path, statement: str) -> None:
        with closing(sqlite3.connect(path)) as connection, connection:
            connection.execute(statement)

    def rows(self, path: Path) -> list[tuple[str, bytes]]:
        with closing(sqlite3.connect(path)) as connection:
            return [
                (task.decode(), key)
                for task, key in connection.execute("SELECT task, key FROM cache ORDER BY task, key")
            ]

    def test_it_lives_in_the_journals_file_and_outlives_its_runs(self, path: Path) -> None:
        journal = SqliteJournal(path)
        writer = journal.begin(record_of("r1", {"a": ()}), Told())
        cache = self.of(path)
        cache.put(entry())
        assert cache.close()
        assert writer.close()
        with closing(sqlite3.connect(path)) as connection, connection:
            connection.execute("PRAGMA foreign_keys = ON")
            connection.execute("DELETE FROM runs")
        assert self.of(path).has("a", b"k")

    def test_large_outputs_stay_in_the_file_until_they_are_wanted(self, path: Path) -> None:
        large = b"x" * (cache_file.SMALL + 1)
        cache = self.of(path)
        cache.put(entry(value=large))
        cache.put(entry(task="small"))
        cache.close()
        cache = self.of(path)
        assert (cache.is_far("a", b"k"), cache.is_far("small", b"k")) == (True, False)
        found = cache.get("a", b"k")
        assert found is not None
        assert found.value == large

    def test_an_entry_that_went_meanwhile_is_gone(self, path: Path) -> None:
        cache = self.of(path)
        cache.put(entry(value=b"x" * (cache_file.SMALL + 1)))
        cache.close()
        cache = self.of(path)
        self.change(path, "DELETE FROM cache")
        assert cache.get("a", b"k") is None
        assert not cache.has("a", b"k")

    @pytest.mark.parametrize(
        "damage",
        [
            "value = x'32'",
            "codec = 'tagged'",
            "task = CAST('b' AS BLOB)",
            "key = CAST('other' AS BLOB)",
            "digest = x''",
        ],
    )
    def test_an_entry_that_was_changed_never_comes_back(self, path: Path, damage: str) -> None:
        cache = self.of(path)
        cache.put(entry())
        cache.close()
        self.change(path, f"UPDATE cache SET {damage}")
        cache = self.of(path)
        (place,) = [(task, key) for task in "ab" for key in (b"k", b"other") if cache.has(task, key)]
        with pytest.raises(JournalError, match="damaged"):
            cache.get(*place)
        assert not cache.has(*place)

    def test_an_entry_of_another_graph_is_no_entry_of_this_one(self, path: Path) -> None:
        cache = self.of(path)
        cache.put(entry())
        cache.close()
        self.change(path, "UPDATE cache SET origin = CAST('/elsewhere/g.py' AS BLOB)")
        cache = SqliteCache(path, b"/elsewhere/g.py", pytest.fail)
        cache.open()
        with pytest.raises(JournalError, match="damaged"):
            cache.get("a", b"k")

    def test_parts_that_cannot_be_read_are_none(self, path: Path) -> None:
        cache = self.of(path)
        cache.put(entry())
        cache.close()
        self.change(path, "UPDATE cache SET parts = x'00'")
        cache = self.of(path)
        assert cache.latest("a") == {}
        assert cache.get("a", b"k") is not None

    def test_so_many_versions_of_a_task_are_kept_and_the_latest_stay(self, path: Path) -> None:
        for number in range(5):
            cache = self.of(path, versions=3)
            cache.put(entry(b"%d" % number))
            cache.close()
        assert self.rows(path) == [("a", b"2"), ("a", b"3"), ("a", b"4")]

    def test_what_was_used_longest_ago_goes_when_the_file_is_full(self, path: Path) -> None:
        for number, name in enumerate("abcde"):
            cache = self.of(path)
            cache.put(entry(task=name, value=b"x" * 100))
            cache.close()
            self.change(path, f"UPDATE cache SET used_at = {number} WHERE task = CAST('{name}' AS BLOB)")
        cache = self.of(path, limit=450)
        assert cache.get("a", b"k") is not None  # used now
        cache.close()
        assert self.rows(path) == [("a", b"k"), ("d", b"k"), ("e", b"k")]

    def test_a_file_of_the_first_version_is_brought_up_to_date(
        self, path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        with monkeypatch.context() as before:
            before.setattr(schema, "MIGRATIONS", schema.MIGRATIONS[:1])
            before.setattr(schema, "VERSION", 1)
            SqliteJournal(path).begin(record_of("r1", {"a": ()}), Told()).close()
        cache = self.of(path)
        cache.put(entry())
        assert cache.close()
        assert self.of(path).has("a", b"k")

    def test_a_file_that_is_no_journal_is_said_so(self, path: Path) -> None:
        path.write_text("not a database, but long enough to be taken for one" * 100)
        with pytest.raises(JournalError, match="is not a journal"):
            self.of(path)

    def test_a_file_that_cannot_be_written_is_told_once_and_the_run_keeps_its_own(self, path: Path) -> None:
        told: list[str] = []
        path.parent.joinpath("file").write_text("")
        cache = SqliteCache(path.parent / "file" / "runs.db", ORIGIN, told.append)
        cache.open()
        cache.put(entry())
        assert not cache.close()
        cache.put(entry(b"2"))
        assert not cache.close()
        assert cache.has("a", b"k")
        (message,) = told
        assert message.startswith("what tasks return is not cached any more: the journal ")
