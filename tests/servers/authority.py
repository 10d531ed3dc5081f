"""A certificate authority for the tests, made on the spot.

Tests of TLS need more than a good certificate: they need the bad ones too, for only a refusal proves a check.
"""

import datetime
from dataclasses import dataclass
from pathlib import Path

import trustme


@dataclass(frozen=True)
class Certificate:
    """A certificate and its private key, as PEM files."""

    cert: Path
    key: Path


class Authority:
    """The files of one authority whose word counts, and of another whose word does not.

    Attributes:
        ca: the root certificate that a client is to trust.
        wrong_ca: the root certificate of an unrelated authority, which signed nothing that a server shows.
        server: a certificate for ``localhost`` and ``127.0.0.1``.
        elsewhere: a certificate by the right authority, for a host that no test server is.
        expired: a certificate for ``localhost`` and ``127.0.0.1`` whose time is over.
        ending: a certificate for ``localhost`` and ``127.0.0.1`` whose time is over in 20 days.
        client: a client's certificate, with the common name ``app``.
        wrong_client: a client's certificate with the same name, by the unrelated authority.
    """

    def __init__(self, directory: Path) -> None:
        """Write all files into ``directory``, which has to exist; keys are readable by the owner alone."""
        self._directory = directory
        right, wrong = trustme.CA(), trustme.CA()
        past = datetime.datetime(2001, 1, 1, tzinfo=datetime.UTC)

        self.ca = directory / "ca.pem"
        self.wrong_ca = directory / "wrong-ca.pem"
        right.cert_pem.write_to_path(self.ca)
        wrong.cert_pem.write_to_path(self.wrong_ca)

        here = ("localhost", "127.0.0.1")
        self.server = self._write("server", right.issue_cert(*here))
        self.elsewhere = self._write("elsewhere", right.issue_cert("database.example"))
        self.expired = self._write("expired", right.issue_cert(*here, not_after=past))
        soon = datetime.datetime.now(datetime.UTC) + datetime.timedelta(days=20)
        self.ending = self._write("ending", right.issue_cert(*here, not_after=soon))
        self.client = self._write("client", right.issue_cert("app@example.com", common_name="app"))
        self.wrong_client = self._write("wrong-client", wrong.issue_cert("app@example.com", common_name="app"))

    def _write(self, name: str, leaf: trustme.LeafCert) -> Certificate:
        """Write one certificate, with the chain below the root, and its key."""
        written = Certificate(cert=self._directory / f"{name}.pem", key=self._directory / f"{name}.key")
        written.cert.write_bytes(b"".join(blob.bytes() for blob in leaf.cert_chain_pems))
        # The mode belongs to the file from its first byte on: a chmod afterwards would come too late.
        written.key.touch(mode=0o600)
        written.key.write_bytes(leaf.private_key_pem.bytes())
        return written
