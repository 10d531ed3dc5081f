"""What a SQLite table's own statement says beyond what SQLAlchemy reflects: SQLite keeps it as it was typed.

https://www.sqlite.org/lang_createtable.html
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sqlalchemy import Connection

_SAID = re.compile(r"""--[^\n]*|/\*.*?\*/|'(?:[^']|'')*'|"((?:[^"]|"")*)"|`([^`]*)`|\[([^\]]*)\]""", re.DOTALL)
_CLAUSE = re.compile(r"\bAUTOINCREMENT\b|\bCOLLATE \w+|\bON CONFLICT \w+", re.IGNORECASE)
_COLLATION = re.compile(r"\bCOLLATE (\w+)", re.IGNORECASE)
_DEFERRED = re.compile(r"(?:\bNOT )?\bDEFERRABLE\b(?: INITIALLY \w+)?", re.IGNORECASE)
_KEY = re.compile(r"FOREIGN KEY ?\(([^)]*)\)", re.IGNORECASE)
_CONSTRAINT = re.compile(r"(?:CONSTRAINT|PRIMARY|UNIQUE|CHECK|FOREIGN)\b", re.IGNORECASE)


def further_parts(connection: Connection, schema: str | None) -> Iterator[tuple[str, str, str]]:
    """Yield clauses of columns and constraints, options of tables, and foreign keys with what is done for them."""
    place = f'"{schema}".' if schema else ""
    query = f"SELECT name, sql FROM {place}sqlite_master WHERE type = 'table' AND sql LIKE 'CREATE TABLE%'"
    for table, sql in connection.exec_driver_sql(query).all():
        *definitions, options = _taken_apart(sql)
        if options:
            yield table, "options", ", ".join(sorted(word.strip().upper() for word in options.split(",")))
        deferred: dict[str, str] = {}
        for each in definitions:
            key, column = _KEY.search(each), each.split(" ")[0]
            is_constraint = _CONSTRAINT.match(each)
            if found := _DEFERRED.search(each):
                deferred[key[1] if is_constraint and key else column] = found[0].upper()
            if clauses := _CLAUSE.findall(each):
                what = each.partition(" ON CONFLICT")[0] if is_constraint else f"column {column}"
                yield table, f"{what}, clauses", " ".join(clauses).upper()
        yield from _keys(connection, place, table, deferred)


def collations(sql: str) -> Mapping[str, str]:
    """Return the collations of columns that a CREATE TABLE names, by the columns' names."""
    *definitions, _ = _taken_apart(sql)
    columns = [each for each in definitions if not _CONSTRAINT.match(each)]
    return {each.split(" ")[0]: found[1].upper() for each in columns if (found := _COLLATION.search(each))}


def _taken_apart(sql: str) -> Iterator[str]:
    """Yield what stands between the commas of a CREATE TABLE's list, and then what stands behind that."""
    plain = _SAID.sub(lambda said: next((name for name in said.groups() if name is not None), " ''"), sql)
    text = " ".join(plain.split())
    depth, piece = 0, ""
    for character in text[text.find("(") :]:
        depth += (character == "(") - (character == ")")
        if (character == "," and depth == 1) or (character == ")" and depth == 0):
            yield piece.strip()
            piece = ""
        elif not (character == "(" and depth == 1 and not piece.strip()):
            piece += character
    yield piece.strip()


def _keys(connection: Connection, place: str, table: str, deferred: dict[str, str]) -> Iterator[tuple[str, str, str]]:
    """Yield the foreign keys, of which SQLite itself tells all but whether they are looked at only at the COMMIT."""
    keys: dict[int, list[tuple[str, ...]]] = {}
    for number, _, *rest in connection.exec_driver_sql(f"PRAGMA {place}foreign_key_list({_quoted(table)})"):
        keys.setdefault(number, []).append(tuple(rest))
    for rows in keys.values():
        referred, _, _, updated, deleted, _ = rows[0]
        columns, others = ", ".join(row[1] for row in rows), ", ".join(row[2] for row in rows if row[2])
        if not others:
            found = connection.exec_driver_sql(f"PRAGMA {place}table_info({_quoted(referred)})").all()
            others = ", ".join(name for _, name, *_, place_in_key in found if place_in_key)
        actions = [
            f"ON {verb} {what}" for verb, what in (("DELETE", deleted), ("UPDATE", updated)) if what != "NO ACTION"
        ]
        yield table, f"foreign key ({columns})", " ".join([f"{referred} ({others})", *actions, *_of(deferred, columns)])


def _of(deferred: dict[str, str], columns: str) -> list[str]:
    return [said for names, said in deferred.items() if re.sub(r"\s*,\s*", ", ", names.strip()) == columns]


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
