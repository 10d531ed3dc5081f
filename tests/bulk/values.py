"""Columns of each type of each database, and any value that they may have, as hypothesis draws it."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from hypothesis import strategies as st

from dbctl.bulk.forms import Form
from tests.harness.database import Kind

Values = st.SearchStrategy[Any]


@dataclass(frozen=True)
class Column:
    """A column.

    Attributes:
        type: its type.
        values: what it may have besides NULL, as the driver takes it.
        shown: SQL for a text of a value `{}`, which is another for each other value.
        beyond: what it may have too, and Parquet has no value for.
    """

    type: str
    values: Values
    shown: str = "{}"
    beyond: Values = field(default_factory=st.nothing)


# --- values that databases have in common -----------------------------------------------------------------------------

ODD = [
    *("", "\\N", "\\.", '"', '""', "'", "\n", "\r", "\r\n", "\\", "\t", ",", "NULL", "null", "\ufeff", "😀", "\u2028"),
    *(
        " ",
        "\x0b",
        "\x1f",
        "\x7f",
        "%s",
        "{",
        "\\n",
        "a\n\\.\nb",
        "a,b",
        '"\n',
        "true",
        "007",
        "NaN",
        "\\x00",
        "\ufffd",
    ),
    *("\ue000", "\U0010ffff", "\x85", "\0"),
]
"""Texts that mean something where they are written."""


def texts(*, longest: int = 12, nul: bool = False) -> Values:
    """Return texts of all characters, and those that are odd."""
    characters = st.characters(exclude_categories=["Cs"], exclude_characters="" if nul else "\0")
    fitting = [one for one in ODD if len(one) <= longest and (nul or one != "\0")]
    odd = st.lists(st.sampled_from(fitting), min_size=1, max_size=3).map("".join)
    return st.one_of(odd, st.text(characters, max_size=longest)).map(lambda value: value[:longest])


def whole(bits: int, *, signed: bool = True) -> Values:
    low, high = (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) if signed else (0, 2**bits - 1)
    return st.one_of(st.sampled_from([low, high, 0]), st.integers(low, high))


def decimals(digits: int, behind: int) -> Values:
    """Return the texts of numbers with so many digits."""
    most = 10**digits - 1
    numbers = st.one_of(st.sampled_from([0, most, -most, 1]), st.integers(-most, most))

    def text(number: int) -> str:
        figures = f"{abs(number):0{behind + 1}d}"
        return f"{'-' * (number < 0)}{figures[: len(figures) - behind]}.{figures[len(figures) - behind :]}"

    return numbers.map(text)


def days(first: int, last: int) -> Values:
    """Return the texts of days of some years."""
    years = st.one_of(st.sampled_from([first, last]), st.integers(first, last))
    return st.builds(lambda year, month, day: f"{year:04d}-{month:02d}-{day:02d}", years, st.integers(1, 12),
                     st.integers(1, 28))  # fmt: skip


TIMES = st.builds(
    lambda hour, minute, second, part: f"{hour:02d}:{minute:02d}:{second:02d}{part}", st.integers(0, 23),
    st.integers(0, 59), st.integers(0, 59), st.sampled_from(["", ".5", ".000001", ".999999"]),
)  # fmt: skip


def moments(first: int, last: int) -> Values:
    return st.builds(lambda day, time: f"{day} {time}", days(first, last), TIMES)


def documents(*, nul: bool = True) -> Values:
    """Return the texts of JSON documents, JSON's null among them."""
    numbers = st.one_of(st.integers(), st.floats(allow_nan=False, allow_infinity=False, width=32))
    leaves = st.one_of(st.none(), st.booleans(), numbers, texts(nul=nul))
    drawn = st.recursive(
        leaves,
        lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(texts(nul=nul), inner, max_size=3)),
        max_leaves=5,
    )
    written = st.sampled_from([{}, {"ensure_ascii": False}, {"indent": 1}, {"separators": (",", ":")}])
    return st.builds(lambda one, how: json.dumps(one, **how), drawn, written)


BYTES = st.one_of(st.binary(max_size=12), st.sampled_from([b"", b"\0", b"\\x00", b"\xff\xfe", b"\n"]))
UUIDS = st.uuids().map(str)


