"""One package a database: all that differs between them. This module finds the package for a profile's driver.

`base` is what a database has to answer, `errors` what it makes of a driver's errors, `locks` its locks, `audit` what
`dbctl doctor` asks it.
"""

import pkgutil
from collections.abc import Iterator, Sequence
from functools import cache
from importlib import import_module

from dbctl.backends.base import Backend
from dbctl.errors import ConfigError
from dbctl.profiles import Profile


def backend_of(profile: Profile) -> Backend:
    """Return the backend that the profile's driver names, bound to the profile.

    Raises:
        ConfigError: No backend knows the driver, or the profile lacks what the backend needs.
    """
    for backend in _backends(profile.driver):
        if profile.driver in {*backend.drivers, *backend.other_drivers}:
            return (backend.named(profile.driver) or backend)(profile)
    known = [name for backend in _backends("") for name in backend.drivers]
    database = profile.driver.partition("+")[0]
    of_it = [name for name in known if name.partition("+")[0] == database]
    allowed = ", ".join(of_it or [name for name in known if "+" not in name])
    where = profile.origins.get("driver", profile.called)
    raise ConfigError(f'{where}: driver = "{profile.driver}": allowed is {allowed}')


def _backends(driver: str) -> Iterator[type[Backend]]:
    """Import one package after the other, that which the driver is named for first: few look at more."""
    for name in sorted(_packages(*__path__), key=lambda name: not driver.startswith(name)):
        yield import_module(f"{__name__}.{name}.engine").backend


@cache
def _packages(*directories: str) -> Sequence[str]:
    """Return the names of the packages; a fleet has hundreds of profiles, each of which asks for its own."""
    return [module.name for module in pkgutil.iter_modules(directories) if module.ispkg]
