"""Which file is read, and which profile is taken: each source goes before all that stand below it."""

import os
from collections.abc import Callable
from itertools import combinations, product
from pathlib import Path

import pytest
from pydantic import PostgresDsn
from sqlalchemy import make_url

import dbctl
from dbctl.errors import ConfigError
from dbctl.profiles import Profiles, password_of
from dbctl.runtime import machine
from tests.profiles.loading import CANARY, ProfileFile

FILE = """
[profiles.asked]
url = "mysql://asked"
[profiles.variable]
url = "mysql://variable"
[profiles.chosen]
url = "mysql://chosen"
[profiles.production]
url = "mysql://production"
"""
SOURCES = ("--url", "--profile", "DBCTL_PROFILE", "DATABASE_URL", "default", "ENVIRONMENT")


SUBSETS = [set(some) for count in range(len(SOURCES) + 1) for some in combinations(SOURCES, count)]


@pytest.mark.parametrize("present", SUBSETS, ids=lambda present: " ".join(sorted(present)) or "nothing")
def test_the_highest_source_names_the_profile(present: set[str], profile_file: ProfileFile) -> None:
    environ = {
        "DBCTL_PROFILE": "variable",
        "DATABASE_URL": "mysql://database-url",
        "ENVIRONMENT": "production",
    }
    profiles = profile_file.load(
        ('default = "chosen"\n' if "default" in present else "") + FILE,
        url="mysql://url" if "--url" in present else None,
        name="asked" if "--profile" in present else None,
        environ={key: value for key, value in environ.items() if key in present},
    )
    environment = "production" if "ENVIRONMENT" in present else "development"
    expected = {
        "--url": ("--url", "mysql://url"),
        "--profile": ("asked", "mysql://asked"),
        "DBCTL_PROFILE": ("variable", "mysql://variable"),
        "DATABASE_URL": (environment, "mysql://database-url"),
        "default": ("chosen", "mysql://chosen"),
        "ENVIRONMENT": ("production", "mysql://production"),
    }
    highest = next((source for source in SOURCES if source in present), None)
    if highest is None:
        with pytest.raises(ConfigError, match="has no default, and no profile is named: there are asked, variable, "):
            profiles.select()
        return
    profile = profiles.select()
    origins = {"--url": "", "--profile": "", "default": f"default in {profile_file.path}"}
    assert profiles.choice().origin == origins.get(highest, highest)
    assert (profile.name, profile.shown_url) == expected[highest]
    assert profiles.chosen_name() == profile.name


def test_a_url_in_a_variable_goes_where_the_profiles_name_would(profile_file: ProfileFile) -> None:
    environ = {
        "DBCTL_URL": "mysql://u:pw@variable",
        "DATABASE_URL": "mysql://database-url",
        "ENVIRONMENT": "production",
    }
    content = f'default = "chosen"\n{FILE}'
    profile = profile_file.load(content, environ=environ).select()
    assert (profile.name, profile.shown_url) == ("DBCTL_URL", "mysql://u:********@variable")
    assert profile_file.load(content, name="asked", environ=environ).select().name == "asked"
    assert profile_file.load(content, url="mysql://url", environ=environ).select().name == "--url"
    with pytest.raises(ConfigError, match=r"\ADBCTL_URL and DBCTL_PROFILE are both set; unset one of them\Z"):
        profile_file.load(content, environ=environ | {"DBCTL_PROFILE": "variable"}).select()
    with pytest.raises(ConfigError, match=r"\ADBCTL_URL: "):
        profile_file.load(content, environ={"DBCTL_URL": "nonsense"}).select()


