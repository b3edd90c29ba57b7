"""The events of a run that are to be seen, newest last: by filter, weight and task. Grows with the story, event by event."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from dagtop.core.events import AnyEvent
from dagtop.core.snapshot import RunSnapshot
from dagtop.observe.story import EVENTS, Story

from dagtop_app.events.texts import WEIGHT_OF, WEIGHTS, Told, Weight, tell
from dagtop_app.steering.undo import row_of
from dagtop_app.tasks.filters import row_test, text_test, unknown_key, words_of

#: How many more than the story keeps may be kept here before the oldest go.
_SLACK = 5_000

Entry = tuple[int, AnyEvent]
Test = Callable[[Told, AnyEvent, RunSnapshot], bool]

_WEIGHT_NAMES = {
    "all": Weight.DETAIL, "detail": Weight.DETAIL, "info": Weight.NEWS, "news": Weight.NEWS, "warning": Weight.WARNING,
    "bad": Weight.BAD, "error": Weight.BAD, "failure": Weight.BAD,
}  # fmt: skip
#: What a word of the filter may begin with here; of tasks besides: state, policy, tag and so on.
KEYS = ("kind", "sev", "by", "task", "state", "policy", "tag", "pool", "circuit", "node")


class EventFilter:
    """A parsed filter. `error` says what is wrong with it; such a filter lets everything through."""

    def __init__(self, text: str) -> None:
        self.text = text.strip()
        self.error = ""
        self.tests: list[Test] = []
        for word in words_of(self.text):
            self.error = self.error or unknown_key(word, KEYS)
            try:
                self.tests.append(_test(word))
            except ValueError as error:
                self.error = str(error)
        if self.error:
            self.tests = []

    def __bool__(self) -> bool:
        return bool(self.tests)

    def __call__(self, told: Told, event: AnyEvent, snapshot: RunSnapshot) -> bool:
        return all(test(told, event, snapshot) for test in self.tests)


def _test(word: str) -> Test:
    if word.startswith("!") and len(word) > 1:
        inner = _test(word[1:])
        return lambda told, event, now: not inner(told, event, now)
    key, colon, value = word.partition(":")
    key, value = key.lower(), value.lower()
    if colon and key in {"kind", "sev", "by", "task"}:
        return _by_key(key, value) if value else lambda told, event, now: True
    by_row = row_test(word)
    if by_row is not None:
        return lambda told, event, now: bool(told.task and (row := row_of(now, told.task)) is not None and by_row(row))
    by_text = text_test(word)
    return lambda told, event, now: by_text(f"{told.kind} {told.who} {told.text} {told.by}")


def _by_key(key: str, value: str) -> Test:
    values = tuple(part for part in value.split(",") if part)
    match key:
        case "kind":
            return lambda told, event, now: told.kind.startswith(values) or event.type.startswith(values)
        case "by":
            return lambda told, event, now: any(part in told.by.lower() for part in values)
        case "task":
            return lambda told, event, now: any(part in told.task.lower() for part in values)
        case _:
            least = [weight for name, weight in _WEIGHT_NAMES.items() if name.startswith(value)]
            if not least:
                raise ValueError(f"sev: takes {', '.join(_WEIGHT_NAMES)}")
            return lambda told, event, now: told.weight >= min(least)


class EventRoll:
    """What of a story is shown."""

    def __init__(self) -> None:
        self.shown: list[Entry] = []
        """Numbers and events, oldest first."""
        self.wanted = EventFilter("")
        self.least = Weight.NEWS
        self.only = ""
        """The task that they are about; "" for all."""
        self.seen = 0
        """Number of the latest event that was looked at."""
        self.dropped = 0
        """Grows when the oldest go: so many places everything else has moved up."""
        self._story: Story | None = None
        self._first = 0

    @property
    def is_narrowed(self) -> bool:
        """Whether some are left out on a person's word."""
        return bool(self.wanted or self.only) or self.least is not Weight.NEWS

    def take(self, story: Story, snapshot: RunSnapshot) -> bool:
        """Look at what is new in a story. True if something else is shown."""
        if story is not self._story or story.seen < self.seen:
            self._story, self.seen, self.shown = story, 0, []
        if story.seen == self.seen:
            return False
        new: list[Entry] = []
        for entry in reversed(story.events):
            if entry[0] <= self.seen:
                break
            if self._passes(entry[1], snapshot):
                new.append(entry)
        self.seen = story.seen
        self.shown.extend(reversed(new))
        if len(self.shown) > EVENTS + _SLACK:
            gone = len(self.shown) - EVENTS
            del self.shown[:gone]
            self.dropped += gone
        return bool(new)

    def _passes(self, event: AnyEvent, snapshot: RunSnapshot) -> bool:
        if self.only and getattr(event, "task", self.only) != self.only:
            return False
        weight = WEIGHT_OF.get(type(event))
        if weight is not None and (weight < self.least or not (self.wanted or self.only)):
            return weight >= self.least
        told = tell(event)
        if told.weight < self.least or (self.only and told.task != self.only):
            return False
        return self.wanted(told, event, snapshot)

    def narrow(
        self, *, wanted: EventFilter | None = None, least: Weight | None = None, only: str | None = None
    ) -> None:
        """Show others: everything is looked at again."""
        self.wanted = self.wanted if wanted is None else wanted
        self.least = self.least if least is None else least
        self.only = self.only if only is None else only
        self.shown, self.seen = [], 0

    def next_weight(self) -> str:
        """Show only what matters more, or everything again; what that is."""
        weights = list(WEIGHTS)
        self.narrow(least=weights[(weights.index(self.least) + 1) % len(weights)])
        return WEIGHTS[self.least]

    def place_of(self, number: int) -> int:
        """Where an event is, or the one before it; -1 before all."""
        low, high = 0, len(self.shown)
        while low < high:
            middle = (low + high) // 2
            if self.shown[middle][0] <= number:
                low = middle + 1
            else:
                high = middle
        return low - 1

    def latest(self, count: int) -> Sequence[Entry]:
        """The newest ones, oldest first."""
        return self.shown[-count:] if count > 0 else ()
