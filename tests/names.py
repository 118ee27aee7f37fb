"""Names for what is seen on the whole machine."""

import os


def own(name: str) -> str:
    """A name for this process: tests that run beside it see its engines and supervisors."""
    return f"{name}-{os.getpid()}"
