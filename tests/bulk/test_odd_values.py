"""`dbctl import` of files that are wrong in ways that few are, and of values that are right and odd."""

import gzip
from pathlib import Path

import pytest

from tests.harness.cli import Dbctl
from tests.harness.database import TestDatabase

pytestmark = pytest.mark.parametrize("database", ["sqlite"], indirect=True)


def write(dbctl: Dbctl, name: str, text: str | bytes) -> str:
    (dbctl.cwd / name).write_bytes(text.encode() if isinstance(text, str) else text)
    return name


@pytest.fixture
def on(on_database: Dbctl, database: TestDatabase) -> Dbctl:
    database.execute("CREATE TABLE thing (id integer, name text, doc json)")
    return on_database


def refused(on: Dbctl, database: TestDatabase, name: str, text: str | bytes, words: str, code: int = 1) -> None:
    result = on("import", write(on, name, text), "thing")
    assert (result.code, f"{name}{words}" in result.err) == (code, True), str(result)
    assert database.execute("SELECT count(*) FROM thing")[0][0] == 0


def test_what_comes_behind_an_array_is_not_cut_off(on: Dbctl, database: TestDatabase) -> None:
    for more in ('\n[{"id": 2}]', "\n x", "\n]", " " * 3_000_000 + "\n{}"):
        refused(on, database, "two.json", f'[{{"id": 1}}]{more}', ", line 2: there is more behind the array")
    on.ok("import", write(on, "one.json", '[{"id": 1}\n]\n \r\n'), "thing")


def test_json_that_is_none_is_refused_by_its_line(on: Dbctl, database: TestDatabase) -> None:
    deep = "[" * 100_000
    for row, words in {
        '{"name": "a\\ud800"}': "line 2, column name: half a surrogate pair",
        '{"\\udc00": 1}': "line 2: a name has half a surrogate pair",
        deep: "line 2: it has more objects and arrays in each other",
        f'{{"doc": {deep}': "line 2: it has more objects and arrays in each other",
        f'{{"id": {"1" * 5_000}}}': "line 2, column id: ",
        '{"id": 1, "id": 2}': 'line 2: "id" is in it twice',
    }.items():
        refused(on, database, "bad.jsonl", f'{{"id": 1}}\n{row}\n', f", {words}")
        refused(on, database, "bad.json", f'[{{"id": 1}},\n{row}]', f", {words}")
    refused(on, database, "long.csv", f"id\n{'1' * 5_000}\n", ", line 2, column id: ")


def test_a_document_is_kept_as_it_stands(on: Dbctl, database: TestDatabase) -> None:
    document = '{"a": 1e400, "b":[0.10000000000000000001, -0,  1.0], "é\\u00e9": {"x": 1, "x": 2}}'
    for name, text in {
        "a.jsonl": f'{{"id": 1, "doc": {document}}}\n',
        "a.json": f'[{{"doc": {document} , "id": 1}}]',
    }.items():
        on.ok("import", write(on, name, text), "thing")
    assert database.execute("SELECT doc FROM thing") == [(document,)] * 2


def test_what_has_no_name_and_what_is_no_encoding_is_refused(on: Dbctl, database: TestDatabase) -> None:
    refused(on, database, "bare.csv", "id,,name\n1,2,3\n", ": column 2 has no name", 2)
    for encoding in ("base64", "rot13", "undefined"):
        result = on("import", "bare.csv", "thing", "--encoding", encoding)
        assert (result.code, "there is no such encoding" in result.err) == (2, True), str(result)
    on.ok("import", "bare.csv", "thing", "--map", "=")
    assert database.execute("SELECT id, name FROM thing") == [(1, "3")]


def test_rejects_are_of_the_format_that_their_name_says(on: Dbctl, database: TestDatabase) -> None:
    rows = '{"id": "x", "name": "a\\tb"}\n{"name": null, "id": "y"}\n'
    more = ["--max-errors", "9", "--rejects"]
    on.ok("import", write(on, "same.jsonl", rows), "thing", *more, "bad.tsv")
    assert [line.split("\t")[:2] for line in (on.cwd / "bad.tsv").read_text().splitlines()[1:]] == [
        ["x", r"a\tb"],
        ["y", r"\N"],
    ]
    write(on, "other.jsonl", rows + '{"id": "z"}\n')
    result = on("import", "other.jsonl", "thing", *more, "bad.csv")
    assert (result.code, "name a file .jsonl" in result.err) == (2, True), str(result)
    on.ok("import", "other.jsonl", "thing", *more, "bad.jsonl")
    mended = (on.cwd / "bad.jsonl").read_text().replace('"id": "', '"id": "1').translate({ord(c): "2" for c in "xyz"})
    assert on.ok("import", write(on, "mended.jsonl", mended), "thing", "--json").json["rows"] == 3
    assert database.execute("SELECT id, name FROM thing") == [(12, "a\tb"), (12, None), (12, None)]
    assert on("import", "other.jsonl", "thing", *more, "bad.csv.gz").code == 2


