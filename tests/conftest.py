"""What holds for all tests."""

from __future__ import annotations

import signal

from hypothesis import HealthCheck, settings

# How long examples take says how busy the machine is, not whether what is tested works.
settings.register_profile("dagtop", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("dagtop")

# Who runs the tests in the background, or by nohup, has programs ignore these, which is inherited.
for number, usual in (
    (signal.SIGINT, signal.default_int_handler),
    (signal.SIGHUP, signal.SIG_DFL),
    (signal.SIGQUIT, signal.SIG_DFL),
):
    if signal.getsignal(number) is signal.SIG_IGN:
        signal.signal(number, usual)
