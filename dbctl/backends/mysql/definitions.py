"""How MySQL and MariaDB write down indexes and sequences."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from typing import TYPE_CHECKING, Any

from dbctl.backends.compiled import undoubled
from dbctl.backends.definitions import Definition, Definitions
from dbctl.backends.mysql.engine import MySQL

if TYPE_CHECKING:
    from sqlalchemy import Column, Connection, ForeignKeyConstraint
    from sqlalchemy import Sequence as SQLSequence
    from sqlalchemy.engine import Inspector

# Of both servers, and of both ways to ask: INFORMATION_SCHEMA.STATISTICS, which MySQL fills for temporary tables not.
_OF_SCHEMA = "SELECT * FROM information_schema.statistics WHERE table_schema = coalesce(:schema, database())"
_SEQUENCES = """
SELECT table_name FROM information_schema.tables
WHERE table_type = 'SEQUENCE' AND table_schema = coalesce(:schema, database())
"""
_TEXTS = re.compile(
    r"(?:_(?:utf8mb4|utf8mb3|utf8|latin1|ascii))?('(?:[^'\\]|''|\\.)*')|`(?:[^`]|``)*`", re.ASCII | re.DOTALL
)
"""A literal with the character set that it is said to be in, or a name."""
_QUOTE, _ESCAPED = "'", "\\'"
_SAID_OF_SEQUENCE = ("start_value", "minimum_value", "maximum_value", "increment", "cache_size", "cycle_option")

_WORDS_OF_SEQUENCE = {
    "MINIMUM": "MINVALUE",
    "MAXIMUM": "MAXVALUE",
    "CACHE_SIZE": "CACHE",
    "CYCLE_OPTION 0": "NOCYCLE",
    "CYCLE_OPTION 1": "CYCLE",
}


class MySQLDefinitions(Definitions, MySQL):
    """Of MySQL and MariaDB."""

    scratch_schema_named = True
    scratch_nested = False

    def index_definitions(
        self, inspector: Inspector, schema: str | None, table: str | None = None
    ) -> Mapping[str, Mapping[str, Definition]]:
        """Ask for all columns of all indexes, and what there is to say of each."""
        from sqlalchemy import text

        connection: Any = inspector.bind
        if table is None:
            rows = connection.execute(text(_OF_SCHEMA), {"schema": schema})
        else:
            preparer = connection.dialect.identifier_preparer
            named = ".".join(preparer.quote_identifier(part) for part in (schema, table) if part)
            rows = connection.exec_driver_sql(f"SHOW INDEX FROM {named}")
        parts: dict[str, dict[str, list[Mapping[str, Any]]]] = defaultdict(lambda: defaultdict(list))
        for row in rows.mappings():
            said = {_NAMES.get(key.lower(), key.lower()): value for key, value in row.items()}
            if said["key_name"] != "PRIMARY":
                parts[table or said["table"]][said["key_name"]].append(said)
        return {each: {name: _definition(some) for name, some in named.items()} for each, named in parts.items()}

    def expression_text(self, expression: str) -> str:
        """Leave out which character set a literal is in."""
        return _without_charsets(expression)

    def is_made_for_key(self, name: str, text: str, keys: Collection[ForeignKeyConstraint]) -> bool:
        """Compare with what InnoDB makes: of the key's columns, with the name of the key or of its first column.

        https://dev.mysql.com/doc/refman/8.4/en/create-table-foreign-keys.html
        """
        for key in keys:
            columns = [column.name for column in key.columns]
            if name in {key.name, columns[0]} and text == f"INDEX BTREE ({', '.join(columns)})":
                return True
        return False

    def alter_column_statement(self, connection: Connection, column: Column[Any]) -> str | None:
        """Say all of it again: MODIFY takes away what it does not say."""
        dialect: Any = connection.dialect
        said = dialect.ddl_compiler(dialect, None).get_column_specification(column)
        named = dialect.identifier_preparer.format_table(column.table)
        return undoubled(f"ALTER TABLE {named} MODIFY COLUMN {said}", dialect)

    def sequences(self, connection: Connection, schema: str | None) -> Mapping[str, str] | None:
        """Ask MariaDB, which has sequences from 10.3 on."""
        if not connection.dialect.supports_sequences:
            return None
        from sqlalchemy import text

        names = list(connection.scalars(text(_SEQUENCES), {"schema": schema}))
        return {name: self._said_of(connection, schema, name) for name in names}

    def scratch_sequence(self, connection: Connection, sequence: SQLSequence) -> str:
        """Make it as the session's own, look, and drop it."""
        from sqlalchemy.schema import CreateSequence

        said = str(CreateSequence(sequence).compile(dialect=connection.dialect))
        connection.exec_driver_sql(said.replace("CREATE SEQUENCE", "CREATE TEMPORARY SEQUENCE", 1))
        try:
            return self._said_of(connection, sequence.schema, sequence.name)
        finally:
            named = connection.dialect.identifier_preparer.format_sequence(sequence)
            connection.exec_driver_sql(f"DROP TEMPORARY SEQUENCE {named}")

    def sequence_statement(self, quoted: str, said: str) -> str:
        """Say it in MariaDB's words: https://mariadb.com/kb/en/alter-sequence/."""
        for name, word in _WORDS_OF_SEQUENCE.items():
            said = said.replace(name, word)
        return f"ALTER SEQUENCE {quoted} {said}"

    @staticmethod
    def _said_of(connection: Connection, schema: str | None, name: str) -> str:
        quote = connection.dialect.identifier_preparer.quote_identifier
        named = ".".join(quote(part) for part in (schema, name) if part)
        row = connection.exec_driver_sql(f"SELECT * FROM {named}").mappings().one()
        return " ".join(f"{key.removesuffix('_value').upper()} {row[key]}" for key in _SAID_OF_SEQUENCE)


_NAMES = {"index_name": "key_name", "table_name": "table"}
"""What STATISTICS calls what SHOW INDEX has another word for."""


def _definition(parts: Iterable[Mapping[str, Any]]) -> Definition:
    in_order = sorted(parts, key=lambda part: int(part["seq_in_index"]))
    first = in_order[0]
    kind = "INDEX" if int(first["non_unique"]) else "UNIQUE INDEX"
    hidden = (
        " INVISIBLE" if first.get("is_visible", first.get("visible")) == "NO" or first.get("ignored") == "YES" else ""
    )
    columns = ", ".join(map(_column, in_order))
    plain = first["index_type"] == "BTREE" and not hidden and not any(map(_is_special, in_order))
    return Definition(f"{kind} {first['index_type']} ({columns}){hidden}", plain)


def _without_charsets(expression: str) -> str:
    """Leave out which character set a literal is in where it is the same in all: MySQL tells that of who declared it.

    https://dev.mysql.com/doc/refman/8.4/en/charset-introducer.html
    """
    return _TEXTS.sub(lambda found: found[1] if found[1] and found[1].isascii() else found[0], expression)


def _is_special(part: Mapping[str, Any]) -> bool:
    return bool(part.get("expression") or part["sub_part"] or part["collation"] == "D")


def _column(part: Mapping[str, Any]) -> str:
    name = part["column_name"]
    if name is None:  # INFORMATION_SCHEMA has the quotes of an expression escaped
        name = f"({_without_charsets(part['expression'].replace(_ESCAPED, _QUOTE))})"
    length = f"({part['sub_part']})" if part["sub_part"] else ""
    return f"{name}{length}{' DESC' if part['collation'] == 'D' else ''}"