# --- PostgreSQL -------------------------------------------------------------------------------------------------------


_ENDLESS = st.sampled_from(["infinity", "-infinity"])


def _before_christ(values: Values) -> Values:
    return values.map(lambda value: f"{value} BC")


_INTERVALS = st.builds(
    lambda months, days_, time, sign: f"{months} mons {days_} days {sign}{time}", st.integers(-9000, 9000),
    st.integers(-40000, 40000), TIMES, st.sampled_from(["", "-"]),
)  # fmt: skip
_LATE = moments(10000, 200000)
_ZONES = st.sampled_from(["+00", "-12:30", "+05:45", "+15:59:59"])

_POSTGRESQL = [
    Column("smallint", whole(16)),
    Column("integer", whole(32)),
    Column("bigint", whole(64)),
    Column("numeric(38, 10)", decimals(38, 10), beyond=st.just("NaN")),
    Column("numeric", st.one_of(decimals(60, 30), st.sampled_from(["NaN", "Infinity", "-Infinity", "1e300", "0.000"]))),
    Column("real", st.floats(width=32).map(str)),
    Column("float8", st.floats().map(str)),
    Column("boolean", st.booleans()),
    Column("text", texts()),
    Column("varchar(5)", texts(longest=5)),
    Column("char(5)", texts(longest=5)),
    Column("bytea", BYTES),
    Column("bit(5)", st.text("01", min_size=5, max_size=5)),
    Column("bit varying", st.text("01", max_size=70)),
    Column("date", days(1, 9999), beyond=st.one_of(days(10000, 99999), _before_christ(days(1, 4000)), _ENDLESS)),
    Column("time", st.one_of(TIMES, st.just("24:00:00"))),
    Column("timetz", st.builds(str.__add__, TIMES, _ZONES)),
    Column("timestamp", moments(1, 9999), beyond=st.one_of(_before_christ(moments(1, 4000)), _ENDLESS, _LATE)),
    Column("timestamptz", st.builds(str.__add__, moments(2, 9998), _ZONES),
           beyond=st.one_of(_before_christ(st.builds(str.__add__, moments(1, 4000), _ZONES)), _ENDLESS, _LATE)),
    Column("interval", _INTERVALS),
    Column("json", documents()),
    Column("jsonb", documents(nul=False)),
    Column("int[]", st.lists(st.one_of(st.none(), whole(32)), max_size=3)),
    Column("text[]", st.lists(st.one_of(st.none(), texts()), max_size=3)),
    Column("uuid", UUIDS),
    Column("int4range", st.sampled_from(["empty", "[1,5)", "(,3)", "(,)"])),
    Column("inet", st.ip_addresses().map(str)),
    Column("money", st.sampled_from(["12.34", "-0.01"])),
]  # fmt: skip

# --- MySQL, MariaDB ---------------------------------------------------------------------------------------------------

_BYTES_OF = "hex({})"
_SPANS = st.builds(
    lambda sign, hours, time: f"{sign}{hours:02d}{time[2:]}", st.sampled_from(["", "-"]), st.integers(0, 837), TIMES
)
_MYSQL = [
    Column("tinyint", whole(8)),
    Column("tinyint(1)", st.sampled_from([0, 1, -5])),
    Column("mediumint unsigned", whole(24, signed=False)),
    Column("int", whole(32)),
    Column("bigint unsigned", whole(64, signed=False)),
    Column("decimal(65, 30)", decimals(65, 30)),
    Column("decimal(38, 10)", decimals(38, 10)),
    Column("float", st.floats(width=32, allow_nan=False, allow_infinity=False, allow_subnormal=False), "{} + 0e0"),
    Column("double", st.floats(allow_nan=False, allow_infinity=False, allow_subnormal=False)),
    Column("varchar(40)", texts(nul=True), _BYTES_OF),
    Column("char(5)", texts(longest=5, nul=True), _BYTES_OF),
    Column("longtext", texts(nul=True), _BYTES_OF),
    Column("varbinary(12)", BYTES, _BYTES_OF),
    Column("binary(12)", BYTES, _BYTES_OF),
    Column("longblob", BYTES, _BYTES_OF),
    Column("bit(5)", st.integers(0, 31), "{} + 0"),
    Column("bit(64)", whole(64, signed=False), "{} + 0"),
    Column("date", days(1, 9999), beyond=st.sampled_from(["0000-00-00", "2026-00-00", "0000-05-05"])),
    Column("time(6)", st.one_of(_SPANS, st.just("-838:59:59"))),
    Column("time", st.just("00:00:01")),
    Column("datetime(6)", moments(1, 9999), beyond=st.just("0000-00-00 00:00:00")),
    Column("timestamp(6) NULL", moments(1971, 2037), beyond=st.just("0000-00-00 00:00:00")),
    Column("year", st.one_of(st.integers(1901, 2155), st.just(0))),
    Column("enum('a', 'b,c', '')", st.sampled_from(["a", "b,c", ""])),
    Column("set('a', 'b')", st.sampled_from(["a", "a,b", ""])),
    Column("json", documents()),
]  # fmt: skip

