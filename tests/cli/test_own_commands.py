"""A service's own commands, mounted by the profile file or an installed package, are as good as the built-in ones."""

import sys
from pathlib import Path

import pytest

from tests.harness.cli import Dbctl
from tests.services.running import SERVICES, TOP, Service, fleet_database, lite, service

__all__ = ["fleet_database", "lite", "service"]


def write(directory: Path, name: str, content: str = '"""Commands."""\n') -> None:
    file = directory / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(content, encoding="utf-8")


def test_they_run_on_every_database(service: Service) -> None:
    assert service.dbctl.ok("launch", "Argo", "--json").json["name"] == "Argo"
    service.dbctl.ok("launch", "Boat", "--dry-run")
    failed = service.dbctl("launch", "Wreck", "--wreck")
    assert failed.code == 1, str(failed)
    assert failed.talk.startswith("dbctl: error: LookupError: no harbour (")
    assert service.ships == {"Argo"}
    assert service.dbctl.ok("tonnage", "--json").json == {"value": 0}


def test_they_are_listed_with_the_others_and_have_help(lite: Service) -> None:
    listed = lite.dbctl.ok("--help").out
    assert "Fleet:\n  launch   Launch a ship.\n  tonnage  Add up what all ships can carry.\n" in listed
    help = lite.dbctl.ok("tonnage", "--help").out
    assert "Only ships of so many." in help
    assert "$ dbctl tonnage --least 5" in help
    assert "--dry-run" in lite.dbctl.ok("launch", "--help").out
    assert lite.dbctl.ok("help", "tonnage").out


def test_they_are_completed(lite: Service) -> None:
    def completed(line: str) -> list[str]:
        env = {"_DBCTL_COMPLETE": "complete_bash", "COMP_WORDS": line, "COMP_CWORD": str(line.count(" "))}
        return lite.dbctl.ok(env=env).lines

    assert completed("dbctl ton") == ["tonnage"]
    assert completed("dbctl tonnage --le") == ["--least"]
    assert completed("dbctl run fleet.seed:add --cou") == ["--count"]
    assert completed("dbctl run fleet.nowhere:add --cou") == []


def test_the_file_may_be_named_anywhere(lite: Service, tmp_path: Path) -> None:
    file = (lite.dbctl.cwd / "profiles.toml").rename(tmp_path / "named.toml")
    assert lite.dbctl("tonnage").code == 2
    for line in (["-c", str(file), "tonnage"], ["tonnage", "-c", str(file)], ["tonnage", f"--config={file}"]):
        assert lite.dbctl.ok(*line, "--json").json == {"value": 0}
    assert lite.dbctl.ok("tonnage", "--json", env={"DBCTL_CONFIG": str(file)}).json == {"value": 0}


def test_without_an_app_dir_they_are_found_where_the_file_is(dbctl: Dbctl) -> None:
    write(dbctl.cwd, "profiles.toml", 'commands = ["app.admin"]\n')
    write(dbctl.cwd, "app/admin/__init__.py")
    write(dbctl.cwd, "app/admin/hello.py", 'def hello() -> str:\n    """Greet."""\n    return "hello"\n')
    (dbctl.cwd / ".git").mkdir()
    (dbctl.cwd / "below").mkdir()
    assert dbctl.ok("hello", "--json").json == {"value": "hello"}
    below = Dbctl(cwd=dbctl.cwd / "below", home=dbctl.home)
    assert below.ok("hello", "--json").json == {"value": "hello"}


def test_a_group_of_them_is_a_package(dbctl: Dbctl) -> None:
    write(dbctl.cwd, "profiles.toml", 'commands = ["app"]\n')
    write(dbctl.cwd, "app/__init__.py")
    write(dbctl.cwd, "app/ships/__init__.py", '"""Look at ships."""\n')
    write(dbctl.cwd, "app/ships/count_.py", "from app._common import SHIPS\ndef count_() -> int:\n    return SHIPS\n")
    write(dbctl.cwd, "app/_common.py", "SHIPS = 3\n")
    assert dbctl.ok("ships", "count", "--json").json == {"value": 3}
    listed = dbctl.ok("--help").out
    assert "ships  Look at ships." in listed
    assert "common" not in listed


def test_a_name_that_exists_is_an_error_that_names_both(dbctl: Dbctl) -> None:
    write(dbctl.cwd, "profiles.toml", 'commands = ["app"]\n')
    write(dbctl.cwd, "app/__init__.py")
    write(dbctl.cwd, "app/ping.py", "def ping() -> None: ...\n")
    result = dbctl("ping")
    assert (result.code, result.out) == (3, "")
    assert "command ping: there are two of this name: " in result.err
    assert "dbctl/commands/ping.py and " in result.err
    assert str(Path("app", "ping.py")) in result.err
    listed = dbctl.ok("--help")
    assert "command ping: there are two of this name: " in listed.err
    assert dbctl.ok("help", "ping").out
    dbctl.ok("init-tables", "--url", "sqlite:///x.db")


