"""What the service says of itself is complete and true: whatever is sent to it, it answers as the document says."""

from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis import GenerationMode
from schemathesis.core.result import Ok

from dbctl.profiles import Profile
from dbctl.sample.api import create_app
from tests.fastapi.serving import Served
from tests.harness.database import TestDatabase

BOUNDS = settings(
    max_examples=12, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck)
)


@pytest.fixture(scope="module", params=[False, True], ids=["sync", "async"])
def document(request: pytest.FixtureRequest) -> dict[str, Any]:
    """The service's OpenAPI document."""
    return create_app("development", asynchronous=request.param, token="sesame").openapi()


def operations(document: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield method.upper(), path, operation


def properties(document: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Yield each schema's properties, with what is said of them where they may also be null."""
    for schema, described in document["components"]["schemas"].items():
        for name, said in described.get("properties", {}).items():
            yield schema, name, said | (said["anyOf"][0] if "anyOf" in said else {})


def test_both_drivers_have_the_same_routes() -> None:
    sync, other = (create_app("development", asynchronous=asynchronous).openapi() for asynchronous in (False, True))
    assert sync == other
    assert {(method, path) for method, path, _ in operations(sync)} == {
        *[(method, "/heroes/") for method in ("GET", "POST")],
        *[(method, "/heroes/{hero_id}") for method in ("GET", "PATCH", "DELETE")],
        *[(method, path) for path in ("/teams/", "/transfers/") for method in ("GET", "POST")],
        *[("GET", path) for path in ("/livez", "/readyz", "/metrics")],
    }


def test_every_operation_is_described_with_its_errors(document: dict[str, Any]) -> None:
    for method, path, operation in operations(document):
        assert operation.get("description") or operation["summary"], path
        expected = {"401"}
        if "health" not in operation["tags"]:
            expected |= {"503"}
            expected |= {"404"} if "{" in path else set()
            expected |= {"400", "422"} if "requestBody" in operation else set()
        assert expected <= operation["responses"].keys(), (method, path)
        for status, answer in operation["responses"].items():
            assert answer["content"], (method, path, status)
            assert answer["description"], (method, path, status)
    assert "409" in document["paths"]["/transfers/"]["post"]["responses"]


def test_every_field_has_an_example(document: dict[str, Any]) -> None:
    ours = ("Hero", "Team", "Transfer")
    without = [
        (schema, name)
        for schema, name, said in properties(document)
        if schema.startswith(ours) and not (said.get("examples") or said.get("format"))
    ]
    assert without == []


def test_a_secret_name_is_taken_and_never_given(document: dict[str, Any]) -> None:
    assert {schema for schema, name, _ in properties(document) if name == "secret_name"} == {"HeroCreate", "HeroUpdate"}
    for method, path, operation in operations(document):
        assert "HeroCreate" not in str(operation["responses"]), (method, path)
        assert "HeroUpdate" not in str(operation["responses"]), (method, path)


@pytest.mark.parametrize("mode", GenerationMode, ids=lambda mode: str(mode.value))
def test_whatever_is_sent_the_answer_is_one_of_those_in_the_document(
    profile: Profile, sample: TestDatabase, mode: GenerationMode
) -> None:
    sample.execute("INSERT INTO hero (name, secret_name, team_id) VALUES ('Deadpond', 'Dive Wilson', 1)")
    seen: set[int] = set()
    # Both drivers have their turn, on one database or the other.
    with Served(create_app(profile, asynchronous=sample.kind == "postgresql")) as service:
        schema = schemathesis.openapi.from_dict(service.client.get("/openapi.json").json())
        schema.config.update(base_url=str(service.client.base_url))
        for operation in schema.get_all_operations():
            assert isinstance(operation, Ok)
            found = operation.ok()
            if mode is GenerationMode.NEGATIVE and not {"parameters", "requestBody"} & found.definition.raw.keys():
                continue  # nothing can be sent to it that would be wrong

            @BOUNDS
            @given(case=found.as_strategy(generation_mode=mode))
            def check(case: Any) -> None:
                seen.add(case.call_and_validate().status_code)

            check()
    assert (200 if mode is GenerationMode.POSITIVE else 422) in seen
