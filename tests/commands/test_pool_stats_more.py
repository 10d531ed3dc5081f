"""`dbctl pool-stats` beyond one run: by size, by what a service has counted, live, drawn, and side by side."""

import contextlib
import json
import re
import signal
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from dbctl.connections.engines import build_engine
from dbctl.pool import Recorder, observe
from tests.harness.database import TestDatabase
from tests.harness.forked import Forked, forked
from tests.harness.profile import engine_of, profile_of

SHORT = ("pool-stats", "--duration", "0.3", "--hold", "5")


@pytest.fixture
def lite(dbctl: Forked, sqlite_database: TestDatabase) -> Forked:
    with engine_of(profile_of(sqlite_database)) as engine, engine.connect():
        pass
    return forked(dbctl, sqlite_database)


def test_more_connections_serve_more_until_the_knee(lite: Forked) -> None:
    result = lite.ok(*SHORT, "--sweep", "4,1,2,8", "--concurrency", "4", "--json", "--plot")
    rows = result.json
    assert [row["size"] for row in rows] == [1, 2, 4, 8]
    assert [row["most_in_use"] for row in rows] == [1, 2, 4, 4]
    assert rows[0]["per_second"] < rows[1]["per_second"] < rows[2]["per_second"]
    assert [row["knee"] for row in rows].count(True) == 1
    assert not rows[0]["knee"]
    assert "by Little's law" in result.err


def test_a_rate_that_is_too_high_is_told_with_the_size_for_it(lite: Forked, workdir: Path) -> None:
    path = workdir / "profiles.toml"
    path.write_text(f"{path.read_text()}[profiles.lite.pool]\nsize = 1\nmax_overflow = 0\n")
    run = lite.ok("pool-stats", "--rate", "100", "--hold", "50", "--json").json
    assert re.search(r"raise pool.size to \d+, or shorten the hold", run["verdict"])
    assert "no server counts the connections" in run["verdict"]
    assert run["run"]["work"] == "hold it for 50 ms"


@pytest.mark.parametrize("driver", ["sync", "async"])
def test_a_statement_may_only_read(driver: str, shared_database: TestDatabase, dbctl: Forked) -> None:
    run = forked(dbctl, shared_database)
    with contextlib.suppress(Exception):
        shared_database.execute("CREATE TABLE load_target (n INTEGER)")
    common = ("pool-stats", "--duration", "0.2", "--concurrency", "2", "--driver", driver)
    found = run.ok(*common, "--sql", "SELECT count(*), '100%' FROM load_target", "--json").json
    assert found["run"]["checkouts"] > 0
    for sql, code in (
        ("INSERT INTO load_target VALUES (1)", 1),
        ("COMMIT; INSERT INTO load_target VALUES (1)", 2),
        ("COMMIT", 2),
        ("", 2),
    ):
        refused = run(*common, "--sql", sql)
        assert (refused.code, refused.out) == (code, ""), str(refused)
    assert shared_database.execute("SELECT count(*) FROM load_target") == [(0,)]


def test_a_statement_on_sqlite_makes_no_file_and_frees_itself_of_nothing(lite: Forked, workdir: Path) -> None:
    for command in (["query"], ["pool-stats", "--duration", "0.2", "--sql"]):
        for sql in ("ATTACH 'new.db' AS n", "/* */ attach database 'new' || '.db' AS n", "PRAGMA query_only=0"):
            refused = lite(*command, sql)
            assert (refused.code, refused.out) == (1, ""), str(refused)
    assert not (workdir / "new.db").exists()
    (workdir / "empty.db").touch()
    assert lite.ok("query", "ATTACH 'empty.db' AS n; SELECT 1", "--json")


def test_a_protected_profile_asks_before_it_is_loaded(lite: Forked, workdir: Path) -> None:
    path = workdir / "profiles.toml"
    path.write_text(path.read_text().replace("[profiles.lite]\n", "[profiles.lite]\nprotected = true\n"))
    assert (refused := lite(*SHORT)).code == 8, str(refused)
    assert refused.talk.endswith("say --confirm=lite\n")
    (workdir / "a.json").write_text(lite.ok(*SHORT, "--confirm", "lite", "--json").out)
    assert lite.ok("pool-stats", "--compare", "a.json", "a.json", "--json").json
    with lite.terminal(*SHORT) as terminal:
        code, out, _ = terminal.run([("go on: ", "lite\n")], 30)
    assert (code, "is protected. Type its profile's name" in out) == (0, True)


