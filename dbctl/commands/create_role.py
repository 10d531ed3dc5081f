"""`dbctl create-role`."""

from collections.abc import Sequence
from typing import Annotated

import typer

from dbctl.backends.databases import Purpose
from dbctl.databases import roles
from dbctl.databases.passwords import new_password
from dbctl.work.database import Database
from dbctl.work.effects import writes

PANEL = "Set-up"
PLACE = 31
PAGE = "setup"


@writes(repeatable=True)
def create_role(
    database: Database,
    name: Annotated[str, typer.Argument(metavar="NAME", help="The role; on MySQL and MariaDB NAME@HOST too.")],
    purpose: Annotated[
        Purpose, typer.Option("--for", help="app: rows; readonly: to read them; migrator: to change the tables.")
    ],
    password_env: Annotated[
        str | None, typer.Option(metavar="VARIABLE", help="The environment variable that holds its password.")
    ] = None,
    password_file: Annotated[
        str | None, typer.Option(metavar="FILE", help="The file whose first line is its password.")
    ] = None,
) -> Sequence[roles.RoleState | roles.Grant]:
    """Create a role, and grant it what it is for in the profile's database, with tables to come too.

    One that is there keeps its password, and is granted all of it again. Without a source its password is asked for.
    It is sent as what the server would store of it, and never itself. With --dry-run the statements are shown.

    Examples:
        $ dbctl -p admin create-role shop --for app --password-env SHOP_DB_PASSWORD
        $ dbctl -p admin create-role report --for readonly --password-file report.password
        $ dbctl -p admin create-role deploy --for migrator
    """

    def password() -> str:
        return new_password(password_env, password_file, lambda: database.ask(f"role {name}"))

    return roles.create(database, name, purpose, password)
