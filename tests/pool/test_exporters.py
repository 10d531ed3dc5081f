"""Whoever reads a recorder, as a dictionary, by Prometheus or by OpenTelemetry, reads the same numbers."""

import json
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from prometheus_client.parser import text_string_to_metric_families
from sqlalchemy import Engine, create_engine, pool
from sqlalchemy.exc import TimeoutError as PoolTimeout

from dbctl.pool import Recorder, Snapshot, export, labelled, merged, observe
from dbctl.pool.snapshots import COUNTERS, GAUGES, HISTOGRAMS
from tests.manual.examples import text_of

NAME = 'a "name"\\ with\na line'


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    """An engine of which three connections were asked, one in vain, and one is held."""
    url = f"sqlite:///{tmp_path / 'pool.db'}"
    engine = create_engine(url, poolclass=pool.QueuePool, pool_size=1, max_overflow=0, pool_timeout=0.01)
    observe(engine, NAME)
    engine.connect().close()
    with labelled(NAME), engine.connect():
        with pytest.raises(PoolTimeout):
            engine.connect()
        yield engine
    engine.dispose()


@pytest.fixture
def recorder(engine: Engine) -> Recorder:
    return observe(engine)


def samples(text: str) -> dict[str, float]:
    """Return the samples, by what Prometheus' own parser calls them, and by their bucket."""
    return {
        sample.name.removeprefix("dbctl_pool_") + sample.labels.get("le", ""): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def test_prometheus_reads_what_the_dictionary_says(recorder: Recorder) -> None:
    text = recorder.as_prometheus()
    values, read = recorder.as_dict(), samples(text)
    assert {name: read[f"{metric}_total"] for name, (metric, _) in COUNTERS.items()} == {
        name: values[name] for name in COUNTERS
    }
    assert {name: read[metric] for name, (metric, _) in GAUGES.items()} == {name: values[name] for name in GAUGES}
    assert (values["requests_num"], values["timeouts"], values["in_use"], values["checkouts"]) == (3, 1, 1, 2)
    for name, (metric, total, _) in HISTOGRAMS.items():
        counts = [value for bucket, value in read.items() if bucket.startswith(f"{metric}_bucket")]
        assert counts == sorted(counts)
        assert counts[-1] == read[f"{metric}_count"] == values["histograms"][name]["count"]
        assert read[f"{metric}_sum"] * 1e3 == pytest.approx(values[total], abs=0.01)
    assert (read["wait_seconds_bucket0.0001"], read["wait_seconds_bucket+Inf"]) == (2, 3)
    assert (read["label_checked_out"], read["label_checkouts_total"]) == (1, 1)
    assert read["longest_checkout_seconds"] > 0


def test_prometheus_text_is_as_its_format_says(recorder: Recorder) -> None:
    families = list(text_string_to_metric_families(recorder.as_prometheus({"profile": NAME, "app": "x"})))
    assert len({family.name for family in families}) == len(families)
    kinds = {"_total": "counter", "_bucket": "histogram", "_sum": "histogram", "_count": "histogram"}
    for family in families:
        assert family.documentation
        assert family.name.startswith("dbctl_pool_")
        for sample in family.samples:
            assert (sample.labels["profile"], sample.labels["app"]) == (NAME, "x")
            assert sample.labels.get("label", NAME) == NAME
            assert family.type == next((kinds[end] for end in kinds if sample.name.endswith(end)), "gauge")


def test_json_holds_all_that_is_needed_to_read_it_again(recorder: Recorder) -> None:
    again = Snapshot.from_dict(json.loads(recorder.as_json()))
    shown = again.as_dict()
    assert Snapshot.from_dict(json.loads(json.dumps(shown))).as_dict() == shown
    assert shown["labels"][NAME] == {"checkouts": 1, "in_use": 1, "usage_ms": 0}
    for broken in ({}, shown | {"timeouts": None}, shown | {"labels": 1}, shown | {"histograms": {}}):
        with pytest.raises(ValueError, match=r"recorder|histogram"):
            Snapshot.from_dict(broken)


def test_several_add_up(recorder: Recorder) -> None:
    one = recorder.snapshot()
    total = merged([one, one, one])
    assert total.counters == {name: 3 * value for name, value in one.counters.items()}
    assert (total.gauges["pool_max"], total.gauges["in_use"], total.gauges["in_use_most"]) == (3, 3, 1)
    assert total.gauges["workers"] == 3
    assert total.histograms["wait"].count == 9
    assert (total.labels[NAME].checkouts, len(total.holders)) == (3, 3)
    one.gauges["pool_max"] = None
    assert merged([one, recorder.snapshot()]).gauges["pool_max"] is None
    with pytest.raises(ValueError, match="nothing"):
        merged([])


def test_no_counter_goes_back_while_the_pool_is_at_work(tmp_path: Path) -> None:
    engine = create_engine(f"sqlite:///{tmp_path / 'x.db'}", poolclass=pool.QueuePool, pool_size=2, max_overflow=0)
    recorder, done = observe(engine), threading.Event()

    def work() -> None:
        with labelled("work"):
            while not done.is_set():
                engine.connect().close()

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    before: dict[str, float] = {}
    for _ in range(50):
        now = {name: value for name, value in samples(recorder.as_prometheus()).items() if name.endswith("_total")}
        now |= {name: value for name, value in samples(recorder.as_prometheus()).items() if "_bucket" in name}
        assert {name for name in before if before[name] > now[name]} == set()
        before = now
    done.set()
    for thread in threads:
        thread.join()
    engine.dispose()


def test_opentelemetry_collects_the_same(recorder: Recorder, engine: Engine) -> None:
    reader = InMemoryMetricReader()
    export(recorder, MeterProvider([reader]))

    def collected() -> dict[str, float]:
        data = reader.get_metrics_data()
        assert data
        found: dict[str, float] = {}
        for metric in data.resource_metrics[0].scope_metrics[0].metrics:
            for point in metric.data.data_points:
                attributes = dict(point.attributes or {})
                assert attributes.pop("db.client.connection.pool.name") == NAME
                key = ".".join([metric.name.removeprefix("db.client.connection."), *map(str, attributes.values())])
                found[key] = getattr(point, "count", getattr(point, "value", None))  # type: ignore[assignment]
        return found

    expected = {"count.idle": 0, "count.used": 1, "max": 1, "idle.max": 1, "pending_requests": 0, "timeouts": 1}
    expected |= {"create_time": 1, "wait_time": 3, "use_time": 1}
    assert collected() == expected
    assert collected() == expected
    with pytest.raises(PoolTimeout):
        engine.connect()
    assert collected() == expected | {"timeouts": 2, "wait_time": 4}


def test_every_number_is_on_the_manual_s_page() -> None:
    page = text_of("recorder")
    for name, (metric, *_) in {**COUNTERS, **GAUGES, **HISTOGRAMS}.items():
        assert f"`{name}`" in page
        assert f"`{metric}`" in page or f"`{metric}_total`" in page
    for total in (total for _, total, _ in HISTOGRAMS.values()):
        assert f"`{total}`" in page
