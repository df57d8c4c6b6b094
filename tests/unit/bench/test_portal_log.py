from __future__ import annotations

from typing import Any

import pytest

from tools.bench.portal_log import Request, Traffic, kind_of, parse_request


def request(seq: int, arrived_ms: int, kind: str = "upsert", status: int = 200, **more: Any) -> Request:
    return Request(
        seq=seq, arrived_ms=arrived_ms, answered_ms=arrived_ms + 500, kind=kind, status=status, payload_bytes=None
    )


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/crm/objects/2026-09/contacts/batch/upsert", "upsert"),
        ("/crm/v3/objects/contacts/batch/read", "read"),
        ("/crm/objects/2026-09/contacts/batch/archive", "archive"),
        ("/crm/objects/2026-09/contacts/search", "search"),
        ("/crm/v3/objects/contacts", "create"),
        ("/crm/properties/2026-09/contacts", "other"),
        ("/account-info/2026-09/details", "other"),
    ],
)
def test_kind_of_a_path(path: str, kind: str):
    assert kind_of(path) == kind


def test_traffic_counts_refused_requests_apart():
    traffic = Traffic((), (request(1, 0), request(2, 10, status=429), request(3, 20, kind="read")))

    assert (traffic.by_kind, traffic.refused, traffic.writes) == ({"read": 1, "upsert": 2}, 1, 1)


def test_refused_requests_arrived_too():
    traffic = Traffic((), (request(1, 0), request(2, 10, status=429)))

    assert traffic.most_in_10s == 2


def test_window_holds_the_requests_before_the_run():
    traffic = Traffic((request(1, 0), request(2, 9_000)), (request(3, 10_000),))

    assert traffic.most_in_10s == 2


def test_delivery_is_from_the_first_arrival_to_the_last_answer_of_delivering_requests():
    around = request(1, 0, kind="other"), request(4, 90_000, kind="other")
    traffic = Traffic((), (around[0], request(2, 1_000), request(3, 3_000, kind="read"), around[1]))

    assert traffic.delivery_s == 2.5


def test_run_without_a_delivery_takes_no_time():
    assert Traffic((), (request(1, 0, kind="other"),)).delivery_s == 0


def entry(**more: Any) -> dict[str, Any]:
    path = "/crm/v3/objects/contacts/batch/upsert"
    return {"seq": 7, "arrived": 1000, "answered": 1500, "path": path, "status": 207, **more}


def test_sizes_are_told_only_when_the_log_has_them():
    assert parse_request(entry()).payload_bytes is None
    assert parse_request(entry(request_bytes=100, answer_bytes=20)).payload_bytes == 120


def test_payload_is_unknown_when_one_entry_lacks_it():
    known, unknown = parse_request(entry(request_bytes=100, answer_bytes=20)), parse_request(entry())

    assert Traffic((), (known, known)).payload_bytes == 240
    assert Traffic((), (known, unknown)).payload_bytes is None
