"""What a URL leaves to libpq's services and variables, or to MySQL's option files, is a part of the profile."""

from pathlib import Path

import pytest

from dbctl.errors import ConfigError
from dbctl.profiles import Profile, Profiles, password_of
from tests.harness.files import private
from tests.profiles.loading import CANARY, ProfileFile

SERVICE = f"[shop]\nhost=db.example\nport=5433\nuser=app\npassword={CANARY}\ndbname=shop\noptions=-csearch_path=app\n"
OPTION_FILE = f"[client]\nhost=db.example\nuser=app\npassword={CANARY}\n[other]\nuser=another\nport=3307\n"


@pytest.fixture
def service(tmp_path: Path) -> Path:
    path = private(tmp_path / "pg_service.conf")
    path.write_text(SERVICE)
    return path


@pytest.fixture
def option_file(tmp_path: Path) -> Path:
    path = private(tmp_path / "my.cnf")
    path.write_text(OPTION_FILE)
    return path


def at(url: str, **environ: str) -> Profile:
    return Profiles.load(url=url, environ=environ | {"XDG_CONFIG_HOME": "/nowhere"}).select()


def test_a_service_is_filled_in_beneath_the_url(service: Path) -> None:
    profile = at("postgresql://me@/?service=shop&application_name=x", PGSERVICEFILE=str(service))
    assert (profile.host, profile.port, profile.user, profile.database) == ("db.example", 5433, "me", "shop")
    assert (profile.query, profile.application_name) == ({"options": "-csearch_path=app"}, "x")
    assert password_of(profile) == CANARY
    assert CANARY not in f"{profile!r}{profile.shown_url}"


def test_a_service_may_be_named_by_the_environment(service: Path) -> None:
    profile = at("postgresql://me@", PGSERVICEFILE=str(service), PGSERVICE="shop", PGUSER="other")
    assert (profile.host, profile.user, profile.origins["host"]) == ("db.example", "me", "PGSERVICE")


def test_a_profiles_own_source_goes_before_a_services_password(service: Path, profile_file: ProfileFile) -> None:
    lines = f'url = "postgresql://?service=shop&servicefile={service}"\npassword_env = "PW"'
    assert (profile_file.profile(lines).password, profile_file.profile(lines).password_env) == (None, "PW")


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("service=none", "there is no \\[none\\]; known are shop"),
        ("service=shop&servicefile=/nowhere", "/nowhere: can't be read"),
    ],
)
def test_a_service_that_is_not_there_is_told(query: str, said: str, service: Path) -> None:
    with pytest.raises(ConfigError, match=rf"\A--url: .*{said}"):
        at(f"postgresql://?{query}", PGSERVICEFILE=str(service))


def test_a_file_with_a_password_that_others_can_read_is_refused(service: Path, option_file: Path) -> None:
    for path, url in ((service, f"postgresql://?service=shop&servicefile={service}"),
                      (option_file, f"mysql://?read_default_file={option_file}")):  # fmt: skip
        path.chmod(0o644)
        with pytest.raises(ConfigError, match=r"there is a password in .* others can read") as caught:
            at(url)
        assert CANARY not in str(caught.value)


@pytest.mark.parametrize(("query", "user", "port"), [("", "app", None), ("&read_default_group=other", "another", 3307)])
def test_an_option_file_is_filled_in_beneath_the_url(
    query: str, user: str, port: int | None, option_file: Path
) -> None:
    profile = at(f"mysql+mysqldb:///shop?read_default_file={option_file}{query}")
    assert (profile.host, profile.user, profile.port, profile.database) == ("db.example", user, port, "shop")
    assert (password_of(profile), profile.query) == (CANARY, {})


@pytest.mark.parametrize(
    ("url", "variables", "shown"),
    [
        ("postgresql://", {"PGHOST": "h", "PGPORT": "1", "PGUSER": "u", "PGDATABASE": "d"}, "postgresql://u@h:1/d"),
        ("postgresql://a/b", {"PGHOST": "h", "PGDATABASE": "d"}, "postgresql://a/b"),
        ("postgresql:///d", {"PGHOST": "/run/pg"}, "postgresql://%2Frun%2Fpg/d"),
        ("postgresql://a", {"PGOPTIONS": "-cx=1"}, "postgresql://a?options=-cx%3D1"),
        ("postgresql://", {"PGHOST": "a,b", "PGPORT": "1,2"}, "postgresql://a,b?port=1%2C2"),
        ("mysql://a", {"PGHOST": "h", "PGUSER": "u", "PGSERVICE": "none"}, "mysql://a"),
        ("sqlite:///a.db", {"PGDATABASE": "d"}, "sqlite:///a.db"),
    ],
)
def test_libpqs_variables_say_what_nothing_else_does(url: str, variables: dict[str, str], shown: str) -> None:
    assert at(url, **variables).shown_url == shown


@pytest.mark.parametrize(
    ("table", "mode", "query"),
    [
        ('query = { sslmode = "require", keepalives = "1" }', "require", {"keepalives": "1"}),
        ('query = { sslmode = "require" }\nssl.mode = "require"', "require", {}),
    ],
)
def test_an_option_in_the_table_that_a_profile_has_a_key_for_is_that_key(
    table: str, mode: str, query: dict[str, str], profile_file: ProfileFile
) -> None:
    profile = profile_file.profile(f'driver = "postgresql"\nhost = "h"\n{table}')
    assert (profile.ssl.mode, profile.query) == (mode, query)


@pytest.mark.parametrize(
    ("table", "said"),
    [
        (
            'query = { sslmode = "require" }\nssl.mode = "verify-full"',
            "query: ssl.mode is said twice, and not the same",
        ),
        (f'query = {{ password = "{CANARY}" }}', "query: password is no option; name its source"),
    ],
)
def test_an_option_in_the_table_that_contradicts_is_refused(table: str, said: str, profile_file: ProfileFile) -> None:
    message = profile_file.error(f'driver = "postgresql"\nhost = "h"\n{table}')
    assert said in message
    assert CANARY not in message
