"""`env_file`: variables that a file beside the profile file sets where the environment does not."""

import os
from pathlib import Path
from typing import Any

import pytest

from dbctl.profiles.document import Document
from tests.harness.cli import Dbctl

PROFILES = 'default = "dev"\nenv_file = ".env"\n[profiles.dev]\nurl = "${SHOP_URL}"\npool.size = 3\n'


def shown(dbctl: Dbctl, *args: str, **env: str) -> dict[str, Any]:
    rows = dbctl.ok(*args, "profiles", "show", "--json", env=env).json
    return {row["key"]: row["value"] for row in rows}


def write(directory: Path, toml: str, variables: str) -> None:
    directory.mkdir(exist_ok=True)
    (directory / "profiles.toml").write_text(toml)
    (directory / ".env").write_text(variables)


@pytest.mark.parametrize("where", [".", "conf"])
def test_what_the_environment_does_not_set_it_does(dbctl: Dbctl, where: str) -> None:
    """It stands beside the profile file, wherever that is."""
    write(dbctl.cwd / where, PROFILES, "SHOP_URL='sqlite:///filed.db'\n")
    args = ("-c", f"{where}/profiles.toml")
    assert shown(dbctl, *args)["database"].endswith("filed.db")
    assert shown(dbctl, *args, SHOP_URL="sqlite:///set.db")["database"].endswith("set.db")


def test_without_the_file_nothing_is_set(dbctl: Dbctl) -> None:
    (dbctl.cwd / "profiles.toml").write_text(PROFILES)
    result = dbctl("ping")
    assert (result.code, result.out) == (3, "")
    assert "SHOP_URL is not set" in result.err


def test_its_database_url_serves_where_no_profile_is_named(dbctl: Dbctl) -> None:
    variables = "DATABASE_URL=sqlite:///filed.db\nSHOP_URL=sqlite:///dev.db\n"
    write(dbctl.cwd, 'env_file = ".env"\n', variables)
    assert shown(dbctl)["database"].endswith("filed.db")
    write(dbctl.cwd / "conf", 'env_file = ".env"\n', variables)
    assert shown(dbctl, "-c", "conf/profiles.toml")["database"] == "conf/filed.db"
    write(dbctl.cwd, PROFILES, variables)
    assert shown(dbctl)["pool.size"] == 3
    assert shown(dbctl, DATABASE_URL="sqlite:///set.db")["database"] == "set.db"


def test_a_password_and_a_service_s_modules_have_it(dbctl: Dbctl) -> None:
    profile = '[profiles.pg]\nurl = "postgresql://app@db.example.com/shop"\npassword_env = "SHOP_PASSWORD"\n'
    write(dbctl.cwd, f'env_file = ".env"\n{profile}', "SHOP_PASSWORD=hunter2 # the password\n")
    (dbctl.cwd / "shop.py").write_text('import os\ndef word() -> str:\n    return os.environ["SHOP_PASSWORD"]\n')
    assert dbctl.ok("run", "shop:word", "--json").json == {"value": "hunter2"}
    assert "hunter2" in dbctl.ok("exec", "--", "sh", "-c", "echo $DATABASE_URL").out
    assert "hunter2" not in dbctl.ok("profiles", "show").out


def test_one_that_can_not_be_read_is_told(dbctl: Dbctl) -> None:
    write(dbctl.cwd, PROFILES, "")
    (dbctl.cwd / ".env").write_bytes(b"SHOP_URL=\xff\n")
    result = dbctl("ping")
    assert (result.code, result.out) == (3, "")
    assert ".env: not UTF-8 text" in result.err


def test_one_that_nobody_reads_is_pointed_at(dbctl: Dbctl) -> None:
    (dbctl.cwd / ".env").write_text("DATABASE_URL=sqlite:///shop.db\n")
    for name in ("DBCTL_URL", "DATABASE_URL"):
        assert "dotenv" not in dbctl("ping", env={name: "sqlite:///none.db"}).err
    advice = dbctl("ping").err.rpartition("begin with: dbctl ")[2].split()
    dbctl.ok(*advice)
    dbctl.ok("init-tables")
    assert dbctl.ok("ping", "--json").json["database"].endswith("shop.db")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
def test_a_working_directory_that_is_another_s_holds_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As where a cron job begins in root's."""
    (tmp_path / "closed").mkdir(mode=0o700)
    monkeypatch.chdir(tmp_path / "closed")
    document = Document(models=["shop"], env_file=".env")
    if (child := os.fork()) == 0:
        try:
            os.setuid(65534)
            found = document.imports_from(Path("/nowhere/profiles.toml")), document.with_variables(Path("p.toml"), {})
            os._exit(found != (None, ({}, ())))
        except BaseException:
            os._exit(2)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