def test_where_there_is_no_room_for_rejects_nothing_is_loaded(on: Dbctl, database: TestDatabase) -> None:
    write(on, "many.csv", "id,name\n" + f"x,{'y' * 100}\n" * 2_000 + "1,a\n")
    full = Path("/dev/full")
    (on.cwd / ".bad.csv.unfinished").symlink_to(full)
    result = on("import", "many.csv", "thing", "--max-errors", "5000", "--rejects", "bad.csv")
    assert ("bad.csv: it can't be written: No space left" in result.err, result.code not in {0, 70}) == (True, True), (
        result
    )
    assert database.execute("SELECT count(*) FROM thing")[0][0] == 0


def test_a_number_with_a_large_power_is_the_nearest_that_there_is(on: Dbctl, database: TestDatabase) -> None:
    database.execute("CREATE TABLE real (n real)")
    text = "1.7485919214226948e-301"  # of which SQLite makes its neighbour
    on.ok("import", write(on, "real.csv", f"n\n{text}\n1_0\n1e\n-inf\n"), "real", "--no-strict")
    assert database.execute("SELECT n FROM real") == [(float(text),), ("1_0",), ("1e",), (float("-inf"),)]


def test_a_value_of_many_lines_takes_what_its_own_size_takes(on: Dbctl, database: TestDatabase) -> None:
    long = 'x\n"' * 700_000
    quoted = long.replace('"', '""')
    write(on, "long.csv", f'id,name\n1,"{quoted}"\n2,"a\nb"\n3,"{quoted}{quoted}"\n4,d\n')
    on.ok("import", "long.csv", "thing")
    assert database.execute("SELECT id, length(name) FROM thing ORDER BY id") == [
        (1, len(long)),
        (2, 3),
        (3, 2 * len(long)),
        (4, 1),
    ]
    database.execute("DELETE FROM thing")
    refused(on, database, "bad.csv", f'id,name\n1,"{quoted}"\n2,b\nx,c\n', ", line 700004, column id")
    refused(on, database, "open.csv", f'id,name\n1,"{quoted}"\n2,"b\nx,c\n', ", line 700003: a value's quotes are not")


@pytest.mark.parametrize(
    ("kept", "type_", "refused"),
    [
        ("123456789012345678", "decimal(38,10)", "12345678901234567.1"),
        ("9223372036854775807", "bigint unsigned", "18446744073709551615"),
        ("-5", "unsigned big int", "9223372036854775808"),
        ("12345678901234567", "number(20)", "12345678901234567890"),
        ("1.5", "money", "1234567890123456.7"),
        ("a 7", "string", "007"),
        ("-1.5", "phone", "+41"),
    ],
)
def test_a_number_that_sqlite_would_change_is_refused(
    on: Dbctl, database: TestDatabase, kept: str, type_: str, refused: str
) -> None:
    database.execute(f"CREATE TABLE odd (v {type_})")
    result = on("import", write(on, "bad.csv", f"v\n{kept}\n{refused}\n"), "odd")
    assert (result.code, f'bad.csv, line 3, column v: "{refused}"' in result.err) == (1, True), str(result)
    on.ok("import", write(on, "good.csv", f"v\n{kept}\n"), "odd")
    on.ok("export", "odd", "out.csv")
    assert (on.cwd / "out.csv").read_text() == (on.cwd / "good.csv").read_text()


def test_times_of_parquet_that_python_has_none_of_are_refused_or_cut(on: Dbctl, database: TestDatabase) -> None:
    pa = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    for values, type_, code in (
        ([3_000], pa.time64("ns"), 0),
        ([3_001], pa.time64("ns"), 1),
        ([-62_135_596_801], pa.timestamp("s"), 1),
    ):
        parquet.write_table(pa.table({"name": pa.array(values, type_)}), on.cwd / "t.parquet")
        result = on("import", "t.parquet", "thing")
        assert (result.code, "t.parquet, row 1 or behind: it can't be read" in result.err) == (code, code == 1)
    assert database.execute("SELECT name FROM thing") == [("00:00:00.000003",)]


def test_what_comes_packed_is_unpacked_though_no_name_tells(on: Dbctl, database: TestDatabase) -> None:
    database.execute("CREATE TABLE packed (id integer PRIMARY KEY)")
    (on.cwd / "packed.txt").write_bytes(gzip.compress(b"id\n1\n"))
    on.ok("import", "packed.txt", "packed", "--format", "csv.gz")
    assert database.execute("SELECT id FROM packed") == [(1,)]
    plain = on("import", "-", "packed", "--format", "tsv.gz", stdin="id\n2\n")
    assert (plain.code, "standard input can't be unpacked" in plain.err) == (1, True), str(plain)
    unknown = on("export", "packed", "--format", "csv.xz")
    assert (unknown.code, "'csv.xz' is not one of" in unknown.err) == (2, True), str(unknown)
