"""`dbctl topology`."""

import logging
from collections.abc import Sequence

from dbctl.profiles import Profile
from dbctl.topology import Node
from dbctl.topology import topology as ask

PANEL = "Service"
PLACE = 28
PAGE = "clusters"

_log = logging.getLogger(__name__)


def topology(profile: Profile) -> Sequence[Node]:
    """Show the nodes of a cluster as they see each other: who follows whom, how far behind, in which version.

    All hosts of the profile are asked, and each node that one of them names; one that can't be asked stands there as
    the others see it. It knows PostgreSQL's standbys, Galera's nodes, and the replicas and groups of MySQL and MariaDB.

    Examples:
        $ dbctl -p prod topology
        $ dbctl -p prod topology --json
    """
    found = ask(profile)
    for note in found.notes:
        _log.info("%s", note)
    return found.nodes
