"""`dbctl import`: all rows are there as the files have them or none is, and a row that can't be is named."""

import gzip
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.bulk.types import made
from tests.harness.cli import Dbctl
from tests.harness.database import TestDatabase
from tests.harness.forked import forked
from tests.harness.sample import Sample

NOT_THERE = {
    "postgresql": 'Key (team_id)=(77) is not present in table "team"',
    "mysql": "a foreign key constraint fails",
    "mariadb": "a foreign key constraint fails",
    "sqlite": "FOREIGN KEY constraint failed",
}


def write(dbctl: Dbctl, files: Mapping[str, str | bytes]) -> None:
    for name, text in files.items():
        (dbctl.cwd / name).write_bytes(text.encode() if isinstance(text, str) else text)


@pytest.mark.each
@pytest.mark.parametrize("endings", [("csv", "tsv"), ("jsonl.gz", "json")], ids=["delimited", "json"])
def test_what_was_exported_is_there_again_whatever_its_type(
    endings: tuple[str, str], on_database: Dbctl, database: TestDatabase
) -> None:
    made(database)
    first, second = (f"thing.{ending}" for ending in endings)
    on_database.ok("export", "thing", first)
    on_database.ok("export", "thing", second)
    before = on_database.ok("export", "thing", "--format", "csv").out
    assert on_database.ok("import", first, "thing", "--truncate", "--json").json["rows"] == 3
    assert on_database.ok("export", "thing", "--format", "csv").out == before
    on_database.ok("import", second, "thing", "--on-conflict", "update")
    assert on_database.ok("export", "thing", "--format", "csv").out == before


@pytest.mark.each
def test_a_row_that_does_not_fit_is_named_and_nothing_stays(sample: Sample) -> None:
    dbctl, before = sample.dbctl, sample.rows
    head, good = "name,secret_name,age,team_id\n", 'a,b,1,1\n"c\nd","",,\n'
    bad = {
        "type.csv": ("e,f,1.5,1\n", "line 5, column age: ", '"1.5"'),
        "range.csv": ("e,f,9223372036854775808,1\n", "line 5, column age: ", '"9223372036854775808"'),
        "check.csv": ("e,f,-1,1\n", "line 5", "hero_age_not_negative"),
        "key.csv": ("e,f,1,77\n", "line 5", NOT_THERE[sample.database.kind]),
        "null.csv": ("e,,1,1\n", "line 5, column secret_name", ""),
        "length.csv": (f"{'e' * 201},f,1,1\n", "line 5, column name: ", "eee…"),
        "ragged.csv": ("e,f,1\n", "line 5", ""),
        "quotes.csv": ('e,"f,1,1\n', "line 5: a value's quotes are not closed", ""),
    }
    write(dbctl, {name: head + good + row for name, (row, *_) in bad.items()})
    for name, (_, place, more) in bad.items():
        result = dbctl("import", name, "hero")
        assert (result.code, result.out) == (1, ""), str(result)
        assert f"{name}, {place}" in result.err, str(result)
        assert more in result.err, str(result)
    write(dbctl, {"twice.csv": "id,name,secret_name\n70,a,b\n70,c,d\n"})
    result = dbctl("import", "twice.csv", "hero")
    assert (result.code, "twice.csv, line 3" in result.err) == (1, True), str(result)
    assert sample.rows == before


@pytest.mark.each
def test_a_column_that_only_a_model_has_a_default_for_is_told_so(on_database: Dbctl, database: TestDatabase) -> None:
    database.execute("CREATE TABLE t (id char(32) NOT NULL, name varchar(9), v int)")
    write(on_database, {"t.csv": "name,v\na,1\n"})
    result = on_database("import", "t.csv", "t")
    assert (result.code, "column id" in result.err, "default of a model" in result.err) == (1, True, True), str(result)
    on_database.ok("import", "t.csv", "t", "--set", "id=x")


def test_a_header_with_another_delimiter_is_told_so(dbctl: Dbctl) -> None:
    dbctl.ok("init-tables")
    heads = {"a.csv": "name;age", "b.csv": '"name";"age"', "c.csv": "name\tage", "d.tsv": "name,age"}
    write(dbctl, {name: f"{head}\n" for name, head in heads.items()})
    for name, mark in zip(heads, ("';'", "';'", "tab", ","), strict=True):
        result = dbctl("import", name, "hero")
        assert (result.code, f"--delimiter {mark}" in result.err) == (2, True), str(result)
        assert name == "b.csv" or "its header is one column" in result.err, str(result)


