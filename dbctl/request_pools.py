"""The pools that a service has of a profile: what `/metrics` tells of, by whichever driver and whoever uses them."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Sequence
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

from dbctl.connections.connector import following, shared_with
from dbctl.pool.snapshots import Snapshot, merged
from dbctl.request_units import Access

if TYPE_CHECKING:
    from dbctl.profiles import Profile


class RequestPools:
    """The pools of one app: those of dbctl's own engines, each from before its first use on."""

    def __init__(self) -> None:
        self._directories: dict[Profile, str | os.PathLike[str]] = {}
        self._following: dict[Profile, ExitStack] = {}

    def start(self, access: Access, directory: str | os.PathLike[str] | None) -> None:
        """Begin to count, before any thread uses a profile's engines.

        Args:
            access: The access to the profile.
            directory: Where the workers of the service add up what they count of it; None where each tells its own.

        Raises:
            ConfigError: Nothing can be written there.
        """
        profile = access.connector.profile
        if directory is not None:
            self._directories[profile] = directory
        following_it = self._following.setdefault(profile, ExitStack())
        following_it.enter_context(following(profile, lambda built: self._count(Access(built))))

    async def snapshot(self, own: Access) -> Snapshot:
        """Return what was counted of the pools of a profile that are used; that of this access where none is."""
        accesses = self._of(own)
        return await asyncio.to_thread(self._sum, accesses)

    async def end(self, own: Access) -> None:
        """Close the idle connections of a profile's pools, and be a worker of them no more."""
        profile = own.connector.profile
        self._following.pop(profile, ExitStack()).close()
        for one in self._of(own):
            await one.dispose()
            if profile in self._directories:
                one.recorder.close()
        self._directories.pop(profile, None)

    def _sum(self, accesses: Sequence[Access]) -> Snapshot:
        for one in accesses:
            self._count(one)
        counted = [one.recorder.shared() for one in accesses]
        if accesses[0].connector.profile in self._directories:
            return counted[-1]  # to which the others have been added
        pools = merged([each for each in counted if each.counters["requests_num"]] or counted[:1])
        pools.gauges["workers"] = 1
        return pools

    def _count(self, access: Access) -> None:
        recorder = access.recorder
        if not recorder.is_shared and (directory := self._directories.get(access.connector.profile)) is not None:
            recorder.share(directory)

    def _of(self, own: Access) -> Sequence[Access]:
        others = (Access(each) for each in shared_with(own.connector.profile))
        return [own, *(each for each in others if each != own)]


def pools_of(app: Any) -> RequestPools:
    """Return the pools of an app."""
    if not hasattr(app.state, "dbctl_pools"):
        app.state.dbctl_pools = RequestPools()
    pools: RequestPools = app.state.dbctl_pools
    return pools
