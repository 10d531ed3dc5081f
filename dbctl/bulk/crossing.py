"""What a copy is asked for, and what it tells. Light, so that reading a command's help loads no SQLAlchemy."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import field
from typing import TYPE_CHECKING, TypeVar

from dbctl.bulk.masking import Masks
from dbctl.records import record

if TYPE_CHECKING:
    from sqlalchemy import Engine

    from dbctl.connections.connector import Connector
    from dbctl.profiles import Profile
    from dbctl.work.database import Database
    from dbctl.work.supervision import Supervisor

T = TypeVar("T")


@record
class Crossing:
    """Where rows come into, and what finds the profile that they come from.

    Args:
        target: The target's engine, confirmed where it is protected, with its lock held.
        named: Returns a profile by its name.
        supervisor: Who runs the copy.
        dry_run: Whether all is rolled back at the end.
    """

    target: Connector[Engine]
    named: Callable[[str], Profile]
    supervisor: Supervisor
    dry_run: bool = False

    def in_unit(self, work: Callable[[Database], T], *, dry_run: bool = False) -> T:
        """Run work in a unit of work of the target, behind whose COMMIT another one may come.

        Args:
            work: The work.
            dry_run: Whether it is rolled back at its end.

        Raises:
            OutcomeUnknown: The connection was lost during COMMIT, and the server can't be asked.
        """
        from dbctl.work.retries import run_unit

        self.supervisor.pause(0)  # a COMMIT of the unit before is over
        return run_unit(
            self.target,
            work,
            retries=0,
            dry_run=dry_run,
            strict=True,
            before_commit=self.supervisor.before_commit,
            deadline=self.supervisor.deadline,
        )


@record
class Wish:
    """What is copied, and how.

    Args:
        tables: The tables, as `table` or `schema.table`.
        all: Whether all tables are.
        where: What stands behind WHERE, by table; of all tables under "".
        create: Whether tables that the target lacks are created as the source has them.
        lossy: Whether columns may lose something that is known beforehand.
        verify: Whether both sides are compared before the target commits.
        resume: Whether ranges are committed one by one, and a copy that was cut goes on.
        masks: How columns are masked.
        jobs: How many tables are copied at a time, by ranges.
        exclude: Which of all tables are not copied, by names or patterns of such.
        truncate: Whether the tables are emptied before, in the same transaction.
    """

    tables: Sequence[str] = ()
    all: bool = False
    where: Mapping[str, str] = field(default_factory=dict)
    create: bool = False
    lossy: bool = False
    verify: bool = False
    resume: bool = False
    masks: Masks = field(default_factory=Masks)
    jobs: int = 1
    exclude: Sequence[str] = ()
    truncate: bool = False


@record
class Copied:
    """A table that was copied: its rows, how long it took, and whether both sides were compared and are the same."""

    table: str
    rows: int
    seconds: float
    verified: bool
