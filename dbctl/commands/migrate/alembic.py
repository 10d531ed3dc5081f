"""`dbctl migrate alembic`."""

from collections.abc import Sequence
from typing import Annotated

import typer

from dbctl.migrations.access import Migrations
from dbctl.migrations.results import Output
from dbctl.work.effects import passes_words_on

PLACE = 6
PAGE = "migrate"


@passes_words_on
def alembic(
    migrations: Migrations,
    words: Annotated[
        list[str], typer.Argument(metavar="WORD", help="What alembic is told, its own options too.", show_default=False)
    ],
) -> Sequence[Output]:
    """Have alembic's own command line do the rest; the word alembic may be left out.

    Options of dbctl go before the first word. What follows it is alembic's, its --help too.

    Examples:
        $ dbctl migrate alembic history --verbose
        $ dbctl -p dev migrate alembic revision --autogenerate -m "add orders"
    """
    from dbctl.migrations import passing

    return passing.passed(migrations, words)
