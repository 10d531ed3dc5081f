"""A profile is laid in layers, a higher one before a lower one, and each value knows which one it is from."""

from pathlib import Path

import pytest

from dbctl.profiles import password_of
from tests.profiles.loading import CANARY, ProfileFile

POSTGRES = 'url = "postgresql://user@host/db"\n'


def test_the_profile_goes_before_the_defaults_and_these_before_the_preset(profile_file: ProfileFile) -> None:
    toml = f"""
[defaults]
pool.size = 2
pool.timeout = 2
[profiles.p]
environment = "production"
{POSTGRES}
pool.size = 3
"""
    profile = profile_file.profile(toml)
    assert (profile.pool.size, profile.pool.timeout, profile.pool.recycle) == (3, 2.0, 3600)
    assert profile.origins["pool.size"] == f"{profile_file.path} [profiles.p]"
    assert profile.origins["pool.timeout"] == f"{profile_file.path} [defaults]"
    assert profile.origins["pool.recycle"] == "production preset"
    assert "application_name" not in profile.origins


def test_tables_are_merged_key_by_key(profile_file: ProfileFile) -> None:
    shared = '[defaults.ssl]\nmode = "verify-full"\nca = "/ca.pem"\n'
    toml = f'{shared}[profiles.p]\ndriver = "sqlite"\nssl.ca = "/other.pem"\n'
    profile = profile_file.profile(toml)
    assert (profile.ssl.mode, profile.ssl.ca) == ("verify-full", "/other.pem")


def test_models_at_the_top_of_the_file_are_every_profiles(profile_file: ProfileFile) -> None:
    toml = 'models = ["a"]\n[profiles.p]\nurl = "sqlite://"\n[profiles.q]\nurl = "sqlite://"\nmodels = ["b", "c"]\n'
    assert profile_file.profile(toml).models == ("a",)
    assert profile_file.profile(toml, "q").models == ("b", "c")
    assert profile_file.profile(toml).origins["models"] == str(profile_file.path)


@pytest.mark.parametrize("place", ['environment = "production"', 'environment = "${KIND}"'])
def test_a_profile_starts_from_the_preset_that_it_names(place: str, profile_file: ProfileFile) -> None:
    profile = profile_file.profile(f"{place}\n{POSTGRES}", KIND="production")
    assert (profile.environment, profile.pool.size, profile.ssl.mode) == ("production", 20, "require")


def test_profiles_start_from_the_preset_that_the_defaults_name(profile_file: ProfileFile) -> None:
    profile = profile_file.profile(f'[defaults]\nenvironment = "production"\n[profiles.p]\n{POSTGRES}')
    assert (profile.environment, profile.pool.size, profile.ssl.mode) == ("production", 20, "require")


@pytest.mark.parametrize("name", ["testing", "development"])
def test_a_built_in_profile_is_what_its_name_says_whatever_the_defaults_name(
    name: str, profile_file: ProfileFile
) -> None:
    toml = f'[defaults]\nenvironment = "production"\nworkers = 3\n[profiles.p]\n{POSTGRES}'
    profile = profile_file.profile(toml, name)
    assert (profile.environment, profile.driver, profile.workers) == (name, "sqlite", 3)


def test_a_profile_named_as_a_preset_starts_from_it(profile_file: ProfileFile) -> None:
    profile = profile_file.profile(f"[profiles.production]\n{POSTGRES}", "production")
    assert (profile.environment, profile.pool.size) == ("production", 20)


def test_a_profile_named_as_one_preset_may_name_another(profile_file: ProfileFile) -> None:
    profile = profile_file.profile(f'[profiles.production]\nenvironment = "development"\n{POSTGRES}', "production")
    assert (profile.environment, profile.pool.size, profile.ssl.mode) == ("development", 5, "prefer")


@pytest.mark.parametrize("lower", ["host", "user", "database", "port", "driver"])
def test_a_url_replaces_every_part_of_a_lower_layers_place(lower: str, profile_file: ProfileFile) -> None:
    value = "1234" if lower == "port" else '"mysql"'
    profile = profile_file.profile(f'[defaults]\n{lower} = {value}\n[profiles.p]\nurl = "postgresql:///?host=/run"\n')
    assert (profile.driver, profile.host, profile.port, profile.user, profile.database) == (
        "postgresql", None, None, None, None,
    )  # fmt: skip
    assert lower == "driver" or lower not in profile.origins