# --- SQLite -----------------------------------------------------------------------------------------------------------

_SQLITE = [
    Column("INTEGER", whole(64)),
    Column("REAL", st.floats(allow_nan=False)),
    Column("BOOLEAN", st.sampled_from([0, 1])),
    Column("TEXT", texts(nul=True)),
    Column("VARCHAR(5)", texts(longest=5, nul=True)),
    Column("BLOB", BYTES),
    Column("JSON", documents()),
    Column("DATE", days(1, 9999)),
    Column("TIME", TIMES),
    Column("DATETIME", moments(1, 9999).map(lambda value: value.replace(".5", ".500000"))),
    Column("DECIMAL(15, 4)", decimals(15, 4)),
    Column("UUID", UUIDS),
]  # fmt: skip

COLUMNS: Mapping[Kind, Sequence[Column]] = {
    "postgresql": _POSTGRESQL,
    "mysql": _MYSQL,
    "mariadb": _MYSQL,
    "sqlite": [replace(one, shown="typeof({0}) || ' ' || quote({0})") for one in _SQLITE],
}


def drawn_rows(columns: Sequence[Column], form: Form) -> st.SearchStrategy[Sequence[Sequence[Any]]]:
    """Return some rows with values that a form of files has; each may be NULL."""

    def values(one: Column) -> Values:
        return st.one_of(one.values, st.nothing() if form.format == "parquet" else one.beyond, st.none())

    return st.lists(st.tuples(*map(values, columns)), min_size=1, max_size=4)


# --- columns that all databases have ----------------------------------------------------------------------------------

_FLOATS = st.floats(allow_nan=False, allow_infinity=False, allow_subnormal=False).map(lambda value: value + 0.0)
_DOCUMENT = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(-(2**53), 2**53), texts()),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(texts(), inner, max_size=3)),
    max_leaves=5,
).map(json.dumps)
_WORDS: Mapping[Kind, Sequence[str]] = {
    "postgresql": ("bigint", "float8", "boolean", "text", "bytea", "timestamp", "json"),
    "mysql": ("bigint", "double", "tinyint(1)", "longtext", "longblob", "datetime(6)", "json"),
    "mariadb": ("bigint", "double", "tinyint(1)", "longtext", "longblob", "datetime(6)", "json"),
    "sqlite": ("INTEGER", "REAL", "BOOLEAN", "TEXT", "BLOB", "DATETIME", "JSON"),
}


def common_columns(kind: Kind) -> Sequence[Column]:
    """Return columns of a database whose values all others have, as far as it has them."""
    number, float_, truth, text, bytes_, moment, document = _WORDS[kind]
    return [
        Column(number, whole(64)),
        Column(float_, _FLOATS),
        Column(truth, st.sampled_from([0, 1] if kind != "postgresql" else [False, True])),
        Column(text, texts()),
        Column("varchar(5)", texts(longest=5)),
        Column("decimal(15, 4)", decimals(15, 4)),
        Column("date", days(1, 9999)),
        Column(bytes_, BYTES),
        Column(moment, moments(1, 9999)),
        Column(document, _DOCUMENT),
    ]
