"""`dbctl profiles add`."""

import stat

import pytest

from tests.harness.cli import Dbctl

CANARY = "hunter2canary"


def text(dbctl: Dbctl) -> str:
    return (dbctl.cwd / "profiles.toml").read_text(encoding="utf-8")


def test_the_first_profile_makes_the_file(bare: Dbctl) -> None:
    words = ["postgresql://app@db.example/shop", "pool.size=5", "ssl.mode=require", "password_env=SHOP_PASSWORD"]
    result = bare.ok("profiles", "add", "shop", *words, "--default", "--json")
    assert result.json == {"name": "shop", "default": True, "file": "profiles.toml"}
    assert text(bare) == (
        'default = "shop"\n\n[profiles.shop]\nurl = "postgresql://app@db.example/shop"\n'
        'password_env = "SHOP_PASSWORD"\n\n[profiles.shop.pool]\nsize = 5\n\n[profiles.shop.ssl]\nmode = "require"\n'
    )
    assert stat.S_IMODE((bare.cwd / "profiles.toml").stat().st_mode) == 0o600
    shown = {row["key"]: row["value"] for row in bare.ok("profiles", "show", "--json").json}
    assert (shown["name"], shown["host"], shown["pool.size"]) == ("shop", "db.example", 5)


def test_it_can_be_used_at_once(bare: Dbctl) -> None:
    bare.ok("profiles", "add", "local", "sqlite:///local.db")
    bare.ok("init-tables", "-p", "local")
    assert (bare.cwd / "local.db").exists()


def test_a_further_profile_leaves_the_file_as_it_is(bare: Dbctl) -> None:
    before = '# Ours\n[profiles."a b"]   # odd\nurl = "sqlite://"'
    (bare.cwd / "profiles.toml").write_text(before)
    bare.ok("profiles", "add", "second", "sqlite:///second.db")
    assert text(bare) == f'{before}\n\n[profiles.second]\nurl = "sqlite:///second.db"\n'


def test_a_url_may_be_left_to_its_parts(bare: Dbctl) -> None:
    bare.ok("profiles", "add", "p", "driver=mysql", "host=h", "user=a@b:c/d", "database=5")
    assert text(bare) == '[profiles.p]\ndriver = "mysql"\nhost = "h"\nuser = "a@b:c/d"\ndatabase = "5"\n'


@pytest.mark.parametrize(
    ("words", "code", "problem"),
    [
        ([], 3, "there is no url"),
        (["postgresql://"], 3, "host: there is none"),
        (["oracle://h/d"], 3, '"oracle": allowed is mysql, mariadb, postgresql, postgres, cockroachdb, sqlite\n'),
        (["sqlite+x:///d"], 3, 'driver = "sqlite+x": allowed is sqlite, sqlite+pysqlite, sqlite+aiosqlite\n'),
        (["postgresql://h/d", "pool.sise=5"], 3, '[profiles.p]: pool.sise: unknown key; did you mean "size"?'),
        (["postgresql://h/d", "pool.size=many"], 3, '[profiles.p]: pool.size = "many": allowed is'),
        (["postgresql://h/d", "pool=5"], 3, "[profiles.p]: pool = 5: allowed is a table"),
        (["postgresql://h/d", "host=other"], 3, "host: the url says it too"),
        (["postgresql://h/d", "mysql://h/d"], 2, "url is given twice"),
        (["nonsense"], 2, "nonsense is no setting; write KEY=VALUE"),
        (["--url", "postgresql://h/d"], 2, "name the profile as an argument"),
    ],
)
def test_what_could_not_be_used_is_refused_and_nothing_written(
    words: list[str], code: int, problem: str, bare: Dbctl
) -> None:
    result = bare("profiles", "add", "p", *words)
    assert (result.code, result.out) == (code, "")
    assert problem in result.err
    assert list(bare.cwd.iterdir()) == []


@pytest.mark.parametrize("word", [f"postgresql://u:{CANARY}@h/d", f"password={CANARY}"])
def test_no_password_gets_into_the_file(word: str, bare: Dbctl) -> None:
    result = bare("profiles", "add", "p", *(["postgresql://h/d"] if word.startswith("password") else []), word)
    assert result.code == (3 if word.startswith("password") else 2)
    assert "password_env" in result.err
    assert CANARY not in result.err
    assert list(bare.cwd.iterdir()) == []


@pytest.mark.parametrize("name", ["p", "", " p", "a\nb"])
def test_a_name_is_new_and_can_be_seen(name: str, bare: Dbctl) -> None:
    bare.ok("profiles", "add", "p", "sqlite://")
    before = text(bare)
    result = bare("profiles", "add", name, "sqlite://")
    assert result.code == 3
    assert result.err.count("\n") == 1
    assert text(bare) == before


def test_a_presets_name_may_be_taken(bare: Dbctl) -> None:
    bare.ok("profiles", "add", "production", "postgresql://h/d")
    assert bare("profiles", "show", "production", "--json").json[2]["value"] == "production"


def test_a_dry_run_writes_nothing(bare: Dbctl) -> None:
    result = bare.ok("profiles", "add", "p", "sqlite://", "--dry-run", "--json")
    assert result.json["committed"] is False
    assert result.err == "dbctl: dry run: nothing is written to profiles.toml\n"
    assert list(bare.cwd.iterdir()) == []


@pytest.mark.parametrize("by", ["option", "variable"])
def test_the_file_may_be_named(by: str, bare: Dbctl) -> None:
    named = ["--config", "sub/x.toml"] if by == "option" else []
    env = {"DBCTL_CONFIG": "sub/x.toml"} if by == "variable" else {}
    assert bare.ok("profiles", "add", "p", "sqlite://", "--json", *named, env=env).json["file"] == "sub/x.toml"
    assert [path.name for path in (bare.cwd / "sub").iterdir()] == ["x.toml"]
