"""A value that is not allowed gets one line: where it stands, what it is (never a secret), what may stand there."""

import pytest

from tests.profiles.loading import CANARY, ProfileFile

PLACE = 'driver = "postgresql"\nhost = "h"\n'

NUMBER = "a whole number"
BOOLEAN = "true or false"

# A line of the profile, its key, how its value is shown, and words of what is allowed.
BAD_VALUES = [
    ("pool.size = -1", "pool.size", "-1", NUMBER),
    ("pool.size = 1.5", "pool.size", "1.5", NUMBER),
    ('pool.size = "many"', "pool.size", '"many"', NUMBER),
    ("pool.size = true", "pool.size", "true", NUMBER),
    ("pool.size = [5]", "pool.size", "[5]", NUMBER),
    ("pool.max_overflow = -2", "pool.max_overflow", "-2", NUMBER),
    ("pool.max_overflow = false", "pool.max_overflow", "false", NUMBER),
    ('pool.recycle = "1h"', "pool.recycle", '"1h"', "a whole number of seconds"),
    ("pool.recycle = -2", "pool.recycle", "-2", "a whole number of seconds"),
    ("pool.timeout = -0.1", "pool.timeout", "-0.1", "a number of seconds"),
    ("pool.timeout = true", "pool.timeout", "true", "a number of seconds"),
    ('pool.timeout = "30s"', "pool.timeout", '"30s"', "a number of seconds"),
    ("pool.pre_ping = 2", "pool.pre_ping", "2", BOOLEAN),
    ('pool.pre_ping = "sometimes"', "pool.pre_ping", '"sometimes"', BOOLEAN),
    ("connect_timeout = 0", "connect_timeout", "0", "a number of seconds above 0"),
    ("connect_timeout = -1", "connect_timeout", "-1", "a number of seconds above 0"),
    ("connect_timeout = true", "connect_timeout", "true", "a number of seconds above 0"),
    ("connect_timeout = 10:00:00", "connect_timeout", '"10:00:00"', "a number of seconds above 0"),
    ("statement_timeout = 0", "statement_timeout", "0", "a number of seconds above 0"),
    ('statement_timeout = "5s"', "statement_timeout", '"5s"', "a number of seconds above 0"),
    ("workers = 0", "workers", "0", "1 or more"),
    ("workers = true", "workers", "true", "1 or more"),
    ("port = 0", "port", "0", "1 to 65535"),
    ("port = 65536", "port", "65536", "1 to 65535"),
    ('port = "https"', "port", '"https"', "1 to 65535"),
    ("port = true", "port", "true", "1 to 65535"),
    ('echo = "loud"', "echo", '"loud"', BOOLEAN),
    ("protected = 3", "protected", "3", BOOLEAN),
    ('environment = "staging"', "environment", '"staging"', "production, testing or development"),
    ("environment = []", "environment", "[]", "production, testing or development"),
    ("environment = {}", "environment", "{}", "production, testing or development"),
    ("user = 5", "user", "5", "a user's name"),
    ("database = 5", "database", "5", "a database's name"),
    ("application_name = 5", "application_name", "5", "the name"),
    ("password_env = 5", "password_env", "5", "the name of an environment variable"),
    ("password_file = 5", "password_file", "5", "the path of a file"),
    ('models = "app.models"', "models", '"app.models"', "a list of module names"),
    ("models = [5]", "models", "[5]", "a list of module names"),
    ('ssl.mode = "on"', "ssl.mode", '"on"', "disable, prefer, require, verify-ca or verify-full"),
    ("ssl.mode = true", "ssl.mode", "true", "disable, prefer, require, verify-ca or verify-full"),
    ("ssl.ca = true", "ssl.ca", "true", "the path of a PEM file"),
    ("ssl.cert = 5", "ssl.cert", "5", "the path of a PEM file"),
    ("ssl.key = 5", "ssl.key", "5", "the path of a PEM file"),
    ("pool = 5", "pool", "5", "a table"),
    ("pool = [1, 2]", "pool", "[1, 2]", "a table"),
    ('ssl = "require"', "ssl", '"require"', "a table"),
    ("ssl = true", "ssl", "true", "a table"),
]


@pytest.mark.parametrize(("line", "key", "shown", "allowed"), BAD_VALUES, ids=[case[0] for case in BAD_VALUES])
def test_a_bad_value_is_told_in_one_line(
    line: str, key: str, shown: str, allowed: str, profile_file: ProfileFile
) -> None:
    message = profile_file.error(PLACE + line)
    assert message.startswith(f"{profile_file.path} [profiles.p]: {key} = {shown}: allowed is ")
    assert allowed in message
    assert "\n" not in message


@pytest.mark.parametrize("key", ["connect_timeout", "statement_timeout", "pool.timeout"])
@pytest.mark.parametrize("value", ["inf", "-inf", "nan"])
def test_seconds_are_finite(key: str, value: str, profile_file: ProfileFile) -> None:
    message = profile_file.error(f"{PLACE}{key} = {value}")
    assert message.startswith(f"{profile_file.path} [profiles.p]: {key} = ")
    assert "allowed is a number of seconds" in message
    assert "\n" not in message


@pytest.mark.parametrize("line", ["driver = 5", "driver = true"])
def test_a_driver_that_is_no_name_is_told_in_one_line(line: str, profile_file: ProfileFile) -> None:
    message = profile_file.error(line)
    assert message.startswith(f"{profile_file.path} [profiles.p]: {line}: allowed is a driver's name")
    assert "\n" not in message


