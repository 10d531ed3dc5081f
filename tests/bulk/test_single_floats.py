"""Floats of 32 bits: written as the shortest text that is read as the same one, wherever they come from and go to."""

import pytest

from tests.bulk.profiles import with_profiles
from tests.harness.database import TestDatabase
from tests.harness.forked import Forked

TEXTS = ["0.1", "0.33333334", "12345.678", "-2.5e-07", "65536", "1.1754944e-38", "1.23457e+20", "123456.7"]
LARGEST = 3.4028234663852886e38


@pytest.mark.parametrize("database", ["mysql", "mariadb"], indirect=True)
def test_they_are_the_same_everywhere(dbctl: Forked, database: TestDatabase, postgres_database: TestDatabase) -> None:
    texts = [*TEXTS, "-0" if database.kind == "mysql" else "0"]  # MariaDB has no other
    rows = "id,v\n" + "".join(f"{number},{text}\n" for number, text in enumerate(texts))
    for one, type_ in ((database, "float"), (postgres_database, "real")):
        one.execute(f"CREATE TABLE f (id integer PRIMARY KEY, v {type_})")
        one.execute(f"INSERT INTO f VALUES (99, {LARGEST})")
    postgres_database.execute("CREATE SCHEMA wide")
    postgres_database.execute("CREATE TABLE wide.f (id integer PRIMARY KEY, v double precision)")
    on = with_profiles(dbctl, my=database, pg=postgres_database)
    (on.cwd / "f.csv").write_text(rows)
    for profile in ("my", "pg"):
        on.ok("-p", profile, "import", "f.csv", "f")
        on.ok("-p", profile, "export", "f", f"{profile}.csv")
        lines = sorted((on.cwd / f"{profile}.csv").read_text().splitlines(keepends=True)[1:])
        assert "".join(["id,v\n", *lines[:-1]]) == rows
        assert float(lines[-1].removeprefix("99,")) == pytest.approx(LARGEST, rel=1e-7)
    on.ok("copy", "f", "--from", "my", "--to", "pg", "--truncate", "--verify")
    on.ok("copy", "f", "--from", "pg", "--to", "my", "--truncate", "--verify", "--where", "id < 99")
    on.ok("-p", "my", "export", "f", "again.csv")
    assert (on.cwd / "again.csv").read_text() == rows
    on.ok("-p", "pg", "import", "my.csv", "wide.f")
    same = "SELECT count(*) FROM f JOIN wide.f w USING (id) WHERE w.v::real = f.v"
    assert postgres_database.execute(same) == [(len(texts) + 1,)]
