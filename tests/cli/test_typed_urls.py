"""A URL that was typed in another thing's place has a password, which no line repeats."""

import pytest

from tests.harness.cli import Dbctl

URL = "postgresql://app:hunter2@127.0.0.1:1/x?sslmode=require"
LINES = [
    f"ping -p {URL}",
    f"ping -p {URL} -p development --json",
    f"ping {URL}",
    f"migrate current -p {URL}",
    f"copy --all --from {URL} --to development",
    f"copy --all --from development --to {URL}",
    f"profiles show {URL}",
    f"profiles set {URL} workers=2",
    f"profiles default {URL}",
    f"profiles add {URL} --url sqlite:///x.db",
    f"profiles remove {URL}",
    f"profiles import {URL}",
    f"--config {URL} ping",
    f"help {URL}",
    f"{URL}",
    f"drift {URL}",
    f"run {URL}",
    f"exec {URL}",
    f"import {URL} hero",
    f"export hero {URL}",
    f"backup create {URL}",
    f"restore {URL}",
    f"create-database {URL}",
    f"query {URL}",
]


@pytest.mark.parametrize("line", LINES)
def test_its_password_is_not_shown(line: str, dbctl: Dbctl) -> None:
    result = dbctl(*line.split())
    assert result.code in {1, 2, 3, 4, 127}, result  # 127 is a shell's for a program that is not there
    assert result.err
    assert "hunter2" not in result.out + result.err


def test_a_name_says_how_a_url_is_given(dbctl: Dbctl) -> None:
    result = dbctl.with_env(DBCTL_PROFILE=URL.partition("?")[0])("ping")
    assert (result.code, result.out) == (3, "")
    assert result.err == (
        "dbctl: error: DBCTL_PROFILE: a database URL stands where a profile's name belongs; write a profile for it, or "
        "give it as a URL with --url, or in DBCTL_URL\n"
    )
