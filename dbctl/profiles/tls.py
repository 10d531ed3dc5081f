"""What a profile may not ask of TLS: what the drivers would read each in its own way, or would not do at all."""

from collections.abc import Iterator
from pathlib import Path

from dbctl.profiles.files import exposed, unreadable
from dbctl.profiles.model import Profile

VERIFYING = ("verify-ca", "verify-full")
ENCRYPTING = ("require", *VERIFYING)
"""The modes that promise TLS."""


def tls_problems(profile: Profile) -> Iterator[str]:
    """Yield a line for each of the profile's TLS settings that is refused; none where there is no network between."""
    if not (profile.host or profile.hosts or "host" in profile.query):
        return
    ssl = profile.ssl
    files = {f"ssl.{key}": path for key in ("ca", "cert", "key") if (path := getattr(ssl, key))}
    for key, path in files.items():
        where = f"{profile.origins.get(key, profile.called)}: {key}"
        if ssl.mode not in ENCRYPTING:
            yield f'{where}: ssl.mode is "{ssl.mode}", under which no certificate counts; set it to "verify-full"'
        elif key == "ssl.ca" and ssl.mode == "require":
            yield f'{where}: ssl.mode is "require", which verifies nothing; set it to "verify-full" or "verify-ca"'
        elif key == "ssl.key" and not ssl.cert:
            yield f"{where}: there is no certificate to this key; name it with ssl.cert"
        elif reason := unreadable(Path(path)):
            yield f"{where}: can't read {path}: {reason}"
        # A certificate's file may hold its key too.
        elif (key == "ssl.key" or (key == "ssl.cert" and not ssl.key)) and (problem := exposed(Path(path))):
            yield f"{where}: {problem}"
