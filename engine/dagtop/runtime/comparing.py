"""What is different between two versions of a graph, told before anything is done about it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields

from dagtop.core.plan import Plan
from dagtop.core.policy import says_the_same
from dagtop.core.values import dataclass
from dagtop.core.wording import tasks
from dagtop.runtime.swapping import Version


@dataclass(frozen=True, slots=True, kw_only=True)
class UpdatePlan:
    """What an update would do, by task name, in the order of the new version; `removed` in that of the old one."""

    added: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()
    """Other code, spec or inputs: these are stopped and started anew."""
    removed: tuple[str, ...] = ()
    """These are stopped."""
    rewired: tuple[str, ...] = ()
    """Other dependencies; what runs goes on."""
    policies: tuple[str, ...] = ()
    """Other options; what runs goes on."""
    untouched: tuple[str, ...] = ()

    @property
    def restarts(self) -> tuple[str, ...]:
        """The tasks that start over."""
        return self.changed

    @property
    def is_empty(self) -> bool:
        """Whether nothing is different."""
        return not (self.added or self.changed or self.removed or self.rewired or self.policies)

    def __str__(self) -> str:
        """A line for each kind of difference: what a person is shown before it is applied."""
        signs = {"added": "+", "changed": "~", "removed": "-", "rewired": ">", "policies": "="}
        lines = [
            f"{sign} {kind}: {_listed(getattr(self, kind))}" for kind, sign in signs.items() if getattr(self, kind)
        ]
        if not lines:
            return "nothing is different"
        if self.untouched:
            lines.append(f"  {tasks(len(self.untouched))} untouched")
        return "\n".join(lines)


#: So many names are listed.
_SHOWN = 12


def _listed(names: tuple[str, ...]) -> str:
    more = f" and {len(names) - _SHOWN:,} more" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more


def compare(before: Version, after: Version) -> UpdatePlan:
    """What becomes of the tasks when a run goes on with `after` instead of `before`."""
    return compare_plans(before.checked.plan, before.fingerprints, after.checked.plan, after.fingerprints)


def compare_plans(old: Plan, old_prints: Sequence[str], new: Plan, new_prints: Sequence[str]) -> UpdatePlan:
    """As `compare`, of plans and the fingerprints of their tasks."""
    found: dict[str, list[str]] = {field.name: [] for field in fields(UpdatePlan)}
    for name, index in new.index.items():
        was = old.index.get(name)
        if was is None:
            found["added"].append(name)
            continue
        kinds = []
        if old_prints[was] != new_prints[index]:
            kinds.append("changed")
        if _upstream(old, was) != _upstream(new, index):
            kinds.append("rewired")
        if not says_the_same(old.policies[was], new.policies[index]):
            kinds.append("policies")
        for kind in kinds or ["untouched"]:
            found[kind].append(name)
    found["removed"] = [name for name in old.names if name not in new.index]
    return UpdatePlan(**{kind: tuple(names) for kind, names in found.items()})


def _upstream(plan: Plan, index: int) -> set[str]:
    return {plan.names[above] for above in plan.upstream[index]}
