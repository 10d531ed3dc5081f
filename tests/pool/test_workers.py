"""A service's workers add up what their pools do, whoever of them is asked, and whatever becomes of the others."""

import multiprocessing
import os
import shutil
import signal
import stat
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from multiprocessing.process import BaseProcess
from multiprocessing.synchronize import Event
from pathlib import Path

import pytest
from sqlalchemy import Engine, create_engine, pool

from dbctl.errors import ConfigError
from dbctl.pool import Recorder, labelled, observe
from dbctl.pool.exposition import exposition
from tests.pool.engines import counted

FORK = multiprocessing.get_context("fork")
PATIENCE = 30.0


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    engine = create_engine(f"sqlite:///{tmp_path / 'pool.db'}", poolclass=pool.QueuePool)
    recorder = observe(engine)
    yield engine
    recorder.close()
    engine.dispose()


def taken(engine: Engine, times: int) -> None:
    for _ in range(times):
        with labelled("work"), engine.connect():
            pass


def holding(engine: Engine, ready: Event, go_on: Event) -> None:
    engine.dispose(close=False)
    taken(engine, 5)
    with engine.connect():
        ready.set()
        go_on.wait(PATIENCE)
    os._exit(0)  # as at a kill, nothing is written at the end


def until(found: Callable[[], bool]) -> None:
    end = time.monotonic() + PATIENCE
    while not found():
        assert time.monotonic() < end
        time.sleep(0.02)


def test_a_fork_begins_at_0_and_its_parent_goes_on(engine: Engine) -> None:
    recorder, answers = observe(engine), FORK.SimpleQueue()
    taken(engine, 3)

    def child() -> None:
        engine.dispose(close=False)
        taken(engine, 2)
        values = recorder.as_dict()
        answers.put([values[name] for name in ("checkouts", "connections_opened", "in_use")])

    with engine.connect():
        process = FORK.Process(target=child)
        process.start()
        process.join(PATIENCE)
        assert answers.get() == [2, 1, 0]
        counted(recorder, checkouts=4, in_use=1, connections_opened=1)


@pytest.mark.parametrize("shared_before_the_fork", [True, False])
def test_all_workers_are_in_the_sum(engine: Engine, tmp_path: Path, shared_before_the_fork: bool) -> None:
    directory, recorder = tmp_path / "metrics", observe(engine)
    if shared_before_the_fork:
        recorder.share(directory)

    def work(ready: Event, go_on: Event) -> None:
        if not shared_before_the_fork:
            recorder.share(directory)
        holding(engine, ready, go_on)

    processes: list[BaseProcess] = []
    events = [(FORK.Event(), FORK.Event()) for _ in range(3)]
    with ExitStack() as stack:
        for pair in events:
            process: BaseProcess = FORK.Process(target=work, args=pair)
            process.start()
            stack.callback(process.join, PATIENCE)
            stack.callback(process.kill)
            processes.append(process)
        assert all(ready.wait(PATIENCE) for ready, _ in events)
        if not shared_before_the_fork:
            recorder.share(directory)
        taken(engine, 2)
        until(lambda: recorder.shared().counters["checkouts"] == 20)
        total = recorder.shared()
        assert (total.gauges["in_use"], total.gauges["workers"], total.gauges["pool_max"]) == (3, 4, 60)
        assert total.labels["work"].checkouts == 17
        assert total.histograms["usage"].count == 17
        counted(recorder, checkouts=2, in_use=0)

        assert processes[0].pid
        os.kill(processes[0].pid, signal.SIGKILL)
        events[1][1].set()
        for process in processes[:2]:
            process.join(PATIENCE)
        for _ in range(2):
            total = recorder.shared()
            assert (total.gauges["in_use"], total.gauges["workers"], total.gauges["pool_max"]) == (1, 2, 30)
            assert total.counters["checkouts"] == 20


def test_no_sum_goes_back_whoever_answers(tmp_path: Path) -> None:
    """Each of three workers is asked in turn, and knows at least what the one before has said."""
    engines = [create_engine("sqlite://", poolclass=pool.QueuePool) for _ in range(3)]
    recorders = [observe(engine) for engine in engines]
    for recorder in recorders:
        recorder.share(tmp_path)
    before: dict[str, float] = {}
    for turn in range(60):
        taken(engines[turn % 3], 3)
        for recorder in recorders[turn % 3 :] + recorders[: turn % 3]:
            text = exposition(recorder.shared(), {"pool": "x"})
            values = {line.split()[0]: float(line.split()[1]) for line in text.splitlines() if line[0] != "#"}
            counters = {name: value for name, value in values.items() if "_total" in name or "_sum" in name}
            assert {name for name in before if counters.get(name, -1) < before[name]} == set()
            before = counters
    assert before['dbctl_pool_checkouts_total{pool="x"}'] == 180
    for recorder, engine in zip(recorders, engines, strict=True):
        recorder.close()
        engine.dispose()


def test_what_was_counted_outlasts_the_service(engine: Engine, tmp_path: Path) -> None:
    directory = tmp_path / "run" / "metrics"
    for run in range(1, 4):
        recorder = observe(engine)
        recorder.share(directory)
        taken(engine, 2)
        assert recorder.shared().counters["checkouts"] == 2 * run
        recorder.close()
        assert recorder.shared().counters["checkouts"] == 2
    assert stat.S_IMODE(directory.stat().st_mode) == 0o700
    assert len(list(directory.glob("*.json"))) == 1
    assert {stat.S_IMODE(each.stat().st_mode) for each in directory.iterdir()} == {0o600}


def test_a_file_that_is_broken_is_left_out(engine: Engine, tmp_path: Path) -> None:
    recorder = observe(engine)
    recorder.share(tmp_path)
    for name, content in {"a": "", "b": '{"name": ', "c": "[]", "d": "\udcff"}.items():
        (tmp_path / f"{name}.json").write_text(content, encoding="utf-8", errors="surrogateescape")
    taken(engine, 1)
    assert recorder.shared().counters["checkouts"] == 1


def test_a_directory_that_can_not_be_is_refused(engine: Engine, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    recorder: Recorder = observe(engine)
    with pytest.raises(ConfigError, match="metrics can't be shared there"):
        recorder.share(tmp_path / "file")
    assert recorder.shared().counters == recorder.snapshot().counters


def test_a_directory_that_is_removed_is_made_again_with_all_who_live(engine: Engine, tmp_path: Path) -> None:
    other = create_engine("sqlite://", poolclass=pool.QueuePool)
    directory, recorders = tmp_path / "metrics", [observe(engine), observe(other)]
    with closing(recorders[1]):
        for each, taker in zip(recorders, (engine, other), strict=True):
            each.share(directory)
            taken(taker, 2)
        shutil.rmtree(directory, ignore_errors=True)
        until(lambda: [each.shared().counters["checkouts"] for each in recorders] == [4, 4])
        assert len(list(directory.glob("*.json"))) == 2