def test_the_samples_names_are_free_where_it_is_taken_away(dbctl: Dbctl) -> None:
    write(dbctl.cwd, "app/__init__.py")
    write(dbctl.cwd, "app/serve.py", "def serve() -> int:\n    return 1\n")
    write(dbctl.cwd, "profiles.toml", 'commands = ["app"]\n')
    assert "there are two of this name" in dbctl("serve").err
    write(dbctl.cwd, "profiles.toml", 'commands = ["app"]\nsample = false\n')
    assert dbctl.ok("serve", "--json").json == {"value": 1}
    assert "the profile file has sample = false" in dbctl("heroes").err


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (
            "import nowhere\ndef bad() -> None: ...\n",
            "command bad: app.bad can't be imported: No module named 'nowhere'",
        ),
        ("1 / 0\n", "command bad: app.bad can't be imported: ZeroDivisionError: division by zero (app/bad.py, line 1)"),
        ("def bad(:\n", "command bad: app.bad can't be imported: SyntaxError: "),
        ("import sys; sys.exit(4)\n", "command bad: app.bad can't be imported: SystemExit: 4"),
        ("def other() -> None: ...\n", "command bad: there is no function bad in "),
        ("def bad(needed: int) -> None: ...\n", "command bad: its first parameter is annotated with int; "),
    ],
)
def test_one_that_can_not_be_loaded_is_named_and_stops_nothing_else(dbctl: Dbctl, content: str, reason: str) -> None:
    write(dbctl.cwd, "profiles.toml", 'commands = ["app", "nowhere.commands"]\n')
    write(dbctl.cwd, "app/__init__.py")
    write(dbctl.cwd, "app/bad.py", content)
    write(dbctl.cwd, "app/good.py", "def good() -> int:\n    return 1\n")
    result = dbctl("bad")
    assert (result.code, result.out) == (3, ""), str(result)
    assert result.err.startswith(f"dbctl: error: {reason}")
    assert result.err.count("\n") == 1
    assert dbctl.ok("good", "--json").json == {"value": 1}
    assert dbctl.ok("--help").err.startswith(
        "dbctl: the commands of nowhere.commands are missing: there is no package nowhere (profiles.toml: commands)\n"
    )
    assert "the commands of nowhere.commands are missing" in dbctl("god").err


def test_nothing_of_them_is_imported_for_the_help_of_the_rest(dbctl: Dbctl) -> None:
    write(dbctl.cwd, "profiles.toml", 'commands = ["app"]\n')
    write(dbctl.cwd, "app/__init__.py", "raise RuntimeError('imported')\n")
    write(dbctl.cwd, "app/one.py", 'def one() -> None:\n    """Do one thing."""\n')
    assert "  one  Do one thing." in dbctl.ok("--help").out
    for line in (["ping", "--help"], ["profiles", "list"], ["help", "locks"]):
        assert "imported" not in dbctl.ok(*line).err
    assert "RuntimeError: imported" in dbctl("one", "--help").err


@pytest.mark.parametrize("value", ['"app"', "[1]"])
def test_what_is_no_list_of_packages_is_refused(dbctl: Dbctl, value: str) -> None:
    write(dbctl.cwd, "profiles.toml", f"commands = {value}\n")
    result = dbctl("profiles", "list")
    assert result.code == 3
    assert "profiles.toml: commands: allowed is a list of packages of command modules" in result.err


def test_an_installed_package_mounts_its_own(dbctl: Dbctl) -> None:
    """As pip leaves it: the package, and beside it its metadata."""
    site = dbctl.cwd / "site"
    write(site, "shop_admin/__init__.py")
    write(site, "shop_admin/stock.py", "def stock() -> int:\n    return 7\n")
    write(site, "shop_admin/ping.py", "def ping() -> None: ...\n")
    write(site, "shop-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: shop\nVersion: 1.0\n")
    write(site, "shop-1.0.dist-info/entry_points.txt", "[dbctl.commands]\nshop = shop_admin\nold = shop_old\n")
    program = (
        sys.executable,
        "-c",
        f"import sys; sys.path.append({str(site)!r}); from dbctl.cli.main import main; main()",
    )
    installed = Dbctl(cwd=dbctl.cwd, home=dbctl.home, program=program)
    assert installed.ok("stock", "--json").json == {"value": 7}
    listed = installed.ok("--help")
    assert "stock" in listed.out
    assert "command ping: there are two of this name: " in listed.err
    assert "the commands of shop_old are missing: there is no package shop_old (entry point old of shop)" in listed.err
    assert installed("ping", "--url", "sqlite://").code == 0


def test_the_services_profile_file_is_sound() -> None:
    assert str(SERVICES) in TOP
