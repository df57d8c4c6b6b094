"""Nothing a client sends may end in a 5xx or break the frame of an error."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.simulators.hubspot.harness import CONTACTS, PROPERTIES, Simulator, build, rows

TEXT = st.one_of(
    st.sampled_from(["", "a", "1", "name00001-f", "email", "baby_name_key", "\x00", "ß\u202e"]), st.text(max_size=8)
)
JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False), TEXT),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(TEXT, inner, max_size=3)),
    max_leaves=6,
)
VALUES = st.dictionaries(
    st.sampled_from(["firstname", "email", "baby_name_key", "total_births", "baby_sex", "x"]), TEXT
)
INPUT = st.fixed_dictionaries(
    {},
    optional={
        "id": st.one_of(TEXT, JSON),
        "idProperty": st.one_of(st.sampled_from(["baby_name_key", "email", "hs_object_id"]), JSON),
        "objectWriteTraceId": st.one_of(TEXT, JSON),
        "properties": st.one_of(VALUES, JSON),
    },
)
FILTER = st.fixed_dictionaries(
    {},
    optional={
        "propertyName": st.sampled_from(["firstname", "total_births", "createdate", "hs_object_id", "x"]),
        "operator": st.sampled_from(["EQ", "BETWEEN", "IN", "CONTAINS_TOKEN", "NOT_IN", "HAS_PROPERTY", "x"]),
        "value": st.one_of(TEXT, JSON),
        "highValue": TEXT,
        "values": st.one_of(st.lists(TEXT, max_size=3), JSON),
    },
)
BODY = st.one_of(
    JSON,
    st.fixed_dictionaries(
        {},
        optional={
            "inputs": st.one_of(st.lists(INPUT, max_size=4), JSON),
            "properties": st.one_of(VALUES, st.lists(TEXT, max_size=3), JSON),
            "propertiesWithHistory": st.one_of(st.lists(TEXT, max_size=3), JSON),
            "idProperty": st.one_of(st.sampled_from(["baby_name_key", "email"]), JSON),
            "filterGroups": st.one_of(
                st.lists(st.fixed_dictionaries({"filters": st.lists(FILTER, max_size=3)}), max_size=2), JSON
            ),
            "sorts": st.one_of(st.lists(TEXT, max_size=2), JSON),
            "query": JSON,
            "limit": st.one_of(st.integers(-1, 300), JSON),
            "after": JSON,
            "objectId": JSON,
            "primaryObjectId": JSON,
            "objectIdToMerge": JSON,
            "tokenKey": JSON,
            "name": TEXT,
            "label": JSON,
            "type": st.one_of(st.sampled_from(["string", "enumeration", "number"]), JSON),
            "fieldType": st.one_of(st.sampled_from(["text", "select", "number"]), JSON),
            "groupName": st.one_of(st.just("contactinformation"), JSON),
            "options": JSON,
            "hasUniqueValue": JSON,
        },
    ),
)
PATHS = [
    *(f"{CONTACTS}/batch/{name}" for name in ("upsert", "update", "create", "read", "archive")),
    *(
        f"{CONTACTS}{tail}"
        for tail in ("", "/search", "/merge", "/gdpr-delete", "/1", "/name00001-f?idProperty=baby_name_key")
    ),
    *(f"{PROPERTIES}{tail}" for tail in ("", "/batch/create", "/groups", "/baby_sex", "/total_births")),
    "/oauth/v2/private-apps/get/access-token-info",
    "/crm/limits/2026-09/records",
    "/crm/v3/objects/contacts/batch/upsert",
    "/account-info/v3/details",
]


@pytest.fixture(scope="module")
def fuzzed() -> Iterator[Simulator]:
    simulator = build(burst_override=10_000_000, daily_override=10_000_000)
    simulator.upsert(rows(5))
    yield simulator
    simulator.close()


def is_fine(method: str, status: int, content: bytes) -> bool:
    if status >= 500:
        return False
    body: Any = json.loads(content) if content else {}
    return status < 400 or (body["status"] == "error" and bool(body["correlationId"]))


@settings(max_examples=600, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    method=st.sampled_from(["POST", "POST", "POST", "PATCH", "GET", "DELETE"]), path=st.sampled_from(PATHS), body=BODY
)
def test_no_body_ends_in_a_5xx(fuzzed: Simulator, method: str, path: str, body: Any) -> None:
    fuzzed.advance(1)

    reply = fuzzed.request(method, path, json.dumps(body).encode("utf-8", "surrogatepass"))

    assert is_fine(method, reply.status, reply.content), reply


@settings(max_examples=200, deadline=None)
@given(body=st.binary(max_size=60), path=st.sampled_from(PATHS))
def test_no_bytes_end_in_a_5xx(fuzzed: Simulator, body: bytes, path: str) -> None:
    fuzzed.advance(1)

    reply = fuzzed.post(path, body)

    assert is_fine("POST", reply.status, reply.content), reply


@settings(max_examples=200, deadline=None)
@given(
    area=st.sampled_from(["/crm/objects/", "/crm/v3/", "/crm/properties/", "/account-info/", "/"]),
    tail=st.lists(
        st.sampled_from(["2026-09", "v3", "contacts", "0-1", "batch", "read", "1", "", "..", "%00"]), max_size=5
    ),
    query=st.text(alphabet="abcdeflimt=&,%0123456789-", max_size=25),
)
def test_no_path_ends_in_a_5xx(fuzzed: Simulator, area: str, tail: list[str], query: str) -> None:
    fuzzed.advance(1)

    reply = fuzzed.get(f"{area}{'/'.join(tail)}?{query}")

    assert is_fine("GET", reply.status, reply.content), reply
