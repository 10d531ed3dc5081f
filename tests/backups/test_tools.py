"""Which tool is taken: the very vendor's, of a version that fits, wherever PATH has it."""

import json
import shutil
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.backups.conftest import Shop
from tests.backups.held import files_in

on_mysql = pytest.mark.parametrize("database", ["mariadb", "mysql"], indirect=True)

NAMES = ("mysqldump", "mariadb-dump", "mysql", "mariadb")
THEIRS = {"mariadb": "mysqldump  Ver 9.7.0 for Linux on x86_64", "mysql": "mysqldump from 11.8.2-MariaDB, client 10.19"}
"""What a tool says that is the other vendor's."""

OLD = {
    "mariadb": "mariadb-dump from 10.1.48-MariaDB, client 10.16",
    "mysql": "mysqldump  Ver 5.7.44 for Linux on x86_64",
}
"""What a tool says that is the very vendor's, and older than any server."""


# What only MySQL 8 knows is refused, unless it may be passed over.
_STAND_IN = """#!/bin/sh
[ "$1" = --version ] && echo "{version}" && exit
for word; do case "$word" in --column-statistics*) echo "unknown variable '$word'" >&2; exit 7;; esac; done
exec {real} "$@"
"""


def stand_ins(place: Path, names: Sequence[str], version: str, path: str) -> str:
    """Make programs that say a version, and do what those on a path do; return the directory."""
    place.mkdir()
    for name in names:
        real = shutil.which(name, path=path) or "/bin/false"
        script = place / name
        script.write_text(_STAND_IN.format(version=version, real=real))
        script.chmod(0o755)
    return str(place)


@on_mysql
def test_one_of_the_other_vendor_is_none(shop: Shop, tmp_path: Path) -> None:
    path = stand_ins(tmp_path / "theirs", NAMES, THEIRS[shop.database.kind], shop.dbctl.env["PATH"])
    result = shop.dbctl("backup", "create", "x.sql", env={"PATH": path})
    name, title = {"mariadb": ("mariadb-dump", "MariaDB"), "mysql": ("mysqldump", "MySQL")}[shop.database.kind]
    assert (result.code, result.out) == (3, ""), str(result)
    assert f"there is no {name} here for {title}" in result.err
    assert files_in(shop.dbctl.cwd) == set()


@on_mysql
def test_one_of_the_other_vendor_that_comes_first_is_passed_over(shop: Shop, tmp_path: Path) -> None:
    theirs = stand_ins(tmp_path / "theirs", NAMES, THEIRS[shop.database.kind], str(tmp_path))
    path = {"PATH": f"{theirs}:{shop.dbctl.env['PATH']}"}
    shop.dbctl.ok("backup", "create", "x.sql", env=path)
    shop.dbctl.ok("backup", "verify", "x.sql", "--on", "admin", env=path)


@on_mysql
def test_an_old_one_is_taken_and_told_of(shop: Shop, tmp_path: Path) -> None:
    """It is the machine's only one, and most of what it does not know nobody has."""
    before, kind = shop.contents(), shop.database.kind
    names = NAMES[::2] if kind == "mysql" else NAMES[1::2]
    path = {"PATH": stand_ins(tmp_path / "old", names, OLD[kind], shop.dbctl.env["PATH"])}
    dump, client = (f"{name} {'5.7' if kind == 'mysql' else '10.1'}" for name in names)
    result = shop.dbctl.ok("backup", "create", "x.sql", env=path)
    assert f"{dump} is older than its server" in result.err
    assert json.loads((shop.dbctl.cwd / "x.sql.manifest.json").read_text())["tool"] == dump
    result = shop.dbctl.ok("-p", "admin", "restore", "x.sql", "--into", shop.database.name, env=path)
    assert f"{client} is older than its server" in result.err
    assert shop.contents() == before


def test_one_that_does_not_tell_its_version_is_none(pg_shop: Shop, tmp_path: Path) -> None:
    broken = tmp_path / "broken"
    broken.mkdir()
    (broken / "pg_dump").write_text("#!/bin/sh\nexit 127\n")
    (broken / "pg_dump").chmod(0o755)
    pg_shop.dbctl.ok("backup", "create", "x.dump", env={"PATH": f"{broken}:{pg_shop.dbctl.env['PATH']}"})


def test_what_one_says_is_told_of_its_profile_among_several(pg_shop: Shop, tmp_path: Path) -> None:
    path = pg_shop.dbctl.env["PATH"]
    [(version,)] = pg_shop.database.execute("SHOW server_version_num")
    own = f"/usr/lib/postgresql/{int(version) // 10000}/bin"  # of several that are there, the server's own is taken
    real = shutil.which("pg_dump", path=f"{own}:{path}")
    assert real
    talking = '#!/bin/sh\n[ "$1" = --version ] || echo "pg_dump: warning: odd" >&2\n'
    (tmp_path / "pg_dump").write_text(f'{talking}exec {real} "$@"\n')
    (tmp_path / "pg_dump").chmod(0o755)
    (pg_shop.dbctl.cwd / "made").mkdir()
    names = ["admin", pg_shop.database.profile]
    said = [word for name in names for word in ("-p", name)]
    result = pg_shop.dbctl(*said, "backup", "create", "made", env={"PATH": f"{tmp_path}:{path}"})
    told = [line for line in result.err.splitlines() if "odd" in line]
    assert sorted(told) == [f"dbctl: profile {name}: pg_dump: warning: odd" for name in sorted(names)], str(result)
