"""On what terms a function is run in a unit of work."""

from dbctl.profiles.model import Isolation
from dbctl.records import record

RETRIES = 3
"""How often a unit of work may be run again where other transactions got in its way."""


@record
class Terms:
    """On what terms a run is made.

    Args:
        writes: Whether it means to write.
        dry_run: Roll back at the end also where all went well.
        retries: How often it may be run again where other transactions got in its way.
        deadline: Seconds that all of it may take, or None for as long as it takes.
        lock: The name of the lock without which it is not run; the profile's own where it is None.
        lock_wait: Seconds for which another holder of the lock is waited for; the profile's own where it is None.
        isolation: The isolation level; the profile's, or else the server's, where it is None.

    Raises:
        ValueError: A number is below 0.
    """

    writes: bool = True
    dry_run: bool = False
    retries: int = RETRIES
    deadline: float | None = None
    lock: str | None = None
    lock_wait: float | None = None
    isolation: Isolation | None = None

    def __post_init__(self) -> None:
        for name in ("retries", "deadline", "lock_wait"):
            value = getattr(self, name)
            if value is not None and value < 0:
                raise ValueError(f"{name} is 0 or more, not {value}")
