"""What befalls a connection through a proxy: where it is cut, and how it ends."""

import random
from dataclasses import dataclass, field

from tests.servers.proxy import Conversation, End, Fault, Way


@dataclass(frozen=True)
class Cut(Fault):
    """A cut at one place.

    Attributes:
        end: what becomes of the connection.
    """

    end: End
    refusing: bool = field(default=False, kw_only=True)


@dataclass(frozen=True)
class CutAfter(Cut):
    """The connection ends after so many bytes of one way, of the whole conversation or of what COMMIT begins."""

    way: Way
    place: int
    of_commit: bool = False

    def strikes(self, conversation: Conversation, way: Way, data: bytes) -> tuple[int, End] | None:
        """Count this way's bytes."""
        begin = conversation.at_commit if self.of_commit else dict.fromkeys(Way, 0)
        if way is not self.way or begin is None:
            return None
        left = begin[way] + self.place - conversation.passed[way]
        return (left, self.end) if left <= len(data) else None


@dataclass(frozen=True)
class CommitLost(Cut):
    """COMMIT does not reach the server, and the connection ends."""

    def strikes(self, conversation: Conversation, way: Way, data: bytes) -> tuple[int, End] | None:
        """Keep COMMIT back."""
        return (0, self.end) if way is Way.TO_SERVER and conversation.at_commit is not None else None


@dataclass(frozen=True)
class ReplyLost(Cut):
    """The server's answer to COMMIT does not reach the client, and the connection ends."""

    def strikes(self, conversation: Conversation, way: Way, data: bytes) -> tuple[int, End] | None:
        """Keep back what comes after COMMIT."""
        return (0, self.end) if way is Way.TO_CLIENT and conversation.at_commit is not None else None


@dataclass(frozen=True)
class AtRandom(Fault):
    """Any piece may be the last, with some probability.

    It is cut before what a client says reaches the server, or after it: then the answer never reaches the client, who
    can't know what was done. Or in the middle of what is handed on. The server still does what it has got.
    """

    probability: float
    dice: random.Random

    def strikes(self, conversation: Conversation, way: Way, data: bytes) -> tuple[int, End] | None:
        """Throw the dice."""
        if self.dice.random() >= self.probability:
            return None
        spared = self.dice.choice((0, len(data) // 2, len(data)))
        return spared, self.dice.choice((End.RESET_SENDER, End.CLOSE))
