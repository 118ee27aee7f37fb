"""What holds for all tests."""

from hypothesis import HealthCheck, settings

# An example that takes long on a busy machine is no wrong one.
settings.register_profile("patient", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("patient")
