"""`dbctl export`: what is written is what was there, and files are whole or not there."""

import csv
import gzip
import hashlib
import io
import json
import os
import re
import sqlite3
import stat
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tests.bulk.types import TYPES, made
from tests.faults.small_disk import small_disk
from tests.harness.cli import Dbctl
from tests.harness.database import TestDatabase
from tests.harness.forked import forked


@pytest.mark.parametrize("ending", ["csv", "tsv", "jsonl"])
def test_each_type_is_written_as_the_manual_says(ending: str, on_database: Dbctl, database: TestDatabase) -> None:
    made(database)
    on_database.ok("export", "thing", f"thing.{ending}")
    text = (on_database.cwd / f"thing.{ending}").read_bytes().decode()
    form = _rfc_3339 if ending == "jsonl" else list
    assert _values(text, ending) == [form(case.texts) for case in TYPES[database.kind]]


def _rfc_3339(texts: Sequence[str | None]) -> list[str | None]:
    """Return what JSON has of a column: of days and times that there are those of RFC 3339."""
    moment = re.compile(r"((?!0000)\d{4}-\d\d-\d\d) ([\d:.]+)(\+00)?")
    found = [moment.fullmatch(text or "") for text in texts]
    return [f"{at[1]}T{at[2]}{(at[3] and 'Z') or ''}" if at else text for at, text in zip(found, texts, strict=True)]


def _values(text: str, ending: str) -> list[list[Any]]:
    """Return the values of each column, NULL as None, by a reader that knows nothing of dbctl."""
    if ending == "jsonl":
        rows = [list(json.loads(line, parse_float=str, parse_int=str).values()) for line in text.split("\n")[:-1]]
        return [[_of_json(value) for value in column] for column in zip(*rows, strict=True)][1:]
    if ending == "tsv":
        lines = [line.split("\t") for line in text.split("\n")[1:-1]]
        return [
            [None if cell == "\\N" else _unescaped(cell) for cell in column] for column in zip(*lines, strict=True)
        ][1:]
    marked = text.replace('""', "\1").replace(",\1,", ',"\2",').replace(",\1,", ',"\2",').replace(",\1\n", ',"\2"\n')
    rows = list(csv.reader(io.StringIO(marked.replace("\1", '""'), newline="")))[1:]
    return [[{"": None, "\2": ""}.get(cell, cell) for cell in column] for column in zip(*rows, strict=True)][1:]


def _of_json(value: Any) -> Any:
    if isinstance(value, bool):
        return str(value).lower()
    return json.dumps(value) if isinstance(value, dict | list) else value


def _unescaped(cell: str) -> str:
    parts = cell.split("\\\\")
    for escape, character in {"\\n": "\n", "\\t": "\t", "\\r": "\r"}.items():
        parts = [part.replace(escape, character) for part in parts]
    return "\\".join(parts)


@pytest.mark.parametrize("database", ["postgresql", "mysql"], indirect=True)
def test_rows_without_columns_are_rows(on_database: Dbctl, database: TestDatabase) -> None:
    column = "" if database.kind == "postgresql" else "a int GENERATED ALWAYS AS (1) STORED"
    database.execute(f"CREATE TABLE bare ({column})")
    for _ in range(2):
        database.execute("INSERT INTO bare DEFAULT VALUES" if not column else "INSERT INTO bare VALUES ()")
    for ending, text in (("jsonl", "{}\n{}\n"), ("json", "[\n{},\n{}\n]\n"), ("csv", "\n\n\n")):
        result = on_database("export", "bare", "--format", ending)
        if column:
            assert (result.code, "bare has no column that" in result.err) == (1, True), str(result)
        else:
            assert (result.code, result.out) == (0, text), str(result)
    result = on_database("export", "bare", "bare.parquet")
    assert result.code == (1 if column else 2), str(result)


def test_all_tables_are_of_one_moment_with_their_sums(on_database: Dbctl, database: TestDatabase) -> None:
    for name in ("one", "two"):
        database.execute(f"CREATE TABLE {name} (id integer PRIMARY KEY, v varchar(20))")
        database.execute(f"INSERT INTO {name} VALUES (1, 'a'), (2, NULL)")
    database.execute("CREATE VIEW seen AS SELECT * FROM one")
    directory = on_database.cwd / "out"
    for failing in ([str(directory), "--exclude", "three"], ["no/where"]):
        assert on_database("export", "--all", *failing).code == 2
        assert not directory.exists()
    jobs = ["--jobs", "2"] if database.kind == "postgresql" else []
    found = on_database.ok("export", "--all", "out", "--format", "csv.gz", "--manifest", *jobs, "--json").json
    assert [(row["table"], row["rows"]) for row in found] == [("one", 2), ("two", 2)]
    assert {path.name for path in directory.iterdir()} == {"one.csv.gz", "two.csv.gz", "manifest.json"}
    assert gzip.decompress((directory / "two.csv.gz").read_bytes()) == b"id,v\n1,a\n2,\n"
    manifest = json.loads((directory / "manifest.json").read_text())
    for row in manifest["tables"]:
        assert row["sha256"] == hashlib.sha256((directory / row["file"]).read_bytes()).hexdigest()
    assert {stat.S_IMODE(path.stat().st_mode) for path in directory.iterdir()} == {0o600}
    if not jobs:
        assert on_database("export", "--all", "out", "--format", "tsv", "--jobs", "2").code == 2 * (
            database.kind != "postgresql"
        )
    assert on_database("export", "--all", "out", "--format", "csv.gz").code == 2
    on_database.ok("export", "--all", "out", "--format", "csv.gz", "--replace")
    on_database.ok("export", "seen", "out", "--format", "jsonl")
    assert (directory / "seen.jsonl").read_text() == '{"id": 1, "v": "a"}\n{"id": 2, "v": null}\n'


