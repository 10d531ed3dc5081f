"""What MySQL and MariaDB have already, under which name, and which of the two they are."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, ClassVar

from dbctl.backends.relations import Relations
from dbctl.errors import ConfigError
from dbctl.profiles import Profile

if TYPE_CHECKING:
    from sqlalchemy import Connection


# https://dev.mysql.com/doc/refman/8.4/en/create-table-gipks.html; a copy in MariaDB has it too.
_MADE_UP_KEY = """
SELECT 1 FROM information_schema.columns
WHERE table_schema = coalesce(%(schema)s, database()) AND table_name = %(table)s AND column_name = 'my_row_id'
  AND column_key = 'PRI' AND extra LIKE '%%auto_increment%%' AND extra LIKE '%%INVISIBLE%%'
"""


class MySQLRelations(Relations):
    """Of MySQL and MariaDB."""

    made_up_key = "my_row_id"

    title: ClassVar[str]
    profile: Profile

    def server_title(self, connection: Connection) -> str:
        """Tell MariaDB from MySQL."""
        dialect: Any = connection.dialect
        return "MariaDB" if dialect.is_mariadb else self.title

    def relations(self, connection: Connection, schema: str | None) -> Mapping[str, str]:
        """Look in the profile's database, which has to be named for that."""
        if schema is None and connection.dialect.default_schema_name is None:
            raise ConfigError(f"{self.profile.called}: no database is named", "name it, as in mysql://…/DATABASE")
        return super().relations(connection, schema)

    def has_made_up_key(self, connection: Connection, schema: str | None, table: str) -> bool:
        """Look for what `sql_generate_invisible_primary_key` makes."""
        return connection.exec_driver_sql(_MADE_UP_KEY, {"schema": schema, "table": table}).first() is not None

    def name_folder(self, connection: Connection) -> Callable[[str], str]:
        """Fold to lower case where the server does.

        https://dev.mysql.com/doc/refman/8.4/en/identifier-case-sensitivity.html
        """
        return str.lower if connection.exec_driver_sql("SELECT @@lower_case_table_names").scalar() else str

    def failed_line(self, error: BaseException, statement: str) -> int | None:
        """Read it from the message, at whose end it stands; the server counts from the first that is not empty."""
        found = re.search(r" at line (\d+)$", str(error.args[-1] if error.args else ""))
        begin = statement[: len(statement) - len(statement.lstrip())]
        return int(found[1]) + begin.count("\n") if found else None
