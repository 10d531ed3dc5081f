"""What a service starts from in production, in its tests, and on its developer's machine."""

import threading

import pytest
from sqlalchemy.pool import StaticPool

import dbctl
from dbctl.errors import ConfigError
from dbctl.profiles import Profile, Profiles
from dbctl.profiles.layers import Layer
from tests.profiles.loading import CANARY, ProfileFile

URL = f"postgresql://user:{CANARY}@host/db"


def selected(**environ: str) -> Profile:
    return Profiles.load(environ=environ | {"XDG_CONFIG_HOME": "/nowhere"}).select()


def test_production_has_the_values_that_a_service_under_load_needs() -> None:
    profile = selected(ENVIRONMENT="production", DATABASE_URL=URL)
    assert profile.pool.model_dump() == {
        "size": 20,
        "max_overflow": 10,
        "pre_ping": True,
        "recycle": 3600,
        "timeout": 30.0,
    }
    assert (profile.connect_timeout, profile.ssl.mode, profile.echo) == (10.0, "require", False)
    assert profile.protected
    assert (profile.name, profile.environment, profile.host) == ("production", "production", "host")
    assert (profile.origins["pool.size"], profile.origins["host"]) == ("production preset", "DATABASE_URL")


@pytest.mark.parametrize("name", [None, "production"])
def test_production_needs_a_url(name: str | None) -> None:
    profiles = Profiles.load(name=name, environ={"ENVIRONMENT": "production", "XDG_CONFIG_HOME": "/nowhere"})
    with pytest.raises(ConfigError, match=r"\Aprofile production: production needs a URL; set DATABASE_URL[^\n]+\Z"):
        profiles.select()


def test_a_profile_for_production_needs_a_url(profile_file: ProfileFile) -> None:
    assert "profile p: production needs a URL" in profile_file.error('environment = "production"')


@pytest.mark.parametrize("mode", ["disable", "prefer", "verify-full"])
def test_production_takes_another_tls_mode_when_the_url_says_so(mode: str) -> None:
    assert selected(ENVIRONMENT="production", DATABASE_URL=f"{URL}?sslmode={mode}").ssl.mode == mode


def test_the_files_own_production_is_under_database_url(profile_file: ProfileFile) -> None:
    toml = '[profiles.production]\nurl = "postgresql://other"\npool.size = 3\nssl.mode = "verify-full"\n'
    profile = profile_file.load(toml, {"ENVIRONMENT": "production", "DATABASE_URL": URL}).select()
    assert (profile.host, profile.pool.size, profile.pool.recycle, profile.ssl.mode) == ("host", 3, 3600, "verify-full")


@pytest.mark.parametrize("name", ["production", "p"])
def test_echo_is_refused_in_production(name: str, profile_file: ProfileFile) -> None:
    toml = f'[profiles.{name}]\nenvironment = "production"\nurl = "{URL}"\n'
    quiet = profile_file.load(toml)
    assert not quiet.select(name).echo
    loud = [
        (profile_file.load(toml + "echo = true\n"), f"{profile_file.path} [profiles.{name}]"),
        (profile_file.load("[defaults]\necho = true\n" + toml), f"{profile_file.path} [defaults]"),
        (profile_file.load(toml, echo=True), "--echo"),
    ]
    for profiles, origin in loud:
        with pytest.raises(ConfigError) as caught:
            profiles.select(name)
        assert str(caught.value).startswith(f"{origin}: echo is refused in production")


def test_echo_is_refused_in_production_by_database_url() -> None:
    environ = {"ENVIRONMENT": "production", "DATABASE_URL": URL, "XDG_CONFIG_HOME": "/nowhere"}
    with pytest.raises(ConfigError, match="--echo: echo is refused in production"):
        Profiles.load(options=[Layer({"echo": True}, "--echo")], environ=environ).select()


@pytest.mark.parametrize("environ", [{}, {"DATABASE_URL": URL}, {"DATABASE_URL": "not a url"}])
def test_tests_run_in_memory_whatever_database_url_says(environ: dict[str, str]) -> None:
    profile = selected(ENVIRONMENT="testing", **environ)
    assert (profile.name, profile.shown_url, profile.in_memory) == ("testing", "sqlite://", True)


def test_tests_have_one_connection_that_all_threads_share() -> None:
    engine = dbctl.build_engine(selected(ENVIRONMENT="testing"))
    assert isinstance(engine.pool, StaticPool)
    with engine.begin() as connection:
        connection.exec_driver_sql("CREATE TABLE t (x INTEGER)")
    failures: list[BaseException] = []

    def insert() -> None:
        try:
            with engine.begin() as connection:
                connection.exec_driver_sql("INSERT INTO t VALUES (1)")
        except BaseException as error:
            failures.append(error)

    thread = threading.Thread(target=insert)
    thread.start()
    thread.join()
    with engine.connect() as connection:
        assert (connection.exec_driver_sql("SELECT count(*) FROM t").scalar(), failures) == (1, [])
    engine.dispose()


@pytest.mark.parametrize("environ", [{}, {"ENVIRONMENT": "development"}])
def test_development_is_a_file_unless_database_url_says_otherwise(environ: dict[str, str]) -> None:
    embedded = selected(**environ)
    assert (embedded.name, embedded.shown_url, embedded.echo) == ("development", "sqlite:///dev.db", False)
    assert embedded.origins["database"] == "development preset"
    served = selected(DATABASE_URL=URL, **environ)
    assert (served.name, served.host, served.database) == ("development", "host", "db")
    assert served.origins["database"] == "DATABASE_URL"


@pytest.mark.parametrize("source", ["option", "file"])
def test_development_echoes_when_asked(source: str, profile_file: ProfileFile) -> None:
    toml = "[profiles.development]\necho = true\n" if source == "file" else ""
    profile = profile_file.load(toml, echo=True if source == "option" else None).select()
    assert (profile.name, profile.echo) == ("development", True)
    assert profile.origins["echo"] == (
        "--echo" if source == "option" else f"{profile_file.path} [profiles.development]"
    )


@pytest.mark.parametrize("named", ["local", "staging", "prod", "test", "dev", "qa-2", "ci", "preproduction"])
def test_a_services_own_environment_names_no_preset(named: str) -> None:
    served = selected(ENVIRONMENT=named, DATABASE_URL=URL)
    assert (served.name, served.host, served.origins["host"]) == ("development", "host", "DATABASE_URL")
    assert selected(ENVIRONMENT=named).shown_url == "sqlite:///dev.db"


@pytest.mark.parametrize("named", ["Production", "PRODUCTION", " production"])
def test_a_presets_name_may_be_written_in_capitals(named: str) -> None:
    assert selected(ENVIRONMENT=named, DATABASE_URL=URL).environment == "production"


@pytest.mark.parametrize("named", ["prodution", "productoin", "developement", "testng"])
def test_a_presets_name_that_is_misspelt_is_refused(named: str) -> None:
    with pytest.raises(ConfigError, match=rf"\AENVIRONMENT={named}: no preset has this name; did you mean \w+\?\Z"):
        selected(ENVIRONMENT=named, DATABASE_URL=URL)


def test_an_unknown_environment_does_not_matter_where_a_profile_is_named(profile_file: ProfileFile) -> None:
    profiles = profile_file.load('[profiles.p]\nurl = "sqlite://"\n', {"ENVIRONMENT": "staging"}, name="p")
    assert profiles.select().name == "p"
