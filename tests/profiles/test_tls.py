"""What drivers would read each in its own way, or pass over, is refused when the profile is loaded."""

from pathlib import Path

import pytest

from dbctl.profiles import Profiles
from tests.harness.files import private
from tests.profiles.loading import ProfileFile

PLACES = ['url = "postgresql://u@h/d"\n', 'url = "mysql://u@h/d"\n', 'driver = "mariadb"\nhost = "h"\n']


@pytest.fixture(autouse=True)
def files(profile_file: ProfileFile) -> Path:
    """Certificates beside the profile file: to load them is the drivers' business."""
    directory = profile_file.path.parent
    for name in ("ca.pem", "client.pem", "client.key", "secret.key"):
        (directory / name).touch(0o600)
    (directory / "ca.pem").chmod(0o644)
    (directory / "client.pem").chmod(0o644)
    return directory


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize(
    ("lines", "key", "said"),
    [
        ('ssl.ca = "ca.pem"', "ssl.ca", 'ssl.mode is "prefer", under which no certificate counts'),
        ('ssl.mode = "disable"\nssl.ca = "ca.pem"', "ssl.ca", 'ssl.mode is "disable"'),
        ('ssl.mode = "prefer"\nssl.cert = "secret.key"', "ssl.cert", 'ssl.mode is "prefer"'),
        ('ssl.mode = "require"\nssl.ca = "ca.pem"', "ssl.ca", 'set it to "verify-full" or "verify-ca"'),
        ('ssl.mode = "verify-full"\nssl.ca = "nowhere.pem"', "ssl.ca", "nowhere.pem: No such file or directory"),
        ('ssl.mode = "verify-full"\nssl.ca = "."', "ssl.ca", "Is a directory"),
        ('ssl.mode = "verify-full"\nssl.ca = "a\\u0000b"', "ssl.ca", "null"),
        ('ssl.mode = "require"\nssl.key = "secret.key"', "ssl.key", "name it with ssl.cert"),
    ],
)
def test_settings_that_would_not_do_what_they_say(
    place: str, lines: str, key: str, said: str, profile_file: ProfileFile
) -> None:
    message = profile_file.error(place + lines)
    assert message.startswith(f"{profile_file.path} [profiles.p]: {key}: ")
    assert said in message
    assert "\n" not in message


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o604, 0o660, 0o606])
def test_a_key_that_others_can_read_or_change(mode: int, profile_file: ProfileFile, files: Path) -> None:
    key = files / "client.key"
    key.chmod(mode)
    # A key of root's may be for its group to read, as libpq has it.
    lines = f'{PLACES[0]}ssl.mode = "require"\nssl.cert = "client.pem"\nssl.key = "client.key"'
    if mode == 0o640 and key.stat().st_uid == 0:
        assert profile_file.profile(lines).ssl.key == str(key)
        return
    message = profile_file.error(lines)
    assert message.startswith(f"{profile_file.path} [profiles.p]: ssl.key: others can read or change {key}")
    assert f"mode {mode:04o}" in message
    assert f"chmod 6{'4' if key.stat().st_uid == 0 else '0'}0 " in message


def test_a_certificate_with_its_key_in_it_is_a_key(profile_file: ProfileFile) -> None:
    lines = f'{PLACES[0]}ssl.mode = "verify-full"\nssl.cert = '
    assert "ssl.cert: others can read" in profile_file.error(f'{lines}"client.pem"')
    assert profile_file.profile(f'{lines}"secret.key"').ssl.cert


@pytest.mark.parametrize("mode", ["require", "verify-ca", "verify-full"])
def test_a_certificate_to_show_goes_with_every_mode_that_encrypts(mode: str, profile_file: ProfileFile) -> None:
    lines = f'ssl.mode = "{mode}"\nssl.cert = "client.pem"\nssl.key = "client.key"'
    assert profile_file.profile(PLACES[0] + lines).ssl.mode == mode


def test_the_systems_authorities_can_be_named_as_libpq_names_them(profile_file: ProfileFile) -> None:
    profile = profile_file.profile('url = "postgresql://u@h/d?sslmode=verify-full&sslrootcert=system"')
    assert (profile.ssl.mode, profile.ssl.ca) == ("verify-full", None)