def test_a_url_replaces_a_lower_layers_url_with_its_password_and_query(profile_file: ProfileFile) -> None:
    lower = f'url = "postgresql://user:{CANARY}@host:1/db?options=x"'
    profile = profile_file.profile(f'[defaults]\n{lower}\n[profiles.p]\nurl = "postgresql://other"\n')
    assert profile.shown_url == "postgresql://other"
    assert password_of(profile) is None


def test_an_asked_for_url_replaces_the_defaults_place(profile_file: ProfileFile) -> None:
    toml = '[defaults]\nhost = "h"\nuser = "u"\nworkers = 3\n'
    profile = profile_file.load(toml, url="mysql://other/db").select()
    assert (profile.shown_url, profile.workers) == ("mysql://other/db", 3)
    assert profile.origins["host"] == "--url"


def test_what_a_place_in_parts_does_not_say_is_the_defaults_own(profile_file: ProfileFile) -> None:
    parts = '[profiles.p]\ndriver = "mysql"\nhosts = ["a", "b"]\nenvironment = "development"\n'
    profile = profile_file.profile(f'[defaults]\nhost = "h"\nuser = "u"\ndatabase = "d"\n{parts}')
    assert (profile.shown_url, profile.host) == ("mysql://u@a,b/d", None)  # and not the preset's database
    another = profile_file.profile(f'[defaults]\nurl = "postgresql://v:x@h:1/e"\n{parts}')
    assert another.shown_url == "mysql://a,b"
    file = profile_file.profile('[defaults]\nuser = "u"\n[profiles.p]\ndriver = "sqlite"\ndatabase = "d.db"\n')
    assert file.user is None


def test_parts_as_keys_need_no_quoting(profile_file: ProfileFile) -> None:
    body = 'driver = "postgresql"\nhost = "h"\nport = 1\nuser = "a@b:c/d%41"\ndatabase = "e/f?g"\n'
    profile = profile_file.profile(body)
    assert (profile.host, profile.port, profile.user, profile.database) == ("h", 1, "a@b:c/d%41", "e/f?g")


@pytest.mark.parametrize("key", ["driver", "host", "user", "database", "port"])
@pytest.mark.parametrize("url", ["postgresql://", "postgresql://u@h:5/d"])
def test_a_url_and_a_part_of_one_contradict_each_other(key: str, url: str, profile_file: ProfileFile) -> None:
    message = profile_file.error(f'url = "{url}"\n{key} = {5 if key == "port" else chr(34) + "x" + chr(34)}\n')
    assert message.startswith(f"{profile_file.path} [profiles.p]: {key}: ")
    assert "\n" not in message


@pytest.mark.parametrize(
    ("query", "line"),
    [
        ("sslmode=require", 'ssl.mode = "verify-full"'),
        ("ssl_ca=/a.pem", 'ssl.ca = "/b.pem"'),
        ("connect_timeout=5", "connect_timeout = 6"),
        ("application_name=a", 'application_name = "b"'),
    ],
)
def test_a_urls_option_and_another_value_for_its_key_contradict_each_other(
    query: str, line: str, profile_file: ProfileFile
) -> None:
    message = profile_file.error(f'url = "postgresql://h/d?{query}"\n{line}')
    assert message.startswith(f"{profile_file.path} [profiles.p]: {line.split(maxsplit=1)[0]}: the url says it too")


@pytest.mark.parametrize(
    ("lines", "named"),
    [
        (['password_env = "A"', 'password_file = "b"'], ["password_env", "password_file"]),
        ([f'url = "postgresql://u:{CANARY}@h"', 'password_env = "A"'], ["the url's password", "password_env"]),
        ([f'url = "postgresql://h?password={CANARY}"', 'password_file = "b"'], ["the url's password", "password_file"]),
    ],
)
def test_one_table_has_one_source_of_the_password(
    lines: list[str], named: list[str], profile_file: ProfileFile
) -> None:
    message = profile_file.error("\n".join(lines))
    expected = f"{profile_file.path} [profiles.p]: two sources for the password: {' and '.join(named)}; keep one"
    assert message == expected


@pytest.mark.parametrize(
    "line", ['password_env = "A"', 'password_file = "/secret"', f'url = "postgresql://u:{CANARY}@h"']
)
def test_a_higher_layers_source_of_the_password_replaces_the_lower_ones(line: str, profile_file: ProfileFile) -> None:
    for lower in ('password_env = "LOWER"', 'password_file = "/lower"'):
        url = "" if line.startswith("url") else POSTGRES
        profile = profile_file.profile(f"[defaults]\n{lower}\n[profiles.p]\n{url}{line}\n")
        sources = (profile.password_env, profile.password_file, profile.password and CANARY)
        assert [source for source in sources if source] == [line.split('"')[1] if url else CANARY]


