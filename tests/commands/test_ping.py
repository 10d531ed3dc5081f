"""`dbctl ping`."""

import pytest

from tests.harness.cli import Dbctl
from tests.harness.database import SERVER_KINDS
from tests.harness.forked import Forked
from tests.harness.sample import Sample
from tests.servers.authority import Authority

SERVERS = pytest.mark.parametrize("sample_database", SERVER_KINDS, indirect=True)


def rewrite(sample: Sample, old: str, new: str) -> None:
    """Change what the profile says."""
    file = sample.dbctl.cwd / "profiles.toml"
    text = file.read_text(encoding="utf-8")
    assert old in text
    file.write_text(text.replace(old, new), encoding="utf-8")


def test_who_answers_is_told_with_the_time_it_took(sample: Sample) -> None:
    answer = sample.dbctl.ok("ping", "--json").json
    kind = sample.database.kind
    assert list(answer) == [
        "profile", "server", "version", "user", "database", "host", "port", "role", "encrypted", "tls", "connect_ms",
        "round_trip_ms", "round_trips", "stages",
    ]  # fmt: skip
    server = sample.database.server
    assert [answer["host"], answer["port"], answer["role"]] == (
        [server.host, server.port, "primary"] if server else [None, None, None]
    )
    assert answer["profile"] == sample.database.profile
    assert (
        answer["server"]
        == {"sqlite": "SQLite", "postgresql": "PostgreSQL", "mariadb": "MariaDB", "mysql": "MySQL"}[kind]
    )
    assert answer["database"] == sample.database.name
    assert answer["user"] == {"sqlite": None, "postgresql": "app", "mysql": "app@%"}[sample.database.dialect]
    assert (answer["encrypted"], bool(answer["tls"])) == ((None, False) if kind == "sqlite" else (True, True))
    assert 0 < answer["connect_ms"] < 5000
    assert 0 < answer["round_trip_ms"] < 1000
    assert (answer["round_trips"], answer["stages"]) == (None, None)


def test_several_round_trips_have_a_spread(sample: Sample) -> None:
    answer = sample.dbctl.ok("ping", "--count", "20", "--json").json
    spread = answer["round_trips"]
    assert spread["count"] == 20
    ranks = [spread[f"{rank}_ms"] for rank in ("min", "median", "p95", "p99", "max")]
    assert ranks[0] > 0
    assert ranks == sorted(ranks)
    assert answer["round_trip_ms"] == spread["median_ms"]


def test_for_people_the_spread_has_names(sample: Sample) -> None:
    shown = sample.dbctl.ok("ping", "--count", "3", "--output", "table").out
    for name in ("connect ms", "round trips · min ms", "round trips · median ms", "round trips · p95 ms"):
        assert name in shown


def test_the_steps_before_the_driver_are_measured_when_asked_for(sample: Sample) -> None:
    stages = sample.dbctl.ok("ping", "--stages", "--json").json["stages"]
    if sample.database.kind == "sqlite":
        assert stages is None
    else:
        assert stages.pop("tunnel_ms") is None
        assert list(stages) == ["name_resolution_ms", "tcp_ms"]
        assert all(0 < milliseconds < 5000 for milliseconds in stages.values())


@pytest.mark.parametrize("count", ["0", "-1", "many"])
def test_a_count_that_is_none_is_a_usage_error(dbctl: Dbctl, count: str) -> None:
    result = Forked(cwd=dbctl.cwd, home=dbctl.home)("ping", "--count", count)
    assert (result.code, result.out) == (2, "")


@SERVERS
@pytest.mark.parametrize(
    ("old", "new", "stage"),
    [
        ('host = "localhost"', 'host = "nowhere.invalid"', "name resolution"),
        ("port = ", "port = 1 # ", "TCP"),
        ('ca = "', 'ca = "WRONG', "TLS"),
        ('user = "app"', 'user = "nobody"', "login"),
        ('database = "', 'database = "no', "database"),
    ],
    ids=["name resolution", "TCP", "TLS", "login", "database"],
)
def test_the_step_that_failed_is_named(sample: Sample, authority: Authority, old: str, new: str, stage: str) -> None:
    if stage == "TLS":
        old, new = str(authority.ca), str(authority.wrong_ca)
    rewrite(sample, old, new)
    result = sample.dbctl("ping")
    assert (result.code, result.out) == (4, ""), str(result)
    assert result.err.startswith(f"dbctl: error: profile {sample.database.profile}: {stage} failed: ")
    assert result.err.count("\n") == 1


@SERVERS
def test_a_wrong_password_is_a_failed_login_and_shown_nowhere(sample: Sample) -> None:
    result = sample.dbctl("ping", env=dict.fromkeys(sample.database.env, "wr0ng"))
    assert (result.code, result.out) == (4, "")
    assert ": login failed: " in result.err
    assert "wr0ng" not in result.err


@SERVERS
def test_a_password_that_is_not_set_is_a_configuration_error(sample: Sample) -> None:
    [variable] = sample.database.env
    result = Forked(cwd=sample.dbctl.cwd, home=sample.dbctl.home)("ping")
    assert (result.code, result.out) == (3, "")
    assert f"the environment variable {variable} is not set" in result.err


@SERVERS
def test_a_connection_that_is_not_encrypted_is_said_to_be_so(sample: Sample) -> None:
    rewrite(sample, 'mode = "verify-full"\nca =', 'mode = "disable"\n# ca =')
    answer = sample.dbctl.ok("ping", "--json").json
    assert (answer["encrypted"], answer["tls"]) == (False, None)