def test_without_a_network_nothing_of_it_matters(profile_file: ProfileFile) -> None:
    assert profile_file.profile('url = "sqlite:///a.db"\nssl.ca = "nowhere.pem"').ssl.ca


@pytest.mark.parametrize(
    ("query", "mode"),
    [
        ("ssl_ca=CA", "verify-full"),
        ("ssl_ca=CA&ssl_check_hostname=true", "verify-full"),
        ("ssl_ca=CA&ssl_check_hostname=false", "verify-ca"),
        ("ssl_ca=CA&ssl_verify_cert=true&ssl_verify_identity=true", "verify-full"),
        ("ssl_ca=CA&ssl_verify_cert=true&ssl_verify_identity=false", "verify-ca"),
        ("ssl_ca=CA&ssl_verify_identity=0", "verify-ca"),
        ("ssl_ca=CA&ssl_verify_cert=false", "require"),
        ("ssl_ca=CA&ssl_mode=VERIFY_CA", "verify-ca"),
        ("ssl_verify_cert=true", "verify-ca"),
        ("ssl_verify_identity=1", "verify-full"),
        ("ssl_check_hostname=true", "verify-full"),
        ("ssl_check_hostname=false", "require"),
        ("ssl_disabled=1", "disable"),
        ("ssl_disabled=0", "prefer"),
        ("ssl=true", "require"),
        ("ssl=1", "require"),
        ("ssl=false", "disable"),
        ("ssl=verify-full", "verify-full"),
        ('ssl={"rejectUnauthorized":true}', "verify-full"),
        ("ssl=%7B%22rejectUnauthorized%22%3Afalse%7D", "require"),
        ("sslrootcert=system", "verify-full"),
        ("ssl-mode=REQUIRED", "require"),
    ],
)
def test_a_drivers_own_words_for_tls_are_a_mode(query: str, mode: str, profile_file: ProfileFile) -> None:
    ca = private(profile_file.path.parent / "ca.pem")
    url = f"mysql://u@h/d?{query.replace('CA', 'ca.pem', 1) if 'ssl_ca' in query else query}"
    profile = profile_file.profile(f"url = '{url}'")
    assert profile.ssl.mode == mode
    assert profile.ssl.ca == (str(ca) if "ssl_ca" in query and mode.startswith("verify") else None)


@pytest.mark.parametrize("mode", ["require", "verify-ca", "verify-full"])
def test_a_mode_that_is_named_goes_before_one_that_is_meant(mode: str, profile_file: ProfileFile) -> None:
    named = profile_file.profile(f'url = "mysql://u@h/d?ssl_verify_cert=true"\nssl.mode = "{mode}"')
    assert named.ssl.mode == mode


@pytest.mark.parametrize("query", ["ssl_verify_cert=maybe", "ssl=%7B%22ca%22%3A1%7D", "ssl=%7B", "ssl_disabled=2"])
def test_words_for_tls_that_mean_nothing_are_refused(query: str, profile_file: ProfileFile) -> None:
    message = profile_file.error(f'url = "mysql://u@h/d?{query}"')
    assert f"[profiles.p]: url: {query.partition('=')[0]} in its query" in message


@pytest.mark.parametrize("path", ["~/ca.pem", "ca.pem"])
def test_a_path_in_a_url_is_one_as_in_the_file(
    path: str, profile_file: ProfileFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    ca = private(profile_file.path.parent / "ca.pem")
    monkeypatch.setenv("HOME", str(ca.parent))
    profile = profile_file.profile(f'url = "postgresql://u@h/d?sslmode=verify-ca&sslrootcert={path}"')
    assert profile.ssl.ca == str(ca)
    monkeypatch.chdir(ca.parent)
    whole = Profiles.load(url=f"postgresql://u@h/d?sslmode=verify-ca&sslrootcert={path}", environ={}).select()
    assert (whole.ssl.ca, ca.samefile(str(whole.ssl.ca))) == (str(ca) if "~" in path else path, True)


def test_a_url_that_contradicts_itself(profile_file: ProfileFile) -> None:
    message = profile_file.error('url = "postgresql://u@h/d?sslmode=disable&ssl=require"')
    assert "its query says ssl.mode twice, and not the same" in message
