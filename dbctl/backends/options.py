"""Options that a driver may be told in a URL's query: which there are, what they may be, and which driver gets them.

What is in no table is refused before anything is connected: a driver would fail on it with an error of Python's own,
or take it for something else than was meant.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar

from dbctl.profiles.query import as_list, is_yes
from dbctl.records import record

if TYPE_CHECKING:
    from dbctl.profiles import Profile


@record
class Option:
    """One option of a database's drivers.

    Attributes:
        read: Returns the value that a text stands for, or raises ValueError.
        allowed: What may be said, for the message; it may follow "allowed is".
        sync: Whether the sync driver is given it.
        asynchronous: Whether the async driver is given it as it is.
        overridden: Why neither driver is given it, whatever it says; "" where one is.
        several: Whether it may be there several times.
    """

    read: Callable[[str], Any] = str
    allowed: str = "a text"
    sync: bool = True
    asynchronous: bool = True
    overridden: str = ""
    several: bool = False

    def for_sync(self) -> Option:
        """Return the same for the sync driver alone."""
        return replace(self, asynchronous=False)

    def for_async(self) -> Option:
        """Return the same for the async driver alone."""
        return replace(self, sync=False)

    def but(self, overridden: str) -> Option:
        """Return the same where neither driver is given it."""
        return replace(self, sync=False, asynchronous=False, overridden=overridden)


def _whole(text: str) -> int:
    if not (text.isascii() and text.isdecimal()):
        raise ValueError
    return int(text)


def _flag(text: str) -> bool:
    if (found := is_yes(text)) is None:
        raise ValueError
    return found


TEXT = Option()
WHOLE = Option(_whole, "a whole number")
FLAG = Option(_flag, "true or false")


def one_of(*words: str) -> Option:
    """Return an option that is one of these words."""

    def read(text: str) -> str:
        if text not in words:
            raise ValueError
        return text

    return Option(read, " or ".join(filter(None, (", ".join(words[:-1]), words[-1]))))


class DriverOptions:
    """The part of a backend that knows its drivers, and what each may be told."""

    title: ClassVar[str]
    sync_driver: ClassVar[str]
    async_driver: ClassVar[str]
    """The `dialect+driver`s that SQLAlchemy is given, whatever name the profile used."""
    other_drivers: ClassVar[Collection[str]] = ()
    """The names of other drivers of the same database, with which a service's URL chooses it too."""
    options: ClassVar[Mapping[str, Option]] = {}
    """What a URL's query, or a profile's `query`, may tell the drivers."""
    profile: Profile

    def problems(self) -> Iterator[str]:
        """Yield a line for each thing in the profile that this database's drivers can't do."""
        yield from problems(self.profile, self.options, self.title)

    def remarks(self) -> Iterator[tuple[str, str]]:
        """Yield what of the profile is taken in another way than it says, by its dotted key, and why."""
        if self.profile.driver in self.other_drivers:
            ours = [name.partition("+")[2] for name in (self.sync_driver, self.async_driver)]
            yield "driver", f"chooses {self.title}: dbctl connects by {ours[0]}, and where it is async by {ours[1]}"
        for key in self.profile.query:
            if why := self.options[key].overridden:
                yield f"query.{key}", f"is not taken over: {why}"

    def told(self, *, asynchronous: bool = False) -> dict[str, Any]:
        """Return those of the profile's options that the driver is given under the same name."""
        return values_of(self.profile, self.options, asynchronous=asynchronous)

    def asks_to_roll_back(self, driver_connection: Any) -> bool:
        """Tell whether the sync driver's ROLLBACK would ask the server."""
        return True

    def url_query(self) -> Mapping[str, str]:
        """Return what the URL's query has to hold: what SQLAlchemy reads itself, and no driver is told."""
        return {}


def values_of(profile: Profile, options: Mapping[str, Option], *, asynchronous: bool) -> dict[str, Any]:
    """Return what one of the drivers is given of a profile's options.

    Args:
        profile: The profile, in whose options there are no `problems`.
        options: The database's options.
        asynchronous: Whether the async driver is meant.
    """
    given = {}
    for key, text in profile.query.items():
        option = options[key]
        if option.asynchronous if asynchronous else option.sync:
            given[key] = option.read(as_list(text)[-1])
    return given


