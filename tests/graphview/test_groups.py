"""Tasks that belong together by their names."""

from __future__ import annotations

from unicodedata import category

import pytest
from dagtop_app.tasks.groups import group_of, groups_of
from hypothesis import given
from hypothesis import strategies as st


@pytest.mark.parametrize(
    ("name", "group"),
    [
        ("load[12]", "load[*]"),
        ("etl/load[0]", "etl/load[*]"),
        ("load_3", "load_*"),
        ("load-3", "load-*"),
        ("task_0027", "task_*"),
        ("extract7", "extract*"),
        ("a[0][1]", "a[0][*]"),
        ("day 1\n[2]", "day 1\n[*]"),
        ("load", None),
        ("load[a]", None),
        ("load[]", None),
        ("load[1]x", None),
        ("[3]", None),
        ("2024", None),
        ("", None),
    ],
)
def test_the_group_of_a_name_is_the_name_without_its_number(name: str, group: str | None) -> None:
    assert group_of(name) == group


def test_a_group_is_called_by_its_first_and_last_number() -> None:
    names = ["start", *(f"load[{n}]" for n in range(10_000)), "load", *(f"day_{n:02}" for n in range(1, 8))]
    mapped, days = groups_of(names)
    assert mapped.label == "load[0..9999]"
    assert names[mapped.members[0]] == "load[0]"
    assert len(mapped.members) == 10_000
    assert days.label == "day_01..07"


def test_two_names_with_a_number_at_the_end_are_no_group_yet() -> None:
    assert groups_of(["step_1", "step_2", "step_3"]) == []
    assert [group.label for group in groups_of(["load[1]", "load[0]"])] == ["load[0..1]"]
    assert groups_of(["load[0]", "other"]) == []


def test_groups_stand_in_the_order_of_their_first_members() -> None:
    names = [f"{name}[{n}]" for n in range(3) for name in ("validate", "extract")]
    assert [(group.key, tuple(group.members)) for group in groups_of(names)] == [
        ("validate[*]", (0, 2, 4)),
        ("extract[*]", (1, 3, 5)),
    ]


def test_hostile_names_are_cleaned() -> None:
    (group,) = groups_of([f"\x1b[31m\u202eevil[{n}]" for n in (5, 3)])
    assert group.label.endswith("evil[3..5]")
    assert "\x1b" not in group.label
    assert "\u202e" not in group.label


@given(st.lists(st.text(max_size=12), max_size=30))
def test_no_name_is_in_two_groups_and_every_member_has_the_key(names: list[str]) -> None:
    seen: set[int] = set()
    for group in groups_of(names):
        assert not seen & set(group.members)
        seen |= set(group.members)
        assert {group_of(names[place]) for place in group.members} == {group.key}
        assert all(char.isprintable() or category(char) == "Cn" for char in group.label)  # newer than this Python
