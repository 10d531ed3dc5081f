"""What MySQL and MariaDB store of a password, computed here, so that the password itself is never sent.

MariaDB's mysql_native_password is SHA-1 of SHA-1. MySQL's caching_sha2_password stores `$A$`, the rounds in thousands
as three hexadecimal digits, `$`, a salt of 20 characters and the 43 of crypt's SHA-256:
https://dev.mysql.com/doc/refman/8.4/en/caching-sha2-pluggable-authentication.html and
https://www.akkadia.org/drepper/SHA-crypt.txt
"""

import hashlib
import secrets
import string

_ROUNDS = 5000
_SALT = 20
"""Characters; crypt itself would look at 16 of them."""

_LETTERS = "./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
"""What six bits are written as."""

_ORDER = (
    *((0, 10, 20), (21, 1, 11), (12, 22, 2), (3, 13, 23), (24, 4, 14)),
    *((15, 25, 5), (6, 16, 26), (27, 7, 17), (18, 28, 8), (9, 19, 29)),
)
"""Which bytes of the digest make each group of four letters."""


def native(password: str) -> str:
    """Return what mysql_native_password stores."""
    return "*" + hashlib.sha1(hashlib.sha1(password.encode()).digest()).hexdigest().upper()


def caching_sha2(password: str) -> str:
    """Return what caching_sha2_password stores, with a new salt."""
    salt = "".join(secrets.choice(string.ascii_letters + string.digits) for _ in range(_SALT))
    return f"$A${_ROUNDS // 1000:03X}${salt}{_crypted(password.encode(), salt.encode())}"


def _crypted(password: bytes, salt: bytes) -> str:
    """Return what crypt's SHA-256 makes of a password, without its salt."""
    other = hashlib.sha256(password + salt + password).digest()
    first = password + salt + _filled(other, len(password))
    length = len(password)
    while length:
        first += other if length & 1 else password
        length >>= 1
    digest = hashlib.sha256(first).digest()
    by_password = _filled(hashlib.sha256(password * len(password)).digest(), len(password))
    by_salt = _filled(hashlib.sha256(salt * (16 + digest[0])).digest(), len(salt))
    for number in range(_ROUNDS):
        block = by_password if number & 1 else digest
        block += by_salt if number % 3 else b""
        block += by_password if number % 7 else b""
        digest = hashlib.sha256(block + (digest if number & 1 else by_password)).digest()
    groups = [(digest[a] << 16 | digest[b] << 8 | digest[c], 4) for a, b, c in _ORDER]
    groups.append((digest[31] << 8 | digest[30], 3))
    return "".join(_LETTERS[value >> 6 * place & 63] for value, places in groups for place in range(places))


def _filled(digest: bytes, length: int) -> bytes:
    """Return a digest again and again, to a length in bytes."""
    return (digest * (length // len(digest) + 1))[:length]
