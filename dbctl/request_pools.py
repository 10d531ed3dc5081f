"""The pools that an app's requests take their connections from: what `/metrics` tells of, by whichever driver."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from dbctl.pool.snapshots import Snapshot, merged

if TYPE_CHECKING:
    from sqlalchemy import Engine

    from dbctl.profiles import Profile
    from dbctl.request_units import Access


class RequestPools:
    """The pools of one app, each from its first request on."""

    def __init__(self) -> None:
        self._directories: dict[Profile, str | os.PathLike[str]] = {}
        self._used: WeakKeyDictionary[Engine, Access] = WeakKeyDictionary()

    def note(self, access: Access) -> None:
        """Take note that requests are given connections of a pool."""
        engine = access.connector.sync_engine
        if engine not in self._used:
            self._share(access)
            self._used[engine] = access

    def start(self, access: Access, directory: str | os.PathLike[str] | None) -> None:
        """Begin to count, before any thread uses a profile's engine.

        Args:
            access: The access to the profile.
            directory: Where the workers of the service add up what they count of it; None where each tells its own.

        Raises:
            ConfigError: Nothing can be written there.
        """
        if directory is not None:
            self._directories[access.connector.profile] = directory
        self._share(access)

    def snapshot(self, own: Access) -> Snapshot:
        """Return what was counted of the pools of a profile that requests use; that of this access where none does."""
        self._share(own)
        used = self._of(own.connector.profile) or [own]
        counted = [one.recorder.shared() for one in used]
        if own.connector.profile in self._directories:
            return counted[-1]  # to which the others have been added
        pools = merged(counted)
        pools.gauges["workers"] = 1
        return pools

    async def end(self, own: Access) -> None:
        """Close the idle connections of a profile's pools, and be a worker of them no more."""
        for one in {own, *self._of(own.connector.profile)}:
            await one.dispose()
            if own.connector.profile in self._directories:
                one.recorder.close()
            self._used.pop(one.connector.sync_engine, None)
        self._directories.pop(own.connector.profile, None)

    def _share(self, access: Access) -> None:
        recorder = access.recorder
        if not recorder.is_shared and (directory := self._directories.get(access.connector.profile)) is not None:
            recorder.share(directory)

    def _of(self, profile: Profile) -> Sequence[Access]:
        return [one for one in list(self._used.values()) if one.connector.profile == profile]


def pools_of(app: Any) -> RequestPools:
    """Return the pools of an app."""
    if not hasattr(app.state, "dbctl_pools"):
        app.state.dbctl_pools = RequestPools()
    pools: RequestPools = app.state.dbctl_pools
    return pools