def test_tab_separated_text_may_have_another_delimiter(on_database: Dbctl, database: TestDatabase) -> None:
    database.execute("CREATE TABLE t (id integer, name varchar(9))")
    write(on_database, {"t.tsv": "id;name\n1;a\\tb\n2;\\N\n", "plain.tsv": "id;name\n3;c\n"})
    for name in ("t.tsv", "plain.tsv"):
        on_database.ok("import", name, "t", "--delimiter", ";")
    assert database.execute("SELECT id, name FROM t ORDER BY id") == [(1, "a\tb"), (2, None), (3, "c")]


@pytest.mark.each
def test_the_rest_is_loaded_and_what_is_left_out_can_be_mended(sample: Sample) -> None:
    dbctl = sample.dbctl
    rows = [f"n{number},s,{number},1" for number in range(300)]
    rows[7], rows[150], rows[151], rows[299] = "x,y,abc,1", "x,y,-1,1", "x,,3,1", 'x,"y\ny",3,77'
    write(dbctl, {"some.csv": "\n".join(["name,secret_name,age,team_id", *rows])})
    result = dbctl("import", "some.csv", "hero", "--max-errors", "3")
    assert (result.code, len(sample.rows["hero"])) == (1, 5), str(result)
    result = dbctl.ok("import", "some.csv", "hero", "--max-errors", "4", "--rejects", "bad.csv", "--json")
    assert (result.json["rows"], result.json["rejected"]) == (296, 4)
    text = (dbctl.cwd / "bad.csv").read_text()
    assert [f"some.csv,{line}," in text for line in (9, 152, 153, 301)] == [True] * 4, text
    for wrong, right in {"abc": "1", "-1": "1", "x,,3": "x,z,3", "77": "2"}.items():
        text = text.replace(wrong, right)
    write(dbctl, {"mended.csv": text})
    assert dbctl.ok("import", "mended.csv", "hero", "--json").json["rows"] == 4
    assert [row for row in sample.rows["hero"] if row[1:] == ("x", "y\ny", 3, 2)]


@pytest.mark.each
def test_numbers_go_on_behind_those_that_were_loaded(sample: Sample) -> None:
    write(sample.dbctl, {"ids.csv": "id,name,secret_name\n500,a,b\n40,c,d\n"})
    sample.dbctl.ok("import", "ids.csv", "hero")
    added = sample.dbctl.ok("heroes", "add", "Next", "--secret-name", "N", "--json").json
    assert added["id"] == 501
    sample.dbctl.ok("import", "ids.csv", "hero", "--dry-run", "--on-conflict", "update")
    assert sample.rows["hero"][-1][:2] == (501, "Next")


def test_a_key_that_is_there_is_an_error_or_skipped_or_updated(sample: Sample) -> None:
    dbctl = sample.dbctl
    write(
        dbctl,
        {"new.csv": "id,name,secret_name\n2,New,N\n90,A,a\n90,B,b\n", "teams.csv": "name,headquarters\nZ-Force,Moon\n"},
    )
    assert dbctl("import", "new.csv", "hero").code == 1
    done = dbctl.ok("import", "new.csv", "hero", "--on-conflict", "skip", "--json").json
    assert (done["rows"], done["skipped"]) == (1, 2)
    assert [row[:2] for row in sample.rows["hero"] if row[0] in {2, 90}] == [(2, "Spider-Boy"), (90, "A")]
    dbctl.ok("import", "new.csv", "hero", "--on-conflict", "update")
    assert [row[1:4] for row in sample.rows["hero"] if row[0] in {2, 90}] == [("New", "N", 16), ("B", "b", None)]
    dbctl.ok("import", "teams.csv", "team", "--on-conflict", "update", "--key", "name")
    assert sample.rows["team"][1] == (2, "Z-Force", "Moon")
    assert dbctl("import", "teams.csv", "team", "--on-conflict", "skip", "--key", "headquarters").code == 2


@pytest.mark.each
def test_quotes_within_a_value_are_refused_or_kept(sample: Sample) -> None:
    head = "name,secret_name\n"
    write(sample.dbctl, {"torn.csv": f'{head}a,b\nc,"x"y\n', "inches.csv": f'{head}"q","1, ""2""\n"\na "b" c,5""\n'})
    result = sample.dbctl("import", "torn.csv", "hero")
    assert (result.code, "torn.csv, line 3" in result.err) == (1, True), str(result)
    sample.dbctl.ok("import", "inches.csv", "hero")
    assert [row[1:3] for row in sample.rows["hero"][5:]] == [("q", '1, "2"\n'), ('a "b" c', '5""')]