def test_of_no_tables_an_empty_directory_is_made(dbctl: Dbctl, sqlite_database: TestDatabase) -> None:
    Path(sqlite_database.name).touch()
    on = forked(dbctl, sqlite_database)
    assert on.ok("export", "--all", "out", "--json").json == []
    assert list((on.cwd / "out").iterdir()) == []


def test_a_query_is_read_and_can_not_write(on_database: Dbctl, database: TestDatabase) -> None:
    database.execute("CREATE TABLE t (id integer PRIMARY KEY, v varchar(20))")
    database.execute("INSERT INTO t VALUES (1, 'x,y'), (2, ''), (3, NULL)")
    query = ["export", "--sql", 'SELECT v AS "a b" FROM t ORDER BY id DESC;']
    query[2] = query[2].replace('"', "`") if database.dialect == "mysql" else query[2]
    assert on_database.ok(*query).out == 'a b\n\n""\n"x,y"\n'
    assert on_database.ok(*query, "--null", "NONE").out == 'a b\nNONE\n""\n"x,y"\n'.replace('""', "")
    assert on_database.ok(*query, "--format", "json").out == '[\n{"a b": null},\n{"a b": ""},\n{"a b": "x,y"}\n]\n'
    numbers = on_database.ok("export", "--sql", "SELECT id, 'x' AS v FROM t WHERE id = 2", "--format", "jsonl").out
    assert numbers == '{"id": 2, "v": "x"}\n'
    for writes in ("DELETE FROM t", "INSERT INTO t VALUES (9, 'z')", "SELECT 1; DROP TABLE t"):
        assert on_database("export", "--sql", writes).code == 1
    assert database.execute("SELECT count(*) FROM t")[0][0] == 3
    if database.server:
        assert on_database("export", "--sql", "SELECT id AS a, id AS a FROM t").code in {1, 2}
    assert on_database("export", "nothing", "x.csv").code == 1


def test_parquet_has_the_columns_types(on_database: Dbctl, database: TestDatabase) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    number = "integer" if database.kind == "sqlite" else "bigint"
    database.execute(f"CREATE TABLE t (n {number} PRIMARY KEY, d decimal(20, 3), v varchar(20), at date)")
    database.execute("INSERT INTO t VALUES (1, 12.5, 'x', '2026-01-31'), (2, NULL, '', NULL)")
    on_database.ok("export", "t", "t.parquet")
    found = parquet.read_table(on_database.cwd / "t.parquet")
    assert list(map(str, found.schema.types)) == ["int64", "decimal128(20, 3)", "string", "date32[day]"]
    assert [str(value) for value in found.column("d").to_pylist()] == ["12.500", "None"]
    assert found.column("v").to_pylist() == ["x", ""]


def test_a_file_is_whole_or_not_there(dbctl: Dbctl, sqlite_database: TestDatabase) -> None:
    with closing(sqlite3.connect(sqlite_database.name)) as connection:
        connection.execute("CREATE TABLE t (id INTEGER PRIMARY KEY, v TEXT)")
        connection.execute(
            "WITH RECURSIVE s(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM s WHERE n < 20000)"
            " INSERT INTO t SELECT n, hex(randomblob(500)) FROM s"
        )
        connection.execute("INSERT INTO t VALUES (30000, CAST(x'ff' AS TEXT))")
        connection.commit()
    before = set(dbctl.cwd.iterdir())
    broken = dbctl("--url", sqlite_database.url, "export", "t", "t.csv")
    assert (broken.code, broken.out) == (1, "")
    assert "UTF-8" in broken.err
    assert set(dbctl.cwd.iterdir()) == before
    good = "SELECT * FROM t WHERE id < 30000"
    with small_disk() as disk:
        full = dbctl("--url", sqlite_database.url, "export", "--sql", good, str(disk / "t.csv"))
        assert (full.code, full.out) == (1, "")
        assert os.listdir(disk) == []
    result = dbctl("--url", sqlite_database.url, "export", "--sql", good, str(Path("/dev/null/x.csv")))
    assert (result.code, "Traceback" in result.err) == (2, False)


def test_what_is_no_file_is_not_replaced_by_one(on_database: Dbctl, database: TestDatabase) -> None:
    """As a device would be, by root."""
    made(database)
    os.mkfifo(on_database.cwd / "pipe.csv")
    result = on_database("export", "thing", "pipe.csv", "--replace")
    assert (result.code, result.out) == (2, "")
    assert "pipe.csv is no file, and is not replaced" in result.err
    assert stat.S_ISFIFO((on_database.cwd / "pipe.csv").stat().st_mode)