def problems(profile: Profile, options: Mapping[str, Option], title: str) -> Iterator[str]:
    """Yield a line for each of a profile's options that can't be: the drivers have none such, or it says what none may.

    No line has a value in it.

    Args:
        profile: The profile.
        options: The database's options.
        title: The database's name.
    """
    where = profile.origins.get("query", profile.called)
    for key, said in profile.query.items():
        option = options.get(key)
        if option is None:
            yield f"{where}: query.{key}: {title}'s drivers have no such option; {_remedy(key, options)}"
            continue
        texts = as_list(said)
        if len(texts) > 1 and not option.several and len(set(texts)) > 1:
            yield f"{where}: query.{key}: it is there several times; say it once"
            continue
        try:
            option.read(texts[-1])
        except ValueError as error:
            yield f"{where}: query.{key}: allowed is {error if str(error) else option.allowed}"


_MODE = "the profile's own key is ssl.mode, in a URL sslmode=verify-full"
_LEFT_OUT = "leave it out: it is always so"
_SCHEMA = "in a URL options=-csearch_path%3DNAME says it on PostgreSQL"
# What other programs call it, in lower case and without - and _, and what a profile calls it.
_ELSEWHERE: Mapping[str, str] = {
    **dict.fromkeys(("usessl", "requiressl", "sslaccept", "tls", "sslmode", "verifyservercertificate"), _MODE),
    **dict.fromkeys(("encrypt", "trustservercertificate", "sslverify", "sslca", "sslcapath", "sslidentity"), _MODE),
    **dict.fromkeys(("characterencoding", "useunicode", "encoding", "charset"), _LEFT_OUT),
    **dict.fromkeys(("schema", "currentschema", "searchpath"), _SCHEMA),
    "pgbouncer": "for the async driver prepared_statement_cache_size=0 says it, the sync one needs nothing",
    "preparethreshold": "for the async driver prepared_statement_cache_size=0 says it, the sync one needs nothing",
    "socket": "it is unix_socket, or host=/DIRECTORY on PostgreSQL",
    "unixsock": "it is host=/DIRECTORY on PostgreSQL, or unix_socket",
}
_KEYS: Mapping[str, str] = {
    **dict.fromkeys(("connectionlimit", "poolsize", "poolmaxsize", "maxpoolsize", "maximumpoolsize"), "pool.size"),
    **dict.fromkeys(("maxconnections", "maxsize"), "pool.size"),
    "maxoverflow": "pool.max_overflow",
    **dict.fromkeys(("pooltimeout", "connectiontimeout", "acquiretimeout"), "pool.timeout"),
    **dict.fromkeys(("poolrecycle", "maxidletime", "maxlifetime"), "pool.recycle"),
    "poolpreping": "pool.pre_ping",
    **dict.fromkeys(("connecttimeout", "logintimeout"), "connect_timeout"),
    **dict.fromkeys(("sockettimeout", "statementtimeout", "commandtimeout", "querytimeout"), "statement_timeout"),
    **dict.fromkeys(("locktimeout", "busytimeout", "innodblockwaittimeout"), "lock_timeout"),
    **dict.fromkeys(("isolation", "isolationlevel", "transactionisolation"), "isolation"),
    **dict.fromkeys(("applicationname", "programname"), "application_name"),
    **dict.fromkeys(("echo", "logqueries"), "echo"),
    **dict.fromkeys(("username", "user"), "user"),
    **dict.fromkeys(("database", "dbname", "databasename", "db"), "database"),
    **dict.fromkeys(("password", "passwd"), "password_env"),
}


def _remedy(key: str, options: Mapping[str, Option]) -> str:
    from difflib import get_close_matches

    plain = key.lower().replace("-", "").replace("_", "")
    if own := _KEYS.get(plain):
        return f"the profile's own key is {own}"
    if plain in _ELSEWHERE:
        return _ELSEWHERE[plain]
    if close := get_close_matches(key, list(options), n=1, cutoff=0.75):
        return f'did you mean "{close[0]}"?'
    return "leave it out"