def test_another_key_than_the_one_that_is_skipped_is_told_plainly(sample: Sample) -> None:
    write(sample.dbctl, {"other.csv": "id,name\n80,Preventers\n"})
    for more in ([], ["--max-errors", "1", "--rejects", "bad.csv"]):
        result = sample.dbctl("import", "other.csv", "team", "--on-conflict", "skip", *more)
        told = result.err + ((sample.dbctl.cwd / "bad.csv").read_text() if more else "")
        assert (result.code, "other.csv, line 2" in result.err) == (0 if more else 1, True), str(result)
        assert not [word for word in ("SQL", "Background", "pymysql", "Traceback") if word in told], told


def test_files_are_read_as_they_come(sample: Sample) -> None:
    dbctl, text = sample.dbctl, "\ufeffname,secret_name\r\nÉ,x\r\n\r\n"
    write(
        dbctl,
        {
            "bom.csv": text,
            "wide.csv.gz": gzip.compress(text.encode("utf-16-le")),
            "latin.csv": "name;secret_name\nÉ;x\n".encode("latin-1"),
            "mac.csv": "name,secret_name\rÉ,x\r",
            "bare.tsv": "junk\nÉ\tx\tdropped\n",
            "other.csv": "n,S,extra\nÉ,x,y\n",
            "header.csv": "name,secret_name\n",
        },
    )
    lines: list[list[str]] = [
        ["bom.csv", "wide.csv.gz", "mac.csv"],
        ["latin.csv", "--encoding", "latin-1", "--delimiter", ";"],
        ["bare.tsv", "--skip", "1", "--columns", "name,secret_name,z", "--map", "z="],
        ["other.csv", "--map", "n=name", "--map", "S=secret_name", "--map", "extra="],
        ["header.csv"],
    ]
    for files in lines:
        at = next((place for place, word in enumerate(files) if word.startswith("-")), len(files))
        dbctl.ok("import", *files[:at], "hero", *files[at:], "--set", "age=7")
    dbctl.ok("import", "-", "hero", "--null", "NULL", "--set", "secret_name=x", stdin='name,age\nÉ,7\n"NULL",NULL\n')
    found = [row[1:4] for row in sample.rows["hero"][5:]]
    assert found == [("É", "x", 7)] * 7 + [("NULL", "x", None)]
    write(dbctl, {"empty.csv": "", "twice.csv": "name,name\na,b\n", "broken.csv.gz": b"\x1f\x8b\x08junk"})
    for name, code in {"empty.csv": 2, "twice.csv": 2, "latin.csv": 2, "broken.csv.gz": 1, "gone.csv": 2}.items():
        assert dbctl("import", name, "hero").code == code
    result = dbctl("import", "latin.csv", "hero", "--delimiter", ";")
    assert (result.code, "latin.csv, line 2: it is no UTF-8" in result.err) == (1, True), str(result)


