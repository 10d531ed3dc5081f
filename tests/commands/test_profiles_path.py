"""`dbctl profiles path`."""

from tests.harness.cli import Dbctl


def test_it_is_the_file_that_is_used_or_would_be(bare: Dbctl) -> None:
    assert bare.ok("profiles", "path").out == "profiles.toml\n"
    assert bare.ok("profiles", "path", "--json").json == [{"path": "profiles.toml", "exists": False}]
    personal = bare.home / ".config" / "dbctl" / "profiles.toml"
    personal.parent.mkdir(parents=True)
    personal.write_text("default = ")  # broken: it is to be found all the same
    assert bare.ok("profiles", "path", "--json").json == [{"path": str(personal), "exists": True}]
    (bare.cwd / "profiles.toml").touch()
    assert bare.ok("profiles", "path").out == "profiles.toml\n"
    assert bare.ok("profiles", "path", env={"DBCTL_CONFIG": "~/other.toml"}).out == f"{bare.home}/other.toml\n"
    assert bare.ok("profiles", "path", "-c", "new.toml", env={"DBCTL_CONFIG": "~/other.toml"}).out == "new.toml\n"
