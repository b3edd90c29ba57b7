"""A run as a snapshot shows it, to judge commands by."""

from __future__ import annotations

from dagtop.core.desired import Desired
from dagtop.core.snapshot import RunSnapshot


class Seen:
    """A `Situation` as a snapshot shows it."""

    def __init__(self, snapshot: RunSnapshot) -> None:
        self.plan = snapshot.plan
        self.run_state = snapshot.state
        self.state = [row.state for row in snapshot.rows]
        self.policies = [row.policy for row in snapshot.rows]
        self.held = {row.index: row.held_by for row in snapshot.rows if row.held}
        self.reason = {row.index: row.reason for row in snapshot.rows if row.reason}
        self.gates = {row.index: row.gate for row in snapshot.rows if row.gate is not None}
        self.torn_down = {row.index for row in snapshot.rows if row.torn_down}
        self.max_parallel = snapshot.max_parallel
        self.desired = Desired()
        self.desired.restarts = {row.index: (row.restarts, row.crashes) for row in snapshot.rows if row.restarts}
        self.desired.serving = {row.index for row in snapshot.rows if row.serving}
        self.desired.down = {row.index for row in snapshot.rows if not row.wanted}
        self.desired.gone = {row.index for row in snapshot.rows if row.gone}
        self.escalations = list(snapshot.escalations)
        self.acknowledged = dict(snapshot.acknowledged)
