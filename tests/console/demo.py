"""The console in front of a fake engine: python tests/console/demo.py [mix|done|hostile|many] [--live]."""

from __future__ import annotations

import sys
import time

from console_fakes import FakeEngine, finished_with_failures, hostile, many, running_mix
from dagtop_app.console import run_console


def main() -> int:
    which = sys.argv[1] if len(sys.argv) > 1 else "mix"
    scene = {"mix": running_mix, "done": finished_with_failures, "hostile": hostile, "many": lambda: many(100_000)}[
        which
    ]()
    engine = FakeEngine(scene)
    for n in range(60):
        task = ("extract_events", "load_orders", "fetch_fx_rates", "extract_users")[n % 4]
        level, text = (("INFO", f"batch {n}: read 20,000 rows in 1.3 s"), ("ERROR", "attempt failed: duplicate key 881"),
                       ("WARNING", "slow answer, 9.8 s"), ("DEBUG", f"page {n} of 100"))[n % 4]  # fmt: skip
        engine.logs.add(task, text, at=4.0 * n, stream="log", level=level)
    engine.logs.add("extract_events", "plain print \x1b[31mwith colour\x1b[0m", at=250.0)
    now = time.monotonic if "--live" in sys.argv else lambda: 0.0
    return run_console(engine, title="nightly.py", now=now, report="runs/r-7f3a.html", resume="dagtop resume")


if __name__ == "__main__":
    raise SystemExit(main())
