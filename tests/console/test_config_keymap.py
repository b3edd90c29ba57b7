"""Whatever keys a person gives: none is two actions' in one view, what is taken away is told, and what is not touched stays."""

from __future__ import annotations

from dagtop_app.actions import ACTIONS, BY_ID, NO_KEY
from dagtop_app.settings.keymap import KeySetting, clashes, keymap
from hypothesis import given
from hypothesis import strategies as st

KEYS = sorted({key for action in ACTIONS for key in action.keys.split(",") if key} | {"f7", "f8", "X", "ctrl+x"})

SETTINGS = st.dictionaries(
    st.sampled_from(sorted(BY_ID)), st.lists(st.sampled_from(KEYS), max_size=3, unique=True), max_size=8
).map(
    lambda given: [
        KeySetting(name, tuple(keys), f"config.toml:{line}") for line, (name, keys) in enumerate(given.items(), 2)
    ]
)


def effective(settings: list[KeySetting]) -> dict[str, list[str]]:
    """The keys of each action as Textual then has them."""
    given = keymap(settings)
    return {
        action.id: [key for key in given.get(action.id, action.keys).split(",") if key and not key.startswith(NO_KEY)]
        for action in ACTIONS
    }


@given(SETTINGS)
def test_no_key_is_two_actions_in_one_view(settings: list[KeySetting]) -> None:
    keys = effective(settings)
    for view in {action.view for action in ACTIONS}:
        there = [key for action in ACTIONS if action.view == view for key in keys[action.id]]
        assert len(there) == len(set(there)), view


@given(SETTINGS)
def test_an_action_that_was_given_keys_has_them_unless_a_later_line_took_them(settings: list[KeySetting]) -> None:
    keys = effective(settings)
    for place, setting in enumerate(settings):
        view = BY_ID[setting.id].view
        later = {key for other in settings[place + 1 :] if BY_ID[other.id].view == view for key in other.keys}
        assert keys[setting.id] == [key for key in setting.keys if key not in later]


@given(SETTINGS)
def test_an_action_loses_a_key_only_with_a_word_of_it(settings: list[KeySetting]) -> None:
    told, keys, own = "\n".join(clashes(settings)), effective(settings), {setting.id for setting in settings}
    for action in ACTIONS:
        before = [key for key in action.keys.split(",") if key]
        if action.id not in own and keys[action.id] != before:
            assert action.id in told


def test_nothing_set_changes_nothing() -> None:
    assert keymap([]) == {}
    assert clashes([]) == []