@pytest.mark.parametrize("sample_database", ["sqlite"], indirect=True)
def test_what_ends_within_a_frame_of_zstd_is_not_loaded(sample: Sample) -> None:
    pack = pytest.importorskip("zstandard").ZstdCompressor().compress
    rows = b"".join(b"%d,b%d\n" % (number, number * 7919) for number in range(20_000))
    whole = pack(b"name,secret_name\n" + rows) + pack(b"last,z\n")
    for end in (-1, len(whole) // 2, 30):
        write(sample.dbctl, {"cut.csv.zst": whole[:end]})
        result = sample.dbctl("import", "cut.csv.zst", "hero")
        assert (result.code, "cut.csv.zst can't be unpacked: it ends" in result.err) == (1, True), str(result)
    assert len(sample.rows["hero"]) == 5
    write(sample.dbctl, {"whole.csv.zst": whole})
    assert sample.dbctl.ok("import", "whole.csv.zst", "hero", "--json").json["rows"] == 20_001


@pytest.mark.parametrize("database", ["postgresql"], indirect=True)
def test_names_parts_and_what_the_database_computes(on_database: Dbctl, database: TestDatabase) -> None:
    database.execute('CREATE SCHEMA "Odd Place"')
    database.execute(
        'CREATE TABLE "Odd Place"."my table" ("the id" bigint GENERATED ALWAYS AS IDENTITY, "a""b" text,'
        ' twice bigint GENERATED ALWAYS AS ("the id" * 2) STORED, n numeric(4, 1), t timestamp)'
        ' PARTITION BY RANGE ("the id")'
    )
    database.execute('CREATE TABLE low PARTITION OF "Odd Place"."my table" FOR VALUES FROM (0) TO (10)')
    database.execute("CREATE VIEW seen AS SELECT 1 AS id")
    write(on_database, {"odd.csv": 'the id,"a""b"\n3,x\n', "out.csv": "the id\n3\n10\n", "twice.csv": "twice\n1\n"})
    on_database.ok("import", "odd.csv", "Odd Place.my table")
    assert database.execute('SELECT "the id", twice FROM low') == [(3, 6)]
    for name, code, words in [
        ("out.csv", 1, "out.csv, line 3: no partition"),
        ("twice.csv", 2, "computes column twice"),
    ]:
        result = on_database("import", name, "Odd Place.my table")
        assert (result.code, words in result.err) == (code, True), str(result)
    assert on_database("import", "odd.csv", "seen").code == 2
    write(on_database, {"bent.csv": "n\n1.5\n1.25\n", "zone.csv": "t\n2026-01-01 10:00\n2026-01-01 10:00+02\n"})
    for name in ("bent.csv", "zone.csv"):
        result = on_database("import", name, "Odd Place.my table", "--set", "the id=4")
        assert (result.code, f"{name}, line 3, column " in result.err) == (1, True), str(result)
        on_database.ok("import", name, "Odd Place.my table", "--set", "the id=4", "--no-strict")


def test_a_protected_profiles_values_are_not_told(dbctl: Dbctl, sample: Sample) -> None:
    toml = sample.database.toml.replace("\n", "\nprotected = true\n", 1)
    other = forked(dbctl, sample.database)
    (other.cwd / "profiles.toml").write_text(toml)
    name = sample.database.profile
    write(
        other,
        {"bad.csv": "name,secret_name,age\nMouse,Secret7,abc\n", "key.csv": "id,name,secret_name\n1,Mouse,Secret7\n"},
    )
    write(other, {"set.csv": "name,secret_name\nMouse,Secret7\n"})
    result = other("-p", name, "import", "set.csv", "hero", "--set", "age=Hidden", "--confirm", name)
    assert (result.code, "set.csv, line 2" in result.err, "Hidden" in result.err) == (1, True, False), str(result)
    for file in ("bad.csv", "key.csv"):
        result = other("-p", name, "import", file, "hero", "--confirm", name)
        assert (result.code, f"{file}, line 2" in result.err) == (1, True), str(result)
        assert not [word for word in ("Secret7", "Mouse", "abc", "(1)", "'1'") if word in result.err], str(result)


def test_nothing_is_there_of_what_was_interrupted(sample: Sample, tmp_path: Path) -> None:
    head = "name,secret_name\n"
    process = sample.dbctl.popen("import", "-", "hero")
    assert process.stdin is not None
    process.stdin.write(head + "a,b\n" * 600_000)
    process.stdin.flush()
    process.terminate()
    process.stdin.close()
    assert process.wait(20) == 143
    assert len(sample.rows["hero"]) == 5


def test_a_missing_table_is_created_from_its_model_or_as_parquet(on_database: Dbctl, database: TestDatabase) -> None:
    database.execute("CREATE TABLE something (id integer)")
    write(on_database, {"teams.csv": "name\nA\nB\n", "other.csv": "name\nA\n"})
    assert on_database("import", "teams.csv", "team").code == 1
    assert on_database("import", "other.csv", "other", "--create").code == 2
    on_database.ok("import", "teams.csv", "team", "--create")
    assert database.execute("SELECT id, name FROM team ORDER BY id") == [(1, "A"), (2, "B")]
    pytest.importorskip("pyarrow")
    on_database.ok("export", "team", "teams.parquet")
    on_database.ok("import", "teams.parquet", "copied", "--create")
    assert database.execute("SELECT id, name FROM copied ORDER BY id") == [(1, "A"), (2, "B")]


@pytest.mark.each
def test_a_row_may_refer_to_a_later_one_where_keys_are_looked_at_in_the_end(
    on_database: Dbctl, database: TestDatabase
) -> None:
    database.execute(
        "CREATE TABLE node (id integer PRIMARY KEY, above integer, FOREIGN KEY (above) REFERENCES node (id))"
    )
    chain = "".join(f"{number},{number + 1}\n" for number in range(1, 2000))
    write(on_database, {"chain.csv": f"id,above\n{chain}2000,\n", "torn.csv": "id,above\n3000,3001\n3001,3002\n"})
    assert on_database("import", "torn.csv", "node").code == 1
    torn = on_database("import", "torn.csv", "node", "--defer-keys")
    assert (torn.code, torn.out, torn.talk.count("dbctl: error: ")) == (1, "", 1), str(torn)
    on_database.ok("import", "chain.csv", "node", "--defer-keys")
    assert database.execute("SELECT count(*), sum(above) FROM node") == [(2000, sum(range(2, 2001)))]
    assert on_database("import", "torn.csv", "node").code == 1, "keys are looked at again"
    assert on_database("import", "chain.csv", "node", "--defer-keys", "--on-conflict", "update").code == 2
