"""`dbctl import` of lines that the database reads as they stand: they are what they are when read value by value."""

import json
import random
import re
from pathlib import Path

import pytest

from dbctl.backends.kinds import BulkColumn, Kind
from dbctl.bulk.checking import check_of
from dbctl.bulk.reading_delimited import Shape, delimited
from tests.harness.cli import Dbctl
from tests.harness.database import TestDatabase

TABLE = "CREATE TABLE thing (id integer PRIMARY KEY, a varchar(9), b varchar(40), c decimal(6, 2), d {}, e boolean)"
MOMENT = {"postgresql": "timestamp", "mysql": "datetime", "mariadb": "datetime", "sqlite": "datetime"}

VALUES = [
    [
        "",
        "x",
        "NULL",
        "\\N",
        "a\\tb",
        "\\",
        "'",
        "é😀",
        " ",
        '""',
        '"q, r"',
        '"l1\nl2"',
        '"NULL"',
        '"a ""b"""',
        "long one",
    ],
    ["", "0", "-1.5", "9999.99", "12"],
    ["", "2024-02-29 23:59:59", "2026-01-31 00:00:00", "0001-01-01 12:30:00"],
    ["", "1", "0", "true", "f"],
]
"""Texts, numbers, moments, truth: as CSV has them."""


def _file(path: Path, chosen: list[list[str]], end: str) -> None:
    path.write_text(end.join(["id,a,b,c,d,e", *map(",".join, chosen)]) + end, encoding="utf-8", newline="")


@pytest.mark.each
def test_they_become_the_same_whichever_way_they_are_read(
    on_database: Dbctl, database: TestDatabase, dice: random.Random
) -> None:
    """Whether any of them needs looking into decides over all of a part: so files have values of some kinds alone."""
    database.execute(TABLE.format(MOMENT[database.kind]))
    read = "SELECT * FROM thing ORDER BY id"
    for number in range(12):
        kinds = [dice.sample(values, dice.randint(1, 3)) for values in (VALUES[0], VALUES[0], *VALUES[1:])]
        chosen = [[str(row), *map(dice.choice, kinds)] for row in range(1, 9)]
        name = f"thing{number}"
        _file(on_database.cwd / f"{name}.csv", chosen, dice.choice(["\n", "\r\n"]))
        with (on_database.cwd / f"{name}.csv").open("rb") as stream:
            parts = delimited(stream, Shape(name))[1]
            rows = [rows for part in parts for rows in zip(*part.rows()[0].columns, strict=True)]
        objects = [json.dumps(dict(zip(("id", "a", "b", "c", "d", "e"), row, strict=True))) for row in rows]
        (on_database.cwd / f"{name}.jsonl").write_text("\n".join(objects) + "\n")
        found = []
        for ending in ("csv", "jsonl"):
            on_database.ok("import", f"{name}.{ending}", "thing", "--truncate")
            found.append(database.execute(read))
        assert found[0] == found[1], (name, chosen)
        assert len(found[0]) == 8


@pytest.mark.each
def test_a_row_far_within_a_file_is_named_and_the_rest_can_be_loaded(
    on_database: Dbctl, database: TestDatabase
) -> None:
    database.execute(TABLE.format(MOMENT[database.kind]))
    rows = [[str(number), "x" * 9, "y" * 40, "1.25", "2026-01-01 12:00:00", ""] for number in range(1, 20_001)]
    rows[17_000][0] = "3"
    _file(on_database.cwd / "twice.csv", rows, "\n")
    result = on_database("import", "twice.csv", "thing")
    assert (result.code, "twice.csv, line 17002" in result.err) == (1, True), str(result)
    assert database.execute("SELECT count(*) FROM thing") == [(0,)]
    rest = ["--max-errors", "1", "--rejects", "bad.csv", "--json"]
    done = on_database.ok("import", "twice.csv", "thing", *rest).json
    assert (done["rows"], done["rejected"]) == (19_999, 1)
    assert "twice.csv,17002," in (on_database.cwd / "bad.csv").read_text()
    done = on_database.ok("import", "twice.csv", "thing", "--on-conflict", "skip", "--json").json
    assert (done["rows"], done["skipped"]) == (0, 20_000)


ODD = {
    Kind.INTEGER: ["1\n2", "1.0", "", "0x1", "9" * 20, "-0"],
    Kind.DECIMAL: ["1.", ".5", "1e3", "1.234", "12345.1", "nan"],
    Kind.FLOAT: ["1e5", "nan", "1.5.5", "-"],
    Kind.DATE: ["2023-02-29", "1900-02-29", "2000-02-29", "2024-02-30", "2024-04-31", "0000-01-01", "2024-13-01"],
    Kind.TIMESTAMP: [
        "2024-01-01 24:00",
        "2024-01-01 23:60",
        "2024-01-01T23:59:60",
        "2024-01-01 1:00",
        "2023-02-29 00:00",
    ],
    Kind.TIME: ["24:00", "23:59:59.1234567", "1:00", "00:00"],
    Kind.BYTES: ["\\x0", "\\xgg", "\\x00ff"],
    Kind.BOOLEAN: ["2", "yes", "TRUE"],
}


@pytest.mark.parametrize("kind", ODD)
def test_a_value_that_is_plain_is_one_that_fits(kind: Kind) -> None:
    """What a pattern takes without a look would be taken with one; of days and times, each that there is."""
    check = check_of(BulkColumn("c", kind, "decimal(6, 2)" if kind is Kind.DECIMAL else "integer"), untyped=True)
    assert check is not None
    assert check.plain is not None
    throw = random.Random(7)
    days = [f"{throw.randint(1, 9999):04}-{throw.randint(1, 12):02}-{throw.randint(1, 31):02}" for _ in range(2_000)]
    times = [f"{throw.randint(0, 23):02}:{throw.randint(0, 59):02}:59" for _ in range(20)]
    drawn = {Kind.DATE: days, Kind.TIME: times, Kind.TIMESTAMP: [f"{day} 12:30" for day in days]}.get(kind, [])
    for value in [*ODD[kind], *drawn]:
        plain = re.fullmatch(check.plain, value, re.ASCII) is not None
        assert not plain or check.reason(value) is None, value
        assert plain or value not in drawn or check.reason(value) is not None, value
        assert bool(list(check.faults("c", [value]))) == (check.reason(value) is not None), value
