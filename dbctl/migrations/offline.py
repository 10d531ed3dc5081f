"""The SQL of migrations for somebody else to run: alembic's offline mode, which connects to nothing."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from io import StringIO
from typing import TYPE_CHECKING, Any

from dbctl.errors import UsageError
from dbctl.migrations.environment import Environment
from dbctl.migrations.results import Sql
from dbctl.migrations.revisions import steps_of

if TYPE_CHECKING:
    from alembic.runtime.migration import MigrationContext

    from dbctl.migrations.access import Migrations


_log = logging.getLogger("dbctl")


def sql_of(migrations: Migrations, name: str, target: str, x: Sequence[str] = ()) -> list[Sql]:
    """Return the SQL that leads from one revision to another.

    Args:
        migrations: Whose database it is for; it is not connected to, and no password is asked for.
        name: `upgrade`, `downgrade` or `stamp`.
        target: Where to, or `FROM:TO`; without a `FROM` it begins at `base`.
        x: What an env.py asks for.

    Raises:
        UsageError: A downgrade does not say from where.
        NotFound: There is no such revision.
        ConfigError: The scripts or the env.py are wrong.
    """
    start, _, end = target.rpartition(":")
    if name == "downgrade" and not start:
        raise UsageError("without a database it is not known from where to go down", "say FROM:TO, such as head:-1")
    buffer = StringIO()
    environment = Environment(migrations, name, x, buffer)
    compute = steps_of(name, (end,) if name == "stamp" else end)

    def steps(heads: tuple[str, ...], _context: MigrationContext) -> Any:
        found = compute(environment.scripts, heads)
        if not found:
            _log.warning("no revision is to be run for %s from %s to %s", name, start or "base", end)
        return found

    with _single_percents() as spelled:
        environment.run(steps, spelled, starting_rev=start or None, destination_rev=end)
    environment.refuse_idle()
    return [Sql(buffer.getvalue())]


@contextmanager
def _single_percents() -> Iterator[Callable[[MigrationContext], None]]:
    """Yield what has a context spell a `%` as it is written: nobody takes it for a driver's parameter here."""
    doubling: list[Any] = []

    def spell(context: MigrationContext) -> None:
        preparer: Any = context.dialect.identifier_preparer
        if preparer._double_percents:
            preparer._double_percents = False
            doubling.append(preparer)

    try:
        yield spell
    finally:
        for preparer in doubling:
            preparer._double_percents = True
