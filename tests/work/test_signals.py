"""A signal's exception is raised in the block, wherever the signal comes."""

import os
import signal
import sys
import time
import weakref

import pytest

from dbctl.work.signals import Terminated, raising_on_signals


class Referred:
    """What a weak reference can refer to."""


@pytest.mark.parametrize(
    ("number", "error"), [(signal.SIGINT, KeyboardInterrupt), (signal.SIGTERM, Terminated)], ids=["int", "term"]
)
def test_one_that_a_callback_has_swallowed_comes_again(
    number: signal.Signals, error: type[BaseException], capfd: pytest.CaptureFixture[str]
) -> None:
    referred = Referred()

    def send(_reference: object) -> None:
        os.kill(os.getpid(), number)
        sum(range(10))

    reference = weakref.ref(referred, send)
    with raising_on_signals(), pytest.raises(error):  # noqa: PT012  # it comes from nowhere
        del referred
        time.sleep(10)
    assert reference() is None
    assert capfd.readouterr().err == ""


def test_what_else_is_dropped_is_told_as_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[object] = []
    monkeypatch.setattr(sys, "unraisablehook", lambda dropped: told.append(dropped.exc_type))
    referred = Referred()

    def fail(_reference: object) -> None:
        raise ValueError

    reference = weakref.ref(referred, fail)
    with raising_on_signals():
        del referred
    assert (reference(), told) == (None, [ValueError])
