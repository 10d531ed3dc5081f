"""On a protected profile nothing is written unless its name was said, or typed; nothing is connected to before."""

import pytest

from tests.harness.cli import Dbctl

NOBODY = "postgresql://app@127.0.0.1:1/db"
ADD = ("teams", "add", "Preventers")
PROMPT = "Type its profile's name, prod, to go on: "


@pytest.fixture
def protected(dbctl: Dbctl) -> Dbctl:
    """Dbctl with a protected SQLite database, and a protected server that is not there."""
    (dbctl.cwd / "profiles.toml").write_text(
        'default = "prod"\n'
        '[profiles.prod]\nurl = "sqlite:///prod.db"\nprotected = true\n'
        f'[profiles.away]\nurl = "{NOBODY}"\nprotected = true\n'
    )
    dbctl.ok("init-tables", "--confirm=prod")
    return dbctl


def test_nothing_is_written_without_its_name(protected: Dbctl) -> None:
    result = protected(*ADD)
    assert (result.code, result.out) == (8, "")
    assert result.talk == ("dbctl: error: profile prod is protected; nothing was connected to; say --confirm=prod\n")
    assert protected.ok("teams", "list", "--json").json == []


def test_another_name_will_not_do(protected: Dbctl) -> None:
    result = protected(*ADD, "--confirm=away")
    assert result.code == 8
    assert "--confirm=away is not its name" in result.err


def test_its_name_will_do(protected: Dbctl) -> None:
    protected.ok(*ADD, "--confirm=prod")
    assert [row["name"] for row in protected.ok("teams", "list", "--json").json] == ["Preventers"]


def test_it_is_asked_for_before_anything_is_connected_to(protected: Dbctl) -> None:
    assert protected("-p", "away", *ADD).code == 8
    assert protected("-p", "away", *ADD, "--confirm=away").code == 4


def test_production_is_protected_by_itself(protected: Dbctl) -> None:
    env = {"ENVIRONMENT": "production", "DATABASE_URL": "sqlite:///prod.db"}
    result = protected("drop-tables", env=env)
    assert (result.code, result.out) == (8, "")
    assert "say --confirm=production" in result.err
    protected.ok("drop-tables", "--confirm=production", env=env)


def test_the_question_says_what_is_lost(protected: Dbctl) -> None:
    for name in ("Preventers", "Z-Force"):
        protected.ok("teams", "add", name, "--confirm=prod")
    result = protected.tty("drop-tables", keys=[("to go on: ", "no\r")], columns=120)
    assert result.code == 8
    assert "\ndrop-tables drops 3 tables with 2 rows in prod.db. Type its profile's name, prod" in result.plain
    protected.ok("drop-tables", "--confirm=prod")
    nothing = protected.tty("drop-tables", keys=[("to go on: ", "prod\r")], columns=120)
    assert "\ndrop-tables drops no tables in prod.db. Type" in nothing.plain


def test_a_person_is_asked_on_every_profile_and_a_script_is_not(dbctl: Dbctl) -> None:
    (dbctl.cwd / "profiles.toml").write_text('[profiles.dev]\nurl = "sqlite:///dev.db"\n')
    dbctl.ok("init-tables")
    refused = dbctl.tty("drop-tables", keys=[("Type its profile's name, dev, to go on: ", "y\r")], columns=160)
    assert (refused.code, "drops 3 tables with 0 rows in dev.db. Type" in refused.plain) == (8, True), str(refused)
    assert "profile dev: it is not confirmed: what was typed is not its name; nothing is changed" in refused.plain
    dbctl.ok("init-tables", "--check")
    assert dbctl.tty("drop-tables", keys=[("to go on: ", "dev\r")]).code == 0
    for drop in (dbctl.tty, dbctl):
        dbctl.ok("init-tables")
        assert drop("drop-tables", "--confirm", "dev").code == 0
    dbctl.ok("init-tables")
    dbctl.ok("drop-tables")


def test_what_is_lost_is_counted_only_where_somebody_is_asked(protected: Dbctl) -> None:
    assert protected("-p", "away", "drop-tables").code == 8
    asked = protected.tty("-p", "away", "drop-tables", columns=120)
    assert (asked.code, "to go on" in asked.plain) == (4, False)


@pytest.mark.parametrize("command", [("teams", "list"), ("init-tables", "--check"), (*ADD, "--dry-run"), ("ping",)])
def test_what_writes_nothing_needs_no_name(protected: Dbctl, command: tuple[str, ...]) -> None:
    protected.ok(*command)


@pytest.mark.parametrize(("typed", "code"), [("prod\r", 0), ("yes\r", 8), ("\r", 8), ("\x04", 8), ("\x03", 130)])
def test_at_a_terminal_its_name_is_typed(protected: Dbctl, typed: str, code: int) -> None:
    result = protected.tty(*ADD, keys=[(PROMPT, typed)], columns=120)
    assert result.code == code, str(result)
    # To say what is lost it may have connected.
    assert ("dbctl: error: profile prod is protected" in result.plain) is (code == 8)
    assert ("; nothing is changed; say" in result.plain) is (code == 8)
    assert len(protected.ok("teams", "list", "--json").json) == (code == 0)
