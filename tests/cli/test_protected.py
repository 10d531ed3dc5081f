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


@pytest.mark.parametrize("command", [("teams", "list"), ("init-tables", "--check"), (*ADD, "--dry-run"), ("ping",)])
def test_what_writes_nothing_needs_no_name(protected: Dbctl, command: tuple[str, ...]) -> None:
    protected.ok(*command)


@pytest.mark.parametrize(("typed", "code"), [("prod\r", 0), ("yes\r", 8), ("\r", 8), ("\x04", 8), ("\x03", 130)])
def test_at_a_terminal_its_name_is_typed(protected: Dbctl, typed: str, code: int) -> None:
    result = protected.tty(*ADD, keys=[(PROMPT, typed)], columns=120)
    assert result.code == code, str(result)
    assert len(protected.ok("teams", "list", "--json").json) == (code == 0)
