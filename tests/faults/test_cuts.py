"""A connection that is cut at any byte of a transfer leaves all of it or nothing, and dbctl says which."""

from collections import Counter
from collections.abc import Callable, Iterator
from itertools import cycle

import pytest

from dbctl.errors import ConnectError, OutcomeUnknown
from tests.faults.behind import behind, through
from tests.faults.cuts import CutAfter
from tests.faults.witness import Witness, moving, said_of, witness_of
from tests.harness.cli import Dbctl
from tests.harness.database import SERVER_KINDS
from tests.harness.forked import forked
from tests.harness.shared import make_shared
from tests.harness.soak import SOAK, dose
from tests.servers.proxy import Conversation, End, Proxy, Way

HARD = (End.RESET, End.CLOSE)
AROUND = 3
"""Every byte is a place to cut at from so many before COMMIT on."""


@pytest.fixture(scope="module", params=SERVER_KINDS)
def witness(request: pytest.FixtureRequest) -> Iterator[Witness]:
    for database in make_shared(request.param, request):
        with witness_of(database) as found:
            yield found


@pytest.fixture
def proxy(witness: Witness) -> Iterator[Proxy]:
    assert witness.database.server
    with Proxy(witness.database.server.port) as proxy:
        yield proxy


class Trial:
    """Transfers through the proxy, one after the other, each with a cut."""

    def __init__(self, witness: Witness, proxy: Proxy, *, asynchronous: bool) -> None:
        self.witness, self.proxy, self.asynchronous = witness, proxy, asynchronous
        # The one connection that there may be has to be let go before another can ask what became of its COMMIT.
        self.profile = through(proxy, witness.database, **{"pool.size": 1, "pool.max_overflow": 0})
        self.outcomes: Counter[tuple[str, bool]] = Counter()
        self.wrong: list[str] = []

    def whole(self) -> Conversation:
        """Transfer without a cut, and return the conversation."""
        self.proxy.expect()
        before = self.witness.look()
        assert said_of(self.profile, moving(before), asynchronous=self.asynchronous) is None
        assert self.witness.whether_moved(before)
        [conversation] = self.proxy.conversations
        return conversation

    def cut(self, cut: CutAfter, whole: Conversation) -> None:
        """Transfer with a cut, and hold what dbctl says against what the database holds."""
        self.proxy.expect(cut)
        before = self.witness.look()
        try:
            error = said_of(self.profile, moving(before), asynchronous=self.asynchronous)
            moved = self.witness.whether_moved(before)
        except Exception as failure:
            self.wrong.append(f"{cut}: {type(failure).__name__}: {failure}")
            return
        said = "done" if error is None else type(error).__name__
        self.outcomes[said, moved] += 1
        if isinstance(error, OutcomeUnknown):
            right = self.witness.database.dialect == "mysql" and self.may_have_committed(cut, whole)
        else:
            right = moved if error is None else isinstance(error, ConnectError) and not moved
        if not right:
            self.wrong.append(f"{cut}: said {said} ({error}), {'moved' if moved else 'not moved'}")

    def may_have_committed(self, cut: CutAfter, whole: Conversation) -> bool:
        """Whether COMMIT was sent: it came to the proxy, or it was its turn when the connection was cut."""
        assert whole.at_commit
        came = self.proxy.conversations[0].at_commit is not None
        return came or (cut.way is Way.TO_CLIENT and cut.place == whole.at_commit[cut.way])


def cuts(whole: Conversation, way: Way, spread: int) -> list[CutAfter]:
    """Return the places to cut at: the first bytes, some of the middle, and all from a few before COMMIT to the end."""
    assert whole.at_commit
    length, commit = whole.passed[way], whole.at_commit[way]
    # Counted from COMMIT, since asyncpg's names for statements grow with their number, and the conversation with them.
    last = range(1, min(length - commit, 30) + 1)
    first = {0, 1, 4, 5, *range(7, commit, max(1, commit // spread)), *range(commit - AROUND, commit + 1)}
    places = [(place, False) for place in (range(length + 50) if SOAK else sorted(first))]
    places += [(place, True) for place in last]
    if SOAK:
        return [CutAfter(end, way, *place) for place in places for end in HARD]
    return [CutAfter(end, way, *place) for place, end in zip(places, cycle(HARD), strict=False)]


@pytest.mark.timeout(dose(120, 7200))
@pytest.mark.parametrize("way", Way, ids=lambda way: way.name.lower())
@pytest.mark.parametrize("asynchronous", [False, True], ids=["sync", "async"])
def test_a_transfer_is_whole_or_absent_wherever_it_is_cut_and_dbctl_says_which(
    witness: Witness, proxy: Proxy, asynchronous: bool, way: Way, record_property: Callable[[str, object], None]
) -> None:
    trial = Trial(witness, proxy, asynchronous=asynchronous)
    whole = trial.whole()
    for cut in cuts(whole, way, 10 if asynchronous else 25):
        trial.cut(cut, whole)
    record_property("cuts", str(trial.outcomes))
    assert trial.wrong == []
    assert {moved for _, moved in trial.outcomes} == {False, True}, trial.outcomes


# --- by the command line ----------------------------------------------------------------------------------------------

PLACES = {
    "login": CutAfter(End.CLOSE, Way.TO_CLIENT, 60),
    "a query": CutAfter(End.RESET, Way.TO_SERVER, 1000),
    "COMMIT": CutAfter(End.RESET, Way.TO_SERVER, 5, of_commit=True),
    "the answer to COMMIT": CutAfter(End.CLOSE, Way.TO_CLIENT, 5, of_commit=True),
    "what follows": CutAfter(End.CLOSE, Way.TO_SERVER, 14, of_commit=True),
}
CODES = {"postgresql": (4, 4, 4, 0, 0), "mysql": (4, 4, 9, 9, 0)}


def test_the_exit_code_tells_what_became_of_it_and_one_line_why(witness: Witness, proxy: Proxy, dbctl: Dbctl) -> None:
    database = witness.database
    run = forked(dbctl, behind(proxy, database))
    for (place, cut), code in zip(PLACES.items(), CODES[database.dialect], strict=True):
        proxy.expect(cut)
        before = witness.look()
        result = run("transfer", "1", "--from", str(before.team), "--to", str(before.other))
        assert result.code == code, f"{place}: {result}"
        moved = witness.whether_moved(before)
        assert moved == (place in {"the answer to COMMIT", "what follows"}), f"{place}: {result}"
        told = result.err.splitlines()
        assert [line.startswith("dbctl: error: ") for line in told].count(True) == bool(code), f"{place}: {result}"
        assert all(line.startswith("dbctl: ") for line in told), f"{place}: {result}"
        assert (result.out != "") == (code == 0), f"{place}: {result}"
