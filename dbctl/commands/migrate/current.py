"""`dbctl migrate current`."""

from collections.abc import Sequence

from dbctl.migrations.access import Migrations
from dbctl.migrations.options import X
from dbctl.migrations.results import Revision

PLACE = 3
PAGE = "migrate"


def current(migrations: Migrations, x: X = None) -> Sequence[Revision]:
    """Show the revision that the database is at, and one that has been done in part.

    Examples:
        $ dbctl migrate current
        $ dbctl -p prod migrate current --json
    """
    from dbctl.migrations import states

    return states.current(migrations, x=x or ())
