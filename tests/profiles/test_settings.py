"""Settings as they are typed: a URL, and dotted keys with values as in TOML."""

import tomllib
from pathlib import Path
from typing import Any

import pytest

from dbctl.errors import UsageError
from dbctl.profiles.editing import Append
from dbctl.profiles.settings import nested, settings_of
from dbctl.profiles.writing import ProfileFile
from tests.profiles.loading import CANARY


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("pool.size=7", 7),
        ("pool.timeout=2.5", 2.5),
        ("pool.pre_ping=false", False),
        ("pool.recycle=-1", -1),
        ("application_name=plain text", "plain text"),
        ('application_name="quoted"', "quoted"),
        ("application_name=5", "5"),
        ("application_name=true", "true"),
        ("application_name=1979-05-27", "1979-05-27"),
        ('application_name=a"b\\c', 'a"b\\c'),
        ("application_name=a\nb = 5", "a\nb = 5"),
        ("application_name=", ""),
        ("application_name=a=b", "a=b"),
        ("application_name=${NAME}", "${NAME}"),
        ("ssl.ca=5", "5"),
        ("port=5\nhost = 'h'", "5\nhost = 'h'"),
        ("port=${PORT}", "${PORT}"),
        ('models=["a", "b"]', ["a", "b"]),
        ("query.options=-c x=y", "-c x=y"),
        ("query.keepalives=1", "1"),
        ("url=postgresql://u@h/d?a=b", "postgresql://u@h/d?a=b"),
    ],
)
def test_values_are_what_they_are_in_toml(setting: str, value: Any) -> None:
    key = setting.partition("=")[0]
    assert settings_of([setting]) == {key: value}
    assert type(settings_of([setting])[key]) is type(value)


def test_a_url_needs_no_key() -> None:
    url = "postgresql+psycopg2://u@h/d?sslmode=require&a.b=c"
    assert settings_of(["workers=2", url]) == {"workers": 2, "url": url}


@pytest.mark.parametrize("words", [["nonsense"], ["=5"], ["a b=5"], ["pool.=5"], [".a=5"], ["a=1", "a=2"], [""]])
def test_what_is_no_setting_is_refused(words: list[str]) -> None:
    with pytest.raises(UsageError):
        settings_of(words)


@pytest.mark.parametrize(
    "word",
    [
        f"postgresql://u:{CANARY}@h/d", f"url=postgresql://u:{CANARY}@h/d", f"postgresql://h/d?password={CANARY}",
        f"postgresql://h/d?sslpassword={CANARY}", f"query.sslpassword={CANARY}", f"postgresql://u:${{X}}{CANARY}@h/d",
        f"postgresql://u:$${{{CANARY}}}@h/d", f"postgresql:/u:{CANARY}@h/d", f"u:{CANARY}@h",
    ],
)  # fmt: skip
def test_a_password_is_refused_and_not_repeated(word: str) -> None:
    with pytest.raises(UsageError) as caught:
        settings_of([word])
    assert CANARY not in str(caught.value)


@pytest.mark.parametrize("word", ["postgresql://u:${PASSWORD}@h/d", "url=${DATABASE_URL}", "password_env=SECRET"])
def test_where_a_password_is_from_is_none(word: str) -> None:
    assert settings_of([word])


def test_settings_stand_in_their_tables(tmp_path: Path) -> None:
    values = settings_of(["pool.size=5", "postgresql://h/d", "query.a=b", "workers=2", "pool.timeout=1"])
    table = nested(values)
    assert table == {
        "pool": {"size": 5, "timeout": 1}, "url": "postgresql://h/d", "query": {"a": "b"}, "workers": 2
    }  # fmt: skip
    text = ProfileFile(tmp_path / "p.toml", {}).change(lambda _: [Append(("profiles", "p"), table)], ["p"])
    assert tomllib.loads(text)["profiles"]["p"] == table