@pytest.mark.parametrize("value", ["5", "true", '["sqlite://"]'])
def test_a_url_that_is_no_string_is_told_in_one_line(value: str, profile_file: ProfileFile) -> None:
    message = profile_file.error(f"url = {value}")
    assert message.startswith(f"{profile_file.path} [profiles.p]: url")
    assert "allowed is" in message
    assert "\n" not in message
    assert "unknown key" not in message


@pytest.mark.parametrize(
    ("line", "key", "meant"),
    [
        ('pasword_env = "X"', "pasword_env", "password_env"),
        ('ulr = "sqlite://"', "ulr", "url"),
        ('usr = "x"', "usr", "user"),
        ('hots = "x"', "hots", "hosts"),
        ("conect_timeout = 5", "conect_timeout", "connect_timeout"),
        ("pool_size.x = 5", "pool_size", "pool.size"),
        ("pool.max_overflo = 5", "pool.max_overflo", "max_overflow"),
        ("pool.prepping = true", "pool.prepping", "pre_ping"),
        ('ssl.modus = "x"', "ssl.modus", "mode"),
        ('ssl.cat = "x"', "ssl.cat", "ca"),
    ],
)
def test_the_nearest_key_is_suggested_for_an_unknown_one(
    line: str, key: str, meant: str, profile_file: ProfileFile
) -> None:
    message = profile_file.error(PLACE + line)
    assert message == f'{profile_file.path} [profiles.p]: {key}: unknown key; did you mean "{meant}"?'


def test_the_known_keys_are_listed_where_none_is_near(profile_file: ProfileFile) -> None:
    message = profile_file.error(PLACE + "ssl.xyzzy = 1")
    assert message == f"{profile_file.path} [profiles.p]: ssl.xyzzy: unknown key; known are mode, ca, cert, key"


def test_an_unknown_keys_value_is_not_shown(profile_file: ProfileFile) -> None:
    assert CANARY not in profile_file.error(PLACE + f'passwort = "{CANARY}"')


def test_a_profile_has_the_name_of_its_table_and_no_other(profile_file: ProfileFile) -> None:
    assert "name: unknown key" in profile_file.error(PLACE + 'name = "other"')


def test_each_bad_value_has_a_line_of_its_own(profile_file: ProfileFile) -> None:
    place = f"{profile_file.path} [profiles.p]"
    message = profile_file.error(PLACE + 'workers = 0\npool.size = -1\nssl.mode = "on"\npool.sise = 1')
    starts = sorted(line.partition(" = ")[0].partition(": unknown")[0] for line in message.splitlines())
    assert starts == [f"{place}: {key}" for key in ("pool.sise", "pool.size", "ssl.mode", "workers")]


def test_a_bad_value_is_told_where_it_stands(profile_file: ProfileFile) -> None:
    toml = "[defaults]\npool.size = -1\n[profiles.p]\n" + PLACE + "workers = 0\n"
    lines = profile_file.error(toml).splitlines()
    assert sorted(line.partition(" = ")[0] for line in lines) == [
        f"{profile_file.path} [defaults]: pool.size",
        f"{profile_file.path} [profiles.p]: workers",
    ]


def test_only_the_profile_that_is_taken_is_checked(profile_file: ProfileFile) -> None:
    toml = '[profiles.p]\nurl = "sqlite://"\n[profiles.q]\nurl = "sqlite://"\nworkers = 0\n'
    assert profile_file.profile(toml).driver == "sqlite"
    assert "[profiles.q]: workers = 0" in profile_file.error(toml, "q")


@pytest.mark.parametrize("body", ["", "workers = 2", 'host = "h"', 'user = "u"\ndatabase = "d"'])
def test_a_profile_without_a_place_says_what_to_write(body: str, profile_file: ProfileFile) -> None:
    message = profile_file.error(body)
    assert "profile p: there is no url; set DATABASE_URL, or url (or driver, host, …) in [profiles.p]" in message
    assert "\n" not in message


@pytest.mark.parametrize("value", [f'"{CANARY}"', "5", "true", f'["{CANARY}"]', f'{{ a = "{CANARY}" }}'])
@pytest.mark.parametrize("table", ["defaults", "profiles.p"])
def test_a_password_in_plain_sight_is_refused_and_its_sources_named(
    table: str, value: str, profile_file: ProfileFile
) -> None:
    toml = f'[profiles.p]\nurl = "sqlite://"\n[{table}]\npassword = {value}\n'
    if table == "profiles.p":
        toml = toml.replace("[profiles.p]\n", "", 1).replace('url = "sqlite://"\n', "")
    message = profile_file.error(toml)
    assert message.startswith(f"{profile_file.path} [{table}]: password: unknown key")
    assert "password_env or password_file" in message
    assert CANARY not in message


@pytest.mark.parametrize(
    "query",
    [
        f'"password={CANARY}"',
        f'{{ sslpassword = "{CANARY}", n = {{}} }}',
        f'["{CANARY}"]',
        f'{{ passwd = ["{CANARY}", 5] }}',
    ],
)
def test_a_bad_option_for_the_driver_is_told_without_its_neighbours_secrets(
    query: str, profile_file: ProfileFile
) -> None:
    message = profile_file.error(PLACE + f"query = {query}")
    assert message.startswith(f"{profile_file.path} [profiles.p]: query")
    assert CANARY not in message


@pytest.mark.parametrize("port", ["http", "0", "65536", "-1", "1.5", "٣"])
def test_a_bad_port_in_a_url_is_told(port: str, profile_file: ProfileFile) -> None:
    message = profile_file.error(f'url = "postgresql://h:{port}/d"')
    assert message.startswith(f"{profile_file.path} [profiles.p]: ")
    assert "port" in message
    assert "\n" not in message
