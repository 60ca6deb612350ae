"""The API keeps to its own description: no 5xx whatever it is asked, and every answer has the promised shape."""

from __future__ import annotations

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis.checks import load_all_checks, not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from tests.web.studio_running import served

load_all_checks()

CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]
#: Streams do not end, and the fast engine paints.
ASIDE = ("/events", "/api/fast")


@pytest.fixture(scope="module")
def described(tmp_path_factory):
    with served(tmp_path_factory.mktemp("contract") / "data", "--max-queue", "5") as server:
        server.client.post("/api/queue", json={"paused": True})
        yield schemathesis.openapi.from_url(f"{server.address}api/openapi.json")


@pytest.mark.promise("contract")
def test_every_path_keeps_its_word(described):
    asked = 0
    for found in described.get_all_operations():
        operation = found.ok()
        if operation.path.endswith(ASIDE):
            continue

        # Not by schemathesis' own plugin, which knows older forms of pytest.
        @settings(max_examples=8, suppress_health_check=list(HealthCheck))
        @given(case=operation.as_strategy())
        def keeps_its_word(case):
            case.call_and_validate(checks=CHECKS)

        keeps_its_word()
        asked += 1
    assert asked > 30
