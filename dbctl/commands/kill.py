"""`dbctl kill`."""

from collections.abc import Sequence
from typing import Annotated

import typer

from dbctl.activity.ending import Ended, Rule, end_by_rule, end_sessions
from dbctl.errors import UsageError
from dbctl.work.database import Database
from dbctl.work.effects import writes

PANEL = "Sessions"
PLACE = 26
PAGE = "activity"


@writes(asks=True, retries=0)
def kill(
    database: Database,
    sessions: Annotated[
        list[str] | None, typer.Argument(metavar="ID", help="Sessions, as activity numbers them.")
    ] = None,
    terminate: Annotated[
        bool, typer.Option("--terminate", help="End the session itself, and not only what it runs.")
    ] = False,
    idle_in_transaction: Annotated[
        float | None,
        typer.Option(
            "--idle-in-transaction",
            min=0,
            metavar="SECONDS",
            help="End those that hold a transaction, and have done nothing for so long.",
        ),
    ] = None,
    blocking: Annotated[
        bool, typer.Option("--blocking", help="End those that keep others waiting, and wait for nobody themselves.")
    ] = False,
    force: Annotated[bool, typer.Option("--force", help="Also a superuser's, and the server's own.")] = False,
) -> Sequence[Ended]:
    """Cancel what a session runs, or end the session; and see whether that is gone.

    By a rule those of the profile's database are chosen, shown, and asked about on every profile: --confirm=NAME
    says yes. One that is idle in a transaction is ended then, for it runs nothing that could be cancelled.

    Examples:
        $ dbctl kill 4711
        $ dbctl -p prod kill --idle-in-transaction 300 --confirm=prod
        $ dbctl kill --blocking --dry-run
    """
    by_rule = blocking or idle_in_transaction is not None
    if bool(sessions) == by_rule:
        raise UsageError(
            "there is to be one of ID and a rule", "name sessions, or say --blocking or --idle-in-transaction"
        )
    if by_rule:
        rule = Rule(idle_in_transaction, blocking=blocking, superusers=force)
        return end_by_rule(database, rule, terminate=terminate)
    return end_sessions(database, sessions or (), terminate=terminate, force=force)