@pytest.mark.parametrize(
    ("options", "code"),
    [
        ("--sweep 1,2 --watch", 2),
        ("--sweep 0,2", 2),
        ("--sweep some", 2),
        ("--interval 1", 2),
        ("--hold 5 --sql SELECT", 2),
        ("--rate 0", 2),
        ("--rate inf", 2),
        ("--rate nan", 2),
        ("--rate 1e7", 2),
        ("--hold 1e300", 2),
        ("--duration 1e12", 2),
        ("--concurrency 100000", 2),
        ("--sweep 1,100000", 2),
        ("--compare nowhere.json nowhere.json", 3),
        ("--compare nowhere.json nowhere.json --html x.html", 2),
        ("--advise nowhere.json --rate 10", 2),
        ("--advise nowhere.json --duration 10", 2),
        ("--advise ftp://127.0.0.1/metrics", 2),
        ("--svg - --duration 0.1", 2),
        ("--svg . --duration 3600", 1),
        ("--html nowhere/x.html --duration 3600", 1),
        ("--html x.html --svg x.html --duration 0.1", 2),
        ("--advise nowhere.json", 3),
        ("--advise http://127.0.0.1:1/metrics", 4),
        ("--url sqlite:// --sweep 1,2", 1),
        ("--url sqlite:// --advise nowhere.json", 1),
        ("--svg nowhere/x.svg --duration 0.1", 1),
    ],
)
def test_what_can_not_be_is_one_clear_line(options: str, code: int, dbctl: Forked, lite: Forked) -> None:
    run = dbctl if "--url" in options else lite
    result = run("pool-stats", *options.split())
    assert (result.code, result.out) == (code, ""), str(result)
    assert len([line for line in result.talk.splitlines() if ": error: " in line]) == 1


def test_two_runs_stand_side_by_side(lite: Forked, workdir: Path) -> None:
    for name, workers in (("a", "1"), ("b", "2")):
        (workdir / f"{name}.json").write_text(lite.ok(*SHORT, "--concurrency", workers, "--json").out)
    rows = {row["figure"]: row for row in lite.ok("pool-stats", "--compare", "a.json", "b.json", "--json").json}
    found = rows["run.concurrency"]
    assert (found["a"], found["b"], found["change"]) == (1, 2, "+100 %")
    assert {"limits.size", "run.checkout.p999_ms", "run.work"} <= rows.keys()
    assert lite("-p", "nosuch", "pool-stats", "--compare", "a.json", "b.json").code == 2
    (workdir / "b.json").write_text("[]")
    assert lite("pool-stats", "--compare", "a.json", "b.json").code == 3