@pytest.mark.parametrize(
    "variable", ["DBCTL_URL", "DBCTL_PROFILE", "DATABASE_URL", "ENVIRONMENT", "DBCTL_CONFIG", "XDG_CONFIG_HOME"]
)
def test_an_empty_variable_is_as_good_as_none(variable: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    assert Profiles.load(environ={variable: ""}).select().shown_url == "sqlite:///dev.db"


PLACES = ("--config", "DBCTL_CONFIG", "working directory", "XDG_CONFIG_HOME")


@pytest.mark.parametrize("home", ["XDG_CONFIG_HOME", "HOME"])
@pytest.mark.parametrize("present", list(product([False, True], repeat=len(PLACES))))
def test_the_highest_place_has_the_file(
    present: tuple[bool, ...], home: str, tmp_path: Path, workdir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    config = tmp_path / "xdg" if home == "XDG_CONFIG_HOME" else tmp_path / "home" / ".config"
    places = {
        "--config": tmp_path / "given.toml",
        "DBCTL_CONFIG": tmp_path / "variable.toml",
        "working directory": workdir / "profiles.toml",
        "XDG_CONFIG_HOME": config / "dbctl" / "profiles.toml",
    }
    found = [place for place, there in zip(PLACES, present, strict=True) if there]
    for place in found:
        places[place].parent.mkdir(parents=True, exist_ok=True)
        places[place].write_text(f'[profiles."{place}"]\nurl = "sqlite://"\n')
    environ = {"XDG_CONFIG_HOME": str(tmp_path / "xdg")} if home == "XDG_CONFIG_HOME" else {}
    if "DBCTL_CONFIG" in found:
        environ["DBCTL_CONFIG"] = str(places["DBCTL_CONFIG"])
    profiles = Profiles.load(str(places["--config"]) if "--config" in found else None, environ=environ)
    assert profiles.names() == [*found[:1], "production", "testing", "development"]


@pytest.mark.parametrize("missing", ["nowhere.toml", "nowhere/profiles.toml", ".", "~nosuchuser/profiles.toml"])
def test_a_file_that_is_named_must_be_there(missing: str) -> None:
    with pytest.raises(ConfigError, match=r"\Athere is no profile file [^\n]+\Z"):
        Profiles.load(missing, environ={})
    with pytest.raises(ConfigError, match=r"\ADBCTL_CONFIG: there is no profile file [^\n]+\Z"):
        Profiles.load(environ={"DBCTL_CONFIG": missing})


@pytest.mark.parametrize(
    ("toml", "line"),
    [
        ("default = \n", "line 1"),
        ('[profiles.p]\nurl = "sqlite://\n', "line 2"),
        ("[profiles.p]\n[profiles.p]\n", "line 2"),
        ('[profiles.p]\nworkers = 1\nworkers = 2\nurl = "sqlite://"\n', "line 3"),
        (f"[profiles.p]\npassword_env = {CANARY}\n", "line 2"),
        (f'[profiles.p]\nurl = "postgresql://u:{CANARY}@h" # \n\n"', "line 4"),
    ],
)
def test_invalid_toml_is_told_with_its_line(toml: str, line: str, profile_file: ProfileFile) -> None:
    with pytest.raises(ConfigError) as caught:
        profile_file.load(toml)
    message = str(caught.value)
    assert message.startswith(f"{profile_file.path}: not valid TOML: ")
    # The parser has no line for what goes wrong at the very end.
    assert line in message or "end of document" in message
    assert CANARY not in message
    assert "\n" not in message


def test_a_file_that_is_not_text_is_told(profile_file: ProfileFile) -> None:
    profile_file.path.write_bytes(b'default = "\xff"\n')
    with pytest.raises(ConfigError, match=r"not UTF-8 text: [^\n]+ at byte 11\Z"):
        Profiles.load(str(profile_file.path))


KEYS = "default, models, exclude, app_dir, alembic, seed, env_file, sample, commands, defaults, profiles"


@pytest.mark.parametrize(
    ("toml", "expected"),
    [
        ("default = 5", "default: allowed is a profile's name"),
        ('models = "app.models"', "models: allowed is a list"),
        ("defaults = 5", "defaults: allowed is a table"),
        ("profiles = []", "profiles: allowed is tables"),
        ("[[profiles]]\n", "profiles: allowed is tables"),
        ("[profiles]\np = 5", "profiles.p: allowed is a table"),
        ('[profiles]\nurl = "sqlite://"', "profiles.url: allowed is a table"),
        ("[profile.p]", 'profile: unknown key; did you mean "profiles"?'),
        ("[defalts]", 'defalts: unknown key; did you mean "defaults"?'),
        ('[pg]\nurl = "x"', f"pg: unknown key; known are {KEYS}"),
        ('default = "p"', 'default = "p": there is no such profile'),
        ('default = "pgs"\n[profiles.pg]\n', 'default = "pgs": there is no such profile; did you mean "pg"?'),
        ('default = "prodction"', 'default = "prodction": there is no such profile; did you mean "production"?'),
        ('default = ""', 'default = "": there is no such profile'),
    ],
)
def test_the_files_own_keys_are_checked(toml: str, expected: str, profile_file: ProfileFile) -> None:
    with pytest.raises(ConfigError) as caught:
        profile_file.load(toml)
    message = str(caught.value)
    assert message.startswith(f"{profile_file.path}: {expected}")
    assert "\n" not in message


@pytest.mark.parametrize("preset", ["testing", "development"])
def test_the_default_may_be_a_preset(preset: str, profile_file: ProfileFile) -> None:
    assert profile_file.load(f'default = "{preset}"').select().environment == preset


def test_the_nearest_profile_is_suggested_for_an_unknown_one(profile_file: ProfileFile) -> None:
    message = profile_file.error("[profiles.postgres]\n[profiles.mysql]\n", "postgers")
    assert message == f'no profile "postgers" in {profile_file.path}; did you mean "postgres"?'


def test_the_known_profiles_are_listed_where_none_is_near(profile_file: ProfileFile) -> None:
    message = profile_file.error("[profiles.pg]\n[profiles.my]\n", "xyzzy")
    known = "pg, my, production, testing, development"
    assert message == f'no profile "xyzzy" in {profile_file.path}; known are {known}'


def test_without_a_file_an_unknown_profile_says_that_there_is_none() -> None:
    profiles = Profiles.load(name="pg", environ={"XDG_CONFIG_HOME": "/nowhere"})
    with pytest.raises(ConfigError, match=r'no profile "pg": there is no profile file; known are production, '):
        profiles.select()


def test_an_empty_profile_name_never_leads_to_another_profile(profile_file: ProfileFile) -> None:
    # A script says --profile "$TARGET", and TARGET is not set.
    profiles = profile_file.load('default = "p"\n[profiles.p]\nurl = "sqlite:///precious.db"\n', name="")
    with pytest.raises(ConfigError, match="no profile"):
        profiles.select()


def test_an_empty_config_never_leads_to_another_file(workdir: Path) -> None:
    (workdir / "profiles.toml").write_text("")
    with pytest.raises(ConfigError, match="there is no profile file"):
        Profiles.load("", environ={})


@pytest.fixture
def repository(workdir: Path) -> Path:
    """A repository with a profile file at its root, and the working directory two levels below it."""
    (workdir / ".git").mkdir()
    below = workdir / "app" / "models"
    below.mkdir(parents=True)
    (workdir / "profiles.toml").write_text('[profiles.root]\nurl = "sqlite:///data/root.db"\n')
    return below


def test_the_file_is_looked_for_up_to_the_repositorys_root(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(repository)
    profiles = Profiles.load(environ={"XDG_CONFIG_HOME": "/nonexistent"})
    assert (profiles.path, profiles.names()[0]) == (Path("../../profiles.toml"), "root")


def test_the_nearest_file_is_taken(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (repository.parent / "profiles.toml").write_text('[profiles.nearer]\nurl = "sqlite://"\n')
    monkeypatch.chdir(repository)
    assert Profiles.load(environ={}).names()[0] == "nearer"


@pytest.mark.parametrize("git", ["a file, as of a worktree", "none", "nearer than the file"])
def test_no_file_is_taken_from_outside_the_repository(
    git: str, repository: Path, workdir: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (workdir / ".git").rmdir()
    if git == "a file, as of a worktree":
        (workdir / ".git").write_text("gitdir: elsewhere\n")
    elif git == "nearer than the file":
        (repository.parent / ".git").mkdir()
    monkeypatch.chdir(repository)
    names = Profiles.load(environ={"XDG_CONFIG_HOME": str(tmp_path / "none")}).names()
    assert ("root" in names) == (git == "a file, as of a worktree")


def test_a_directory_that_is_gone_has_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "gone").mkdir()
    monkeypatch.chdir(tmp_path / "gone")
    (tmp_path / "gone").rmdir()
    assert Profiles.load(environ={"XDG_CONFIG_HOME": str(tmp_path / "none")}).path is None


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
def test_anothers_file_further_up_is_refused(repository: Path, workdir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    os.chown(workdir / "profiles.toml", 12345, 12345)
    monkeypatch.setattr(machine, "CONTAINER_MARKS", ())  # the tests may run in one
    monkeypatch.chdir(repository)
    with pytest.raises(ConfigError, match=r"\.\./\.\./profiles\.toml: it belongs to another user"):
        Profiles.load(environ={})


PLACED = {
    "sqlite:///data/root.db": "../../data/root.db",
    "sqlite:////var/root.db": "/var/root.db",
    "sqlite://": None,
    "sqlite:///:memory:": ":memory:",
    "sqlite:///file:root.db?uri=true": "file:root.db",
    "sqlite+aiosqlite:///root.db": "../../root.db",
    "postgresql://h/root.db": "root.db",
}


@pytest.mark.parametrize(("url", "database"), PLACED.items(), ids=PLACED.keys())
def test_a_relative_database_in_a_file_further_up_starts_there(
    url: str, database: str | None, repository: Path, workdir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (workdir / "profiles.toml").write_text(f'[profiles.root]\nurl = "{url}"\n[profiles.testing]\ndatabase = "t.db"\n')
    monkeypatch.chdir(repository)
    assert Profiles.load(environ={}).select("root").database == database
    assert Profiles.load(environ={}).select("testing").database == "../../t.db"
    assert Profiles.load(environ={"DATABASE_URL": "sqlite:///here.db"}).select().database == "here.db"


def test_a_relative_database_starts_at_the_file_wherever_that_is(
    repository: Path, workdir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert Profiles.load(environ={}).select("root").database == "data/root.db"
    monkeypatch.chdir(repository)
    for named in (str(workdir / "profiles.toml"), "../../profiles.toml"):
        database = str(Path(named).parent / "data/root.db")
        assert Profiles.load(named, environ={}).select("root").database == database
        assert Profiles.load(environ={"DBCTL_CONFIG": named}).select("root").database == database
        assert Profiles.load(named, url="sqlite:///here.db", environ={}).select().database == "here.db"


@pytest.mark.parametrize("environment", ["", "development"])
def test_the_only_profile_of_a_file_is_taken(environment: str, profile_file: ProfileFile) -> None:
    profiles = profile_file.load('[profiles.pg]\nurl = "mysql://only"\n', environ={"ENVIRONMENT": environment})
    assert profiles.select().name == "pg"
    assert profiles.choice().origin == f"the only one in {profile_file.path}"


@pytest.mark.parametrize("toml", ["", 'models = ["app.models"]'])
def test_a_file_without_profiles_leaves_the_embedded_one(toml: str, profile_file: ProfileFile) -> None:
    profiles = profile_file.load(toml)
    assert (profiles.select().database, profiles.choice().origin) == ("dev.db", "built in")


def test_an_unknown_name_in_the_variable_is_told_with_the_variable(profile_file: ProfileFile) -> None:
    profiles = profile_file.load(FILE, environ={"DBCTL_PROFILE": "askd"})
    with pytest.raises(ConfigError, match=r'\ADBCTL_PROFILE: no profile "askd" in .*; did you mean "asked"\?\Z'):
        profiles.select()


URL = "postgresql://app:hunt%40er2@db.example.com:5433/shop?sslmode=require"


@pytest.mark.parametrize("url", [URL, make_url(URL), PostgresDsn(URL)], ids=["text", "sqlalchemy", "pydantic"])
def test_settings_give_a_profile_by_their_url(url: object, profile_file: ProfileFile) -> None:
    profile_file.load("[defaults]\nconnect_timeout = 3\n[profiles.other]\nurl = 'sqlite://'")
    profile = dbctl.profile(url=url, config=str(profile_file.path))
    assert (profile.place, profile.ssl.mode) == ("app@db.example.com:5433/shop", "require")
    assert (password_of(profile), profile.connect_timeout) == ("hunt@er2", 3)
    assert "hunt" not in repr(profile)


def test_a_name_beside_a_url_is_refused() -> None:
    with pytest.raises(TypeError, match="not by both"):
        dbctl.profile("pg", url=URL)


def test_what_is_no_url_is_told_without_it() -> None:
    with pytest.raises(ConfigError, match=r"\Athe URL: not a database URL") as told:
        dbctl.profile(url="postgresql:app:hunter2@h/x")
    assert "hunter2" not in str(told.value)


@pytest.mark.parametrize("find", [dbctl.profile, dbctl.engine, lambda url: dbctl.session(url).__enter__()])
def test_a_url_in_a_names_place_is_not_told(find: Callable[[str], object]) -> None:
    with pytest.raises(ConfigError) as told:
        find(URL)
    assert told.value.message == "a database URL stands where a profile's name belongs"