@pytest.mark.parametrize("key", ["ssl.ca", "ssl.cert", "ssl.key", "password_file"])
@pytest.mark.parametrize(
    ("written", "meant"),
    [("a.pem", "{directory}/a.pem"), ("../a.pem", "{directory}/../a.pem"), ("/etc/a.pem", "/etc/a.pem"),
     ("~/a.pem", "{home}/a.pem"), ("~nosuchuser/a.pem", "{directory}/~nosuchuser/a.pem"),
     ("${DIR}/a.pem", "{directory}/sub/a.pem")],
)  # fmt: skip
def test_relative_paths_start_at_the_files_directory(
    key: str, written: str, meant: str, profile_file: ProfileFile, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "me"))
    profile = profile_file.profile(f'driver = "sqlite"\n{key} = "{written}"', DIR="sub")
    table = profile.ssl if key.startswith("ssl.") else profile
    directory, home = profile_file.path.parent, tmp_path / "me"
    assert getattr(table, key.rpartition(".")[2]) == meant.format(directory=directory, home=home)


def test_relative_paths_in_a_files_url_start_at_the_files_directory(profile_file: ProfileFile) -> None:
    profile = profile_file.profile('url = "sqlite://?sslrootcert=ca.pem"')
    assert profile.ssl.ca == str(profile_file.path.parent / "ca.pem")


@pytest.mark.parametrize(
    ("line", "key"),
    [
        ('url = "postgresql://u:${MISSING}@h/d"', "url"),
        ('url = "${MISSING}"', "url"),
        ('driver = "postgresql"\nhost = "a.${MISSING}.b"', "host"),
        (f'{POSTGRES}application_name = "${{MISSING}}"', "application_name"),
        (f'{POSTGRES}ssl.ca = "${{MISSING}}/ca.pem"', "ssl.ca"),
        (f'{POSTGRES}models = ["a", "${{MISSING}}"]', "models"),
        (f'{POSTGRES}password_env = "${{MISSING}}"', "password_env"),
    ],
)
def test_a_missing_variable_is_named_with_its_key_and_file(line: str, key: str, profile_file: ProfileFile) -> None:
    message = profile_file.error(line, OTHER=CANARY)
    place = f"{profile_file.path} [profiles.p]: {key}: "
    assert message.startswith(f"{place}the environment variable MISSING is not set")
    assert CANARY not in message
    assert "\n" not in message


@pytest.mark.parametrize("default", [":-main", "-main", ":?say it", ":=x"])
@pytest.mark.parametrize("line", ['url = "postgresql://app@h/shop_{}"', 'driver = "postgresql"\nmodels = ["a", "{}"]'])
def test_a_variables_default_is_refused(line: str, default: str, profile_file: ProfileFile) -> None:
    message = profile_file.error(line.format(f"${{WORKER{default}}}"), WORKER="gw0")
    sign = default[:2] if default[0] == ":" else default[0]
    assert message.endswith(f"${{WORKER{sign}…}}: only ${{WORKER}} is filled in; set it, as in env_file")


def test_an_empty_variable_is_not_a_missing_one(profile_file: ProfileFile) -> None:
    assert profile_file.profile(f'{POSTGRES}application_name = "a${{EMPTY}}b"', EMPTY="").application_name == "ab"


@pytest.mark.parametrize(
    ("written", "meant"),
    [("$${X}", "${X}"), ("$${MISSING}", "${MISSING}"), ("a${X}b$${X}c", "axb${X}c"), ("$X", "$X"), ("$", "$"),
     ("${}", "${}"), ("${X}${X}", "xx"), ("{X}", "{X}"), ("${Y}", "${X}")],
)  # fmt: skip
def test_variables_are_filled_in_once_and_can_be_escaped(written: str, meant: str, profile_file: ProfileFile) -> None:
    profile = profile_file.profile(f'{POSTGRES}application_name = "{written}"', X="x", Y="${X}")
    assert profile.application_name == meant


def test_a_number_may_come_from_a_variable(profile_file: ProfileFile) -> None:
    body = 'driver = "postgresql"\nhost = "h"\nport = "${PORT}"\npool.size = "${SIZE}"\necho = "${ECHO}"\n'
    profile = profile_file.profile(body, PORT="5433", SIZE="7", ECHO="true")
    assert (profile.port, profile.pool.size, profile.echo) == (5433, 7, True)
    assert 'pool.size = "many"' in profile_file.error(body, PORT="5433", SIZE="many", ECHO="true")