@pytest.fixture
def recorder(sqlite_database: TestDatabase, lite: Forked) -> Iterator[Recorder]:
    """What a service has counted whose pool of one was asked by four at a time, each for 20 ms."""
    engine = build_engine(profile_of(sqlite_database))
    found = observe(engine, "lite")

    def use() -> None:
        for _ in range(3):
            with engine.connect():
                held.wait(0.02)

    held = threading.Event()
    threads = [threading.Thread(target=use) for _ in range(4)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    yield found
    engine.dispose()


def test_a_services_pool_is_sized_by_what_it_has_counted(lite: Forked, recorder: Recorder, workdir: Path) -> None:
    (workdir / "one.json").write_text(recorder.as_json())
    advice = lite.ok("pool-stats", "--advise", "one.json", "--json").json
    snapshot = json.loads((workdir / "one.json").read_text())
    seconds = snapshot["at"] - snapshot["since"]
    assert advice["per_second"] == pytest.approx(12 / seconds, rel=0.3)
    assert advice["hold_ms"] >= 20
    assert advice["in_use"] == pytest.approx(advice["per_second"] * advice["hold_ms"] / 1000, abs=0.02)
    assert advice["in_use_most"] == snapshot["in_use_most"]
    assert advice["size"] + advice["max_overflow"] >= advice["in_use_most"]
    size, overflow = advice["size"], advice["max_overflow"]
    assert advice["lines"] == f"dbctl profiles set lite pool.size={size} pool.max_overflow={overflow}"
    path = workdir / "profiles.toml"
    for layout in ("", "pool = { size = 99 }\n", "[profiles.lite.pool]\nsize = 99\n"):
        before = path.read_text()
        path.write_text(before + layout)
        lite.ok(*advice["lines"].split()[1:])
        assert lite.ok("pool-stats", "--duration", "0.1", "--json").json["limits"]["size"] == size
        path.write_text(before)

    later = {**snapshot, "at": snapshot["at"] + 10}
    (workdir / "two.json").write_text(f"{json.dumps(snapshot)}\n{json.dumps(later)}\n")
    none = lite("pool-stats", "--advise", "two.json")
    assert (none.code, "nobody gave a connection back in 10 s" in none.err) == (6, True)
    (workdir / "wrong.json").write_text('{"name": "x"}\n')
    wrong = lite("pool-stats", "--advise", "wrong.json")
    assert (wrong.code, "it has no 'pool'" in wrong.err) == (3, True), str(wrong)


def test_a_running_services_metrics_are_read_twice(lite: Forked, recorder: Recorder) -> None:
    readings: list[str] = []

    class Metrics(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            body = recorder.as_prometheus()
            if not readings:  # the first time the service has only begun
                body = re.sub(r"^(dbctl_pool_\w+(?:_total|_bucket|_count|_sum)\{.*\}) .*$", r"\1 0", body, flags=re.M)
            readings.append(body)
            self.wfile.write(body.encode() if self.path == "/metrics" else b"nothing 1\n")

        def log_message(self, *_: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Metrics) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_port}"
        advice = lite.ok("pool-stats", "--advise", f"{url}/metrics", "--duration", "0.5", "--json").json
        nothing = lite("pool-stats", "--advise", f"{url}/", "--duration", "0.1")
        server.shutdown()
    assert 0 < advice["per_second"] <= 24
    assert advice["hold_ms"] >= 20
    assert (nothing.code, "it has no dbctl_pool_" in nothing.err) == (3, True), str(nothing)


def test_without_a_terminal_a_line_comes_at_each_interval(lite: Forked) -> None:
    ended = lite.ok("pool-stats", "--watch", "--interval", "0.2", "--duration", "1", "-o", "jsonl")
    looks = [json.loads(line) for line in ended.out.splitlines()]
    assert 2 <= len(looks) <= 6
    assert [look["at"] for look in looks] == sorted(look["at"] for look in looks)
    assert all(look["per_second"] > 0 and look["open"] >= look["in_use"] for look in looks)
    endless = lite.popen("pool-stats", "--watch", "--interval", "0.1", "-o", "jsonl")
    assert endless.stdout
    endless.stdout.readline()
    endless.send_signal(signal.SIGINT)
    err = endless.communicate(timeout=20)[1]
    assert (json.loads(err.splitlines()[-1])["type"], endless.returncode) == ("Interrupted", 130)


@pytest.mark.parametrize(("key", "code"), [("q", 0), ("\x03", 130)])
@pytest.mark.parametrize("driver", ["sync", "async"])
def test_a_live_screen_leaves_the_terminal_as_it_was(driver: str, key: str, code: int, lite: Forked) -> None:
    arguments = ("pool-stats", "--watch", "--interval", "0.2", "--rate", "50", "--hold", "1", "--driver", driver)
    with lite.terminal(*arguments, size=(90, 30)) as terminal:
        ended, out, _ = terminal.run([("\x1b[?1049h", ""), ("p99 wait, ms", key)], 30)
        assert terminal.is_as_before
    assert ended == code
    assert out.index("\x1b[?1049h") < out.index("in use") < out.index("\x1b[?1049l")
    assert out.rindex("\x1b[?25h") > out.rindex("\x1b[?25l")
    assert ("verdict" in out[out.index("\x1b[?1049l") :]) == (code == 0)


def test_several_profiles_are_measured_and_none_of_them_drawn(lite: Forked, workdir: Path) -> None:
    path = workdir / "profiles.toml"
    path.write_text(f'{path.read_text()}[profiles.other]\nurl = "sqlite://"\n')
    both = ("-p", "lite", "-p", "other")
    measured = lite.ok(*both, *SHORT, "--json").json  # each as it ends
    assert sorted(row["profile"] for row in measured) == ["lite", "other"]
    for drawn in (["--watch"], ["--plot"], ["--html", "x.html"]):
        refused = lite(*both, *SHORT, *drawn)
        assert (refused.code, "what is drawn is of one" in refused.err) == (2, True), str(refused)


def test_charts_are_drawn_below_the_figures_for_people(lite: Forked, workdir: Path) -> None:
    shown = lite.tty(*SHORT, "--plot", "--svg", "x.svg").plain
    assert "Wait for a connection (ms, by seconds)" in shown
    assert "█" in shown
    plain = lite.ok(*SHORT, "--plot", "-o", "table", env={"LC_ALL": "C", "PYTHONIOENCODING": "ascii"}).out
    assert "How long requests waited" in plain
    assert plain.isascii()
    root = ElementTree.parse(workdir / "x.svg").getroot()
    assert [text.text for text in root.iter("{http://www.w3.org/2000/svg}text") if text.get("class") == "title"] == [
        "Wait for a connection", "Checkouts", "Connections", "How long requests waited"
    ]  # fmt: skip
