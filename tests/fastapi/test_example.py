"""What the manual shows of services runs as it stands there."""

import contextlib
import re
import sys
import time
from collections.abc import Iterator
from dataclasses import replace

import httpx

from tests.harness.cli import Dbctl
from tests.manual.examples import blocks, text_of
from tests.servers.system import free_port


@contextlib.contextmanager
def answering(run: Dbctl, *args: str, port: int) -> Iterator[httpx.Client]:
    """Run a service, and return a client for it as soon as it is ready."""
    process = run.popen(*args, "--port", str(port))
    with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=30, trust_env=False, verify=False) as client:
        try:
            deadline = time.monotonic() + 30
            while True:
                with contextlib.suppress(httpx.ConnectError):
                    assert client.get("/readyz").json()["ready"]
                    break
                assert process.poll() is None, process.communicate()
                assert time.monotonic() < deadline
            yield client
        finally:
            process.kill()
            process.communicate()


def written(dbctl: Dbctl) -> set[str]:
    """Write down the page's modules, each of which begins with its name, and return their names."""
    texts = {text.splitlines()[0].removeprefix("# "): text for _, text in blocks("fastapi", "py")}
    for name, text in texts.items():
        (dbctl.cwd / name).write_text(text, encoding="utf-8")
    return set(texts)


def test_the_app_runs(dbctl: Dbctl) -> None:
    assert {"app.py", "copies.py"} <= written(dbctl)
    uvicorn = replace(dbctl, program=(sys.executable, "-m", "uvicorn"))
    with answering(uvicorn, "copies:app", port=free_port()) as client:
        answers = [client.post("/orders/", params={"item": "cape"}) for _ in range(2)]
        answers += [client.get(f"/orders/{item}") for item in ("cape", "mask")]
        assert client.post("/copies/", params={"item": "cape"}).status_code == 202
        deadline = time.monotonic() + 30
        while client.get("/orders/copy of cape").status_code == 404:  # it is made when the answer has left
            assert time.monotonic() < deadline
    assert [answer.status_code for answer in answers] == [201, 409, 200, 404]
    assert answers[0].json() == answers[2].json() == {"id": 1, "item": "cape"}
    assert answers[3].json() == {"detail": "nobody ordered mask"}


def test_its_tests_run(dbctl: Dbctl) -> None:
    assert "test_app.py" in written(dbctl)
    (dbctl.cwd / "profiles.toml").write_text('[profiles.tests]\nurl = "sqlite:///tests.db"\n', encoding="utf-8")
    pytest = replace(dbctl, program=(sys.executable, "-m", "pytest", "-p", "no:cacheprovider"))
    assert "2 passed" in pytest.ok("-q", "test_app.py").out
    assert (dbctl.cwd / "tests.db").exists()


def test_the_sample_service_answers_as_shown(dbctl: Dbctl) -> None:
    dbctl.ok("init-tables")
    dbctl.ok("teams", "add", "Preventers")
    dbctl.ok("heroes", "add", "Spider-Boy", "--secret-name", "Pedro", "--age", "16", "--team", "Preventers")
    examples = re.findall(r"^\$ curl -s '?127\.0\.0\.1:8000(.+?)'?\n(.*)$", text_of("sample"), re.MULTILINE)
    assert examples
    with answering(dbctl, "serve", port=free_port()) as client:
        for path, shown in examples:
            assert client.get(path).text == shown
