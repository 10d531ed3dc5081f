"""TLS as a profile wants it, for the drivers that take a context of Python's own."""

from __future__ import annotations

import os
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from dbctl.errors import ConfigError
from dbctl.profiles import Profile
from dbctl.profiles.tls import VERIFYING

if TYPE_CHECKING:
    import ssl

    from sqlalchemy.engine import ExceptionContext

# Where systems keep the authorities that they trust: Debian, Red Hat, Alpine and macOS.
_CA_FILES = ("/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/cert.pem")


def ssl_context(profile: Profile) -> ssl.SSLContext:
    """Return the context that does what the profile's `ssl.mode` says.

    Raises:
        ConfigError: A certificate or a key can't be loaded.
    """
    import ssl

    settings, key = profile.ssl, "ca"
    try:
        context = ssl.create_default_context(cafile=settings.ca)
        # The certificates that MySQL makes for itself fail Python 3.13's strict profile.
        context.verify_flags &= ~ssl.VERIFY_X509_STRICT
        if settings.cert:
            key = "cert"
            secrets = (profile.query.get(key) for key in ("sslpassword", "ssl_key_password"))
            context.load_cert_chain(settings.cert, settings.key, next((str(s) for s in secrets if s), None))
    except OSError as error:  # ssl.SSLError is one too
        where = profile.origins.get(f"ssl.{key}") or profile.called
        files = [settings.ca] if key == "ca" else [settings.cert, settings.key]
        named = " with ".join(file for file in files if file) or "the system's authorities"
        raise ConfigError(f"{where}: ssl.{key}: can't load {named}: {error.strerror or error}") from error
    if settings.mode != "verify-full":
        context.check_hostname = False
    if settings.mode not in VERIFYING:
        context.verify_mode = ssl.CERT_NONE
    if profile.tunnel and profile.host:
        context = _looking_for(profile.host, context)
    return context


def forget_tls_errors(context: ExceptionContext) -> None:
    """Empty OpenSSL's queue of this thread's errors when a connection is lost, which a driver by Python's sockets had.

    Where the alert can't be sent either, OpenSSL (seen with 3.6) has two errors, of which Python takes one; the next
    read in this thread that has to wait, on whatever connection, is then said to have failed. A handshake empties it.
    """
    import ssl

    if context.is_disconnect:
        to_nobody = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        to_nobody.check_hostname = False
        with suppress(ssl.SSLWantReadError):
            to_nobody.wrap_bio(ssl.MemoryBIO(), ssl.MemoryBIO()).do_handshake()


def _looking_for(host: str, context: ssl.SSLContext) -> ssl.SSLContext:
    """Have a context look for the server's own name, though its connections are to the beginning of a tunnel."""
    import ssl

    class Context(ssl.SSLContext):
        """Takes no other name."""

        def wrap_socket(self, *args: Any, **kwargs: Any) -> ssl.SSLSocket:
            return super().wrap_socket(*args, **kwargs | {"server_hostname": host})

        def wrap_bio(self, *args: Any, **kwargs: Any) -> ssl.SSLObject:
            return super().wrap_bio(*args, **kwargs | {"server_hostname": host})

    context.__class__ = Context
    return context


def trusted_authority(profile: Profile) -> str | None:
    """Return the file of the authorities by which a server is verified; None where it is not.

    Raises:
        ConfigError: The profile names none, and neither does the system.
    """
    return profile.ssl.ca or (system_ca(profile) if profile.ssl.mode in VERIFYING else None)


def system_ca(profile: Profile) -> str:
    """Return the file of the authorities that the system trusts: the libpq in psycopg2's wheel knows of none.

    Raises:
        ConfigError: There is none.
    """
    import ssl

    places = (os.environ.get("SSL_CERT_FILE"), ssl.get_default_verify_paths().cafile, *_CA_FILES)
    for place in places:
        if place and os.path.isfile(place):
            return place
    raise ConfigError(
        f"{profile.called}: ssl.mode: this system has no file of trusted authorities",
        "name the one that signed the server's certificate with ssl.ca",
    )
