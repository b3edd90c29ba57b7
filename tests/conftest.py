"""What holds for all tests."""

from __future__ import annotations

from hypothesis import HealthCheck, settings

# How long examples take says how busy the machine is, not whether what is tested works.
settings.register_profile("dagtop", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("dagtop")
