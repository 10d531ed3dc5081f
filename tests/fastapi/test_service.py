"""The sample service does over HTTP what the commands do, and keeps its secrets."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest

from dbctl.sample.api import create_app
from tests.fastapi.serving import Served
from tests.harness.database import TestDatabase, isolates_snapshots
from tests.harness.profile import profile_of

SPIDER_BOY = {"name": "Spider-Boy", "secret_name": "Pedro Parqueador", "age": 16, "team_id": 1}


def added(service: Served, **changes: Any) -> dict[str, Any]:
    """Add a hero, and return what the service says of it."""
    answer = service.client.post("/heroes/", json=SPIDER_BOY | changes)
    assert answer.status_code == 201, answer.text
    return dict(answer.json())


def detail(answer: httpx.Response, status: int) -> str:
    """Return what a refusal says."""
    assert answer.status_code == status, answer.text
    return str(answer.json()["detail"])


def test_a_hero_is_added_read_changed_and_removed(service: Served, sample: TestDatabase) -> None:
    hero = added(service)
    expected = {"id": hero["id"], "name": "Spider-Boy", "age": 16, "team_id": 1, "team": "Preventers"}
    assert hero == expected
    path = f"/heroes/{hero['id']}"
    assert service.client.get(path).json() == expected
    expected |= {"name": "Spider-Man", "age": None}
    assert service.client.patch(path, json={"name": "Spider-Man", "age": None}).json() == expected
    assert service.client.patch(path, json={}).json() == expected
    assert sample.execute("SELECT name, secret_name, age FROM hero") == [("Spider-Man", "Pedro Parqueador", None)]
    assert service.client.delete(path).json() == expected
    assert sample.execute("SELECT * FROM hero") == []
    for gone in (service.client.get(path), service.client.patch(path, json={}), service.client.delete(path)):
        assert detail(gone, 404) == f'there is no hero "{hero["id"]}"'


def test_an_id_is_never_taken_for_a_name(service: Served) -> None:
    hero = added(service, name="4711")
    assert detail(service.client.delete("/heroes/4711"), 404)
    assert service.client.get(f"/heroes/{hero['id']}").json()["name"] == "4711"


def test_heroes_come_in_pages_and_by_team(service: Served) -> None:
    ids = [added(service, name=f"hero {n}", team_id=1 + n % 2)["id"] for n in range(5)]
    assert [hero["id"] for hero in service.client.get("/heroes/").json()] == ids
    pages, after = [], 0
    while page := service.client.get("/heroes/", params={"limit": 2, "after": after}).json():
        pages.append([hero["id"] for hero in page])
        after = page[-1]["id"]
    assert pages == [ids[:2], ids[2:4], ids[4:]]
    assert [hero["id"] for hero in service.client.get("/heroes/", params={"team_id": 2}).json()] == ids[1::2]
    assert detail(service.client.get("/heroes/", params={"team_id": 7}), 404) == 'there is no team "7"'


def test_teams_are_added_and_listed(service: Served) -> None:
    added(service)
    answer = service.client.post("/teams/", json={"name": "Avengers", "headquarters": "Tower"})
    assert answer.status_code == 201
    assert answer.json() == {"id": 3, "name": "Avengers", "headquarters": "Tower", "heroes": 0}
    assert [(team["name"], team["heroes"]) for team in service.client.get("/teams/").json()] == [
        ("Preventers", 1),
        ("Z-Force", 0),
        ("Avengers", 0),
    ]
    assert (
        detail(service.client.post("/teams/", json={"name": "Avengers"}), 409)
        == 'there is already a team "Avengers" (id 3)'
    )


def test_a_hero_moves_by_a_transfer_alone(service: Served) -> None:
    hero = added(service)
    move = {"hero_id": hero["id"], "from_team_id": 1, "to_team_id": 2}
    refusal = detail(service.client.patch(f"/heroes/{hero['id']}", json={"team_id": 2}), 409)
    assert refusal.endswith("is in a team already")
    answer = service.client.post("/transfers/", json=move)
    assert answer.status_code == 201
    logged = answer.json()
    assert (logged["hero"], logged["from_team"], logged["to_team"]) == ("Spider-Boy", "Preventers", "Z-Force")
    assert 'is not in team 1 "Preventers"' in detail(service.client.post("/transfers/", json=move), 409)
    assert "there is no hero" in detail(service.client.post("/transfers/", json=move | {"hero_id": 7}), 404)
    assert service.client.get("/transfers/", params={"hero_id": hero["id"]}).json() == [logged]
    assert service.client.get("/transfers/", params={"after": logged["id"]}).json() == []


def test_of_many_transfers_at_once_one_moves_the_hero(service: Served, sample: TestDatabase) -> None:
    heroes = [added(service)["id"] for _ in range(5)]

    def move(hero: int) -> int:
        body = {"hero_id": hero, "from_team_id": 1, "to_team_id": 2}
        return service.client.post("/transfers/", json=body).status_code

    with ThreadPoolExecutor(20) as clients:
        answers = list(clients.map(move, [hero for hero in heroes for _ in range(8)]))
    # MariaDB, since 11.6, tells some that what they had read has changed, and that they may try again: 503.
    again = answers.count(503) if isolates_snapshots(sample) else 0
    assert sorted(answers) == [201] * 5 + [409] * (35 - again) + [503] * again
    assert sorted(sample.execute("SELECT hero_id FROM transfer_log")) == [(hero,) for hero in heroes]
    assert set(sample.execute("SELECT team_id FROM hero")) == {(2,)}


def test_no_answer_holds_a_secret_name(service: Served) -> None:
    hero = added(service)["id"]
    move = {"hero_id": hero, "from_team_id": 1, "to_team_id": 2}
    requests: list[tuple[str, str, Any]] = [
        ("GET", "/heroes/", None),
        ("GET", f"/heroes/{hero}", None),
        ("PATCH", f"/heroes/{hero}", {"secret_name": "Pedro Parqueador II"}),
        ("POST", "/transfers/", move),
        ("GET", "/transfers/", None),
        ("GET", "/teams/", None),
        ("DELETE", f"/heroes/{hero}", None),
    ]
    for method, path, body in requests:
        answer = service.client.request(method, path, json=body)
        assert answer.status_code < 300, answer.text
        assert "Pedro" not in answer.text
        assert "secret" not in answer.text


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """The service on SQLite, for whoever has the token."""
    database = TestDatabase.on_file(tmp_path_factory.mktemp("guarded") / "database.db")
    with Served(create_app(profile_of(database), token="sésame")) as served:
        served.client.headers.update({b"Authorization": "Bearer sésame".encode()})
        yield served


@pytest.mark.parametrize(
    "body",
    [
        pytest.param({"secret_name": "Pedro Parqueador"}, id="missing"),
        pytest.param(SPIDER_BOY | {"age": -1}, id="negative"),
        pytest.param(SPIDER_BOY | {"age": 2**31}, id="too great"),
        pytest.param(SPIDER_BOY | {"age": "Pedro Parqueador"}, id="no number"),
        pytest.param(SPIDER_BOY | {"name": ""}, id="empty"),
        pytest.param(SPIDER_BOY | {"secret_name": "Pedro Parqueador" * 20}, id="too long"),
        pytest.param(SPIDER_BOY | {"secret_name": "Pedro Parqueador\0"}, id="NUL"),
        pytest.param(SPIDER_BOY | {"identity": "Pedro Parqueador"}, id="unknown"),
    ],
)
def test_a_value_that_is_not_allowed_is_refused_without_being_repeated(guarded: Served, body: dict[str, Any]) -> None:
    answer = guarded.client.post("/heroes/", json=body)
    assert answer.status_code == 422, answer.text
    assert "Pedro" not in answer.text
    assert "Value error" not in answer.text


@pytest.mark.parametrize("body", ['{"name": "\\ud800"}', '{"\\ud800": 1}', '{"age": NaN}', "{", "[]", '"\\u0000"'])
def test_what_json_can_hold_and_a_database_can_not_is_refused(guarded: Served, body: str) -> None:
    answer = guarded.client.post("/heroes/", content=body, headers={"Content-Type": "application/json"})
    assert answer.status_code == 422, answer.text


@pytest.mark.parametrize("given", ["", "Bearer wrong", "Basic c2VzYW1l", "Bearer", "Bearer sésam"])
@pytest.mark.parametrize("path", ["/heroes/", "/teams/", "/transfers/", "/livez", "/readyz", "/metrics"])
def test_a_token_is_asked_for(guarded: Served, path: str, given: str) -> None:
    answer = guarded.client.get(path, headers={b"Authorization": given.encode()})
    assert detail(answer, 401) == "the bearer token is missing or wrong"
    assert answer.headers["WWW-Authenticate"] == "Bearer"


def test_who_has_the_token_comes_in(guarded: Served) -> None:
    assert guarded.client.get("/livez").json() == {"alive": True}
