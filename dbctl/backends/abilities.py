"""What few commands need of a backend, and is imported where that is done."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING, Any

from dbctl.backends.relatives import Relatives

if TYPE_CHECKING:
    from dbctl.backends.backups import Backups
    from dbctl.backends.bulk import Bulk
    from dbctl.backends.clients import Client
    from dbctl.backends.inventory import Inventory
    from dbctl.backends.sessions import Sessions


class Abilities(Relatives):
    """The part of a backend that makes it one with more to it, of which each is a module in its database's package."""

    @property
    def backups(self) -> Backups:
        """This very backend as one that backs up and restores.

        Raises:
            Unsupported: The tools of the protocol's own server don't do that for what answers.
        """
        self.refuse_tools()
        able: Backups = self._able_to("backups")
        return able

    @property
    def bulk(self) -> Bulk:
        """This very backend as one that reads and writes in bulk."""
        able: Bulk = self._able_to("bulk")
        return able

    @property
    def catalog(self) -> Inventory:
        """This very backend as one that tells what there is, and how it is defined."""
        able: Inventory = self._able_to("inventory")
        return able

    @property
    def activity(self) -> Sessions:
        """This very backend as one that tells who else is there, and can end them."""
        able: Sessions = self._able_to("sessions")
        return able

    @property
    def clients(self) -> Sequence[Client]:
        """The database's terminal clients, in the order in which one is looked for at a terminal."""
        found: Sequence[Client] = _beside(type(self), "clients").CLIENTS
        return found

    def _able_to(self, module: str) -> Any:
        """Return this backend with what a module adds to it; both are one in all that they know."""
        kind: Any = type(self)
        able: Any = object.__new__(_with(kind, module))
        able.__dict__ = self.__dict__
        return able


@cache
def _with(kind: Any, module: str) -> Any:
    """Return the class of a backend with what a module beside it adds; what a relative does otherwise goes first."""
    more = _beside(kind, module).backend
    return more if issubclass(more, kind) else type(kind.__name__, (kind, more), {"__module__": kind.__module__})


def _beside(kind: Any, module: str) -> Any:
    """Return a module of the package of a backend's class."""
    return import_module(f"{kind.__module__.rpartition('.')[0]}.{module}")
