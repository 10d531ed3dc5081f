"""What a URL may tell SQLite: sqlite3's keywords, and what SQLite itself reads in a URI.

https://docs.sqlalchemy.org/en/20/dialects/sqlite.html#uri-connections and https://www.sqlite.org/uri.html
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from dbctl.backends.options import FLAG, TEXT, WHOLE, Option, one_of
from dbctl.profiles import Profile
from dbctl.profiles.query import as_list, is_yes

URI: Mapping[str, Option] = {
    "mode": one_of("ro", "rw", "rwc", "memory").but(""),
    "cache": one_of("shared", "private").but(""),
    "immutable": FLAG.but(""),
    "nolock": FLAG.but(""),
    "psow": FLAG.but(""),
    "vfs": TEXT.but(""),
}
"""SQLite's own, which count where `uri=true` is there too."""

_THREADS = "connections are handed from thread to thread by the pool"

OPTIONS: Mapping[str, Option] = {
    **URI,
    "uri": FLAG,
    "detect_types": WHOLE,
    "cached_statements": WHOLE,
    "check_same_thread": FLAG.but(_THREADS),
    "isolation_level": TEXT.but("a run is one transaction, which dbctl begins itself"),
    "autocommit": TEXT.but("a run is one transaction, which dbctl begins itself"),
}


def uri_problems(profile: Profile) -> Iterator[str]:
    """Yield a line where options for SQLite itself would be left unread, or become a part of the file's name."""
    where = profile.origins.get("query", profile.called)
    is_uri = is_yes(as_list(profile.query.get("uri", "no"))[-1])
    form = "write sqlite:///file:PATH?mode=ro&uri=true"
    if is_uri and not (profile.database or "").startswith("file:"):
        yield f"{where}: query.uri: the path does not begin with file:; {form}"
    elif not is_uri and (unread := [key for key in profile.query if key in URI]):
        yield f"{where}: query.{unread[0]}: SQLite reads it in a URI alone; {form}"
