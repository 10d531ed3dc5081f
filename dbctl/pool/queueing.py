"""The arithmetic of a queue for connections: how many are in use, and how long who finds none free waits.

Requests come by chance (Poisson), hold a connection for a while, and there are so many: M/G/c. Its waits are those of
M/M/c, which Erlang's C formula gives, times (1 + cv²) / 2, where cv is the variation of how long they hold (Allen and
Cunneen); so all alike (M/D/c) wait half as long as by chance.
"""

from __future__ import annotations

import math

from dbctl.records import record

MOST = 1000
"""Connections beyond which no size is sought."""


@record
class Demand:
    """What is asked of a pool.

    Args:
        rate: Requests a second.
        hold: Seconds for which each holds a connection, on average.
        variation: The variation of that, squared: 0 where all hold it equally long, 1 by chance.
    """

    rate: float
    hold: float
    variation: float = 0.0

    @property
    def in_use(self) -> float:
        """How many connections are in use on average, by Little's law: rate times hold."""
        return self.rate * self.hold

    def chance_to_wait(self, connections: int) -> float:
        """Return which share of the requests finds no connection free; 1 where the queue only grows."""
        if self.in_use >= connections:
            return 1.0
        lost = 1.0  # Erlang's B, by its recursion
        for servers in range(1, connections + 1):
            lost = self.in_use * lost / (servers + self.in_use * lost)
        busy = self.in_use / connections
        return lost / (1 - busy * (1 - lost))

    def mean_wait(self, connections: int) -> float:
        """Return how many seconds a request waits on average; infinity where the queue only grows."""
        if self.in_use >= connections:
            return math.inf
        return self.chance_to_wait(connections) * self._decay(connections)

    def wait(self, connections: int, share: float = 0.99) -> float:
        """Return within how many seconds this share of the requests has a connection."""
        if self.in_use >= connections:
            return math.inf
        waiting = self.chance_to_wait(connections)
        return 0.0 if waiting <= 1 - share else self._decay(connections) * math.log(waiting / (1 - share))

    def needs(self, within: float, share: float = 0.99) -> int | None:
        """Return with how many connections this share waits no longer than so many seconds; None beyond `MOST`."""
        least = max(1, math.floor(self.in_use) + 1)
        return next((size for size in range(least, MOST + 1) if self.wait(size, share) <= within), None)

    def _decay(self, connections: int) -> float:
        """Return the mean wait of those that wait, which is also how their waits thin out."""
        return self.hold * (1 + self.variation) / 2 / (connections - self.in_use)
