"""The HubSpot client against the simulator as a separate process on a loopback socket."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

import httpx
import pytest

from include.hubspot_sync.config import load_definitions
from include.hubspot_sync.destination.hubspot.address import ApiVersion
from include.hubspot_sync.destination.hubspot.client import ClientSettings, HubSpotClient
from include.hubspot_sync.destination.hubspot.compare import differing_properties
from include.hubspot_sync.destination.hubspot.portal import missing_scopes, surplus_scopes
from include.hubspot_sync.destination.hubspot.properties import (
    compare_properties,
    wanted_properties,
)
from include.hubspot_sync.destination.protocol import Reason, Verdict
from include.hubspot_sync.errors import AuthError, ConfigError, QuotaExhaustedError
from include.hubspot_sync.records import Change, Operation, Outcome

pytestmark = pytest.mark.integration

REPOSITORY = Path(__file__).parents[2]
DEFINITION = load_definitions()["baby_names"]
KEY = DEFINITION.destination.key_property
TYPES = {item.name: item.type for item in DEFINITION.destination.properties}
WANTED = wanted_properties(DEFINITION.destination)
SETTINGS = ClientSettings.from_definition(DEFINITION, trace_prefix="r1")
FULL, NO_SCHEMA, EXPIRED = "pat-sim-full-access", "pat-sim-no-schema-scopes", "pat-sim-expired"
READY = "hubspot simulator listening on "
Value = TypeVar("Value")


class Simulator:
    """A running simulator and its control interface."""

    def __init__(self, url: str) -> None:
        self.url = url

    def control(self, method: str, path: str, body: object = None) -> httpx.Response:
        response = httpx.request(method, f"{self.url}/__sim/{path}", json=body, trust_env=False)
        return response.raise_for_status()

    def knobs(self, **values: object) -> None:
        self.control("POST", "config", values)

    def fault(self, action: str, *, path: str = "batch/upsert", **extra: object) -> None:
        phase = extra.pop("phase", "pre")
        match = {"path_regex": path, **extra.pop("match", {})}
        body = {"match": match, "phase": phase, "times": 1, "action": {"type": action, **extra}}
        self.control("POST", "faults", body)

    def ask(
        self,
        call: Callable[[HubSpotClient], Awaitable[Value]],
        *,
        token: str = FULL,
        settings: ClientSettings = SETTINGS,
    ) -> Value:
        async def run() -> Value:
            async with HubSpotClient.connect(self.url, lambda: token, settings) as client:
                return await call(client)

        return asyncio.run(run())

    def create_properties(self) -> None:
        async def create(client: HubSpotClient) -> None:
            for finding in await findings(client):
                assert finding.can_create
                assert await client.create_property(finding.wanted)

        self.ask(create)


async def findings(client: HubSpotClient):
    active = await client.list_properties(archived=False)
    archived = await client.list_properties(archived=True)
    return compare_properties(WANTED, active, archived)


@pytest.fixture(scope="module")
def process() -> Iterator[Simulator]:
    command = [sys.executable, "-m", "tools.hubspot_simulator", "--port", "0", "--db", ":memory:"]
    with subprocess.Popen([*command, "--latency", "zero"], cwd=REPOSITORY, stdout=subprocess.PIPE, text=True) as server:
        try:
            assert server.stdout is not None
            line = next(text for text in server.stdout if READY in text)
            yield Simulator(line.partition(READY)[2].strip())
        finally:
            server.terminate()


@pytest.fixture
def simulator(process: Simulator) -> Simulator:
    """An empty portal without faults, with default knobs and with the properties of the sync."""
    process.control("POST", "reset")
    process.control("DELETE", "faults")
    process.knobs(
        partial_status="207", echo_trace_id="errors_only", group_errors=False, number_echo="as_sent",
        search_lag_ms=0, daily_override=None, daily_used=0, latency_reject_ms=0,
        contact_limit=15_000_000, echo_key=True, archive_unknown="204", portal_rules=[],
        usage_fetch_status="SUCCESS", burst_override=1000, lock_ms=0,
    )  # fmt: skip
    process.create_properties()
    return process


def change(number: int, **properties: str) -> Change:
    return Change(
        seq=number,
        operation=Operation.CREATE,
        key_text=f"name{number:03d}-f",
        properties={
            "firstname": f"Name{number}",
            "baby_sex": "F",
            "total_births": str(1_000 + number),
            "first_year": "1900",
            "last_year": "2000",
            "peak_year": "1950",
            "peak_births": "17",
            **properties,
        },
    )


def changes(count: int) -> list[Change]:
    return [change(number) for number in range(count)]


def upsert(simulator: Simulator, items: list[Change], **options):
    return simulator.ask(lambda client: client.upsert(items), **options)


def read(simulator: Simulator, keys: list[str], **options):
    return simulator.ask(lambda client: client.read(keys), **options)


def contacts(simulator: Simulator) -> int:
    return simulator.ask(lambda client: client.search_total(KEY))


@pytest.mark.parametrize("version", list(ApiVersion))
@pytest.mark.parametrize("echo", ["errors_only", "true"])
def test_a_hundred_contacts_are_written_read_back_and_archived(simulator, version, echo):
    simulator.knobs(echo_trace_id=echo)
    settings = replace(SETTINGS, version=version)
    items = changes(100)
    keys = [item.key_text for item in items]

    written = upsert(simulator, items, settings=settings)
    stored = read(simulator, keys, settings=settings)
    ids = [stored.found[key].hubspot_id for key in keys]
    archived = simulator.ask(lambda client: client.archive(ids), settings=settings)
    gone = read(simulator, keys, settings=settings)

    assert written.verdict is Verdict.SETTLED
    assert {item.outcome for item in written.outcomes} == {Outcome.DELIVERED}
    assert [item.hubspot_id for item in written.outcomes] == ids
    assert written.rate is not None
    assert written.rate.max == 1000
    assert written.correlation_id
    for item in items:
        held = stored.found[item.key_text].properties
        assert differing_properties(item.properties, held, TYPES) == ()
    assert archived.verdict is Verdict.SETTLED
    assert gone.missing == set(keys)


def test_every_keyed_contact_is_found_page_by_page(simulator):
    for start in range(0, 500, 100):
        upsert(simulator, [change(number) for number in range(start, start + 100)])
    found, after_id, pages = {}, 0, 0
    while True:
        page = simulator.ask(lambda client, after=after_id: client.search_keys(after))
        found |= page.key_texts
        pages += 1
        if page.is_last:
            break
        after_id = max(page.key_texts)

    assert pages == 3
    assert sorted(found.values()) == sorted(f"name{number:03d}-f" for number in range(500))


def test_search_between_two_ids_finds_exactly_those_between(simulator):
    answer = upsert(simulator, changes(10))
    ids = sorted(outcome.hubspot_id for outcome in answer.outcomes)

    page = simulator.ask(lambda client: client.search_keys(ids[2], ids[6]))

    assert sorted(page.key_texts) == ids[3:7]
    assert page.is_last


@pytest.mark.parametrize("action", ["bad_json", "html_200", "empty_2xx"])
def test_page_that_cannot_be_used_is_asked_for_again(simulator, action):
    upsert(simulator, changes(3))
    simulator.fault(action, path="search")

    answer = simulator.ask(lambda client: client.search_keys(0))

    assert answer.verdict is Verdict.RETRY
    assert not answer.is_last


def test_the_same_batch_again_makes_no_second_contact(simulator):
    first = upsert(simulator, changes(10))
    second = upsert(simulator, changes(10))

    assert [a.hubspot_id for a in first.outcomes] == [b.hubspot_id for b in second.outcomes]
    assert contacts(simulator) == 10


@pytest.mark.parametrize("grouped", [False, True])
@pytest.mark.parametrize("status", ["207", "200"])
def test_bad_rows_are_rejected_and_do_not_hold_up_the_others(simulator, grouped, status):
    simulator.knobs(group_errors=grouped, partial_status=status)
    items = [change(n, **({"baby_sex": "X"} if n in {3, 7} else {})) for n in range(20)]

    answer = upsert(simulator, items)

    rejected = {n for n, item in enumerate(answer.outcomes) if item.outcome is Outcome.REJECTED}
    assert rejected == {3, 7}
    assert {answer.outcomes[n].reason for n in rejected} == {"INVALID_OPTION"}
    assert answer.status == int(status)
    assert contacts(simulator) == 18


def test_missing_and_existing_keys_are_told_apart(simulator):
    upsert(simulator, [change(1)])

    answer = read(simulator, ["name001-f", "nobody-f"])

    assert set(answer.found) == {"name001-f"}
    assert answer.missing == {"nobody-f"}


def test_one_impossible_key_is_missing(simulator):
    assert read(simulator, ["no such key"]).missing == {"no such key"}


def test_a_number_in_another_form_is_no_difference(simulator):
    simulator.knobs(number_echo="canonical")
    upsert(simulator, [change(1, total_births="1000.50")])

    held = read(simulator, ["name001-f"]).found["name001-f"].properties

    assert differing_properties({"total_births": "1000.50"}, held, TYPES) == ()


def test_the_key_among_the_properties_names_a_result_when_nothing_else_does(simulator):
    simulator.knobs(echo_key=False)

    answer = upsert(simulator, changes(3))

    assert {item.outcome for item in answer.outcomes} == {Outcome.DELIVERED}


STATUS_FAULTS = [
    (423, Verdict.SLOW), (477, Verdict.DEFER), (500, Verdict.RETRY), (502, Verdict.SLOW),
    (503, Verdict.RETRY), (504, Verdict.SLOW), (520, Verdict.RETRY), (404, Verdict.STOP),
    (413, Verdict.SPLIT), (415, Verdict.STOP), (302, Verdict.STOP), (599, Verdict.RETRY),
]  # fmt: skip


@pytest.mark.parametrize(("status", "verdict"), STATUS_FAULTS)
@pytest.mark.parametrize("body", ["json", "html", "empty"])
def test_a_forced_status_has_its_verdict_whatever_the_body(simulator, status, verdict, body):
    simulator.fault("status", code=status, body=body)

    answer = upsert(simulator, changes(2))

    assert (answer.status, answer.verdict) == (status, verdict)
    assert answer.outcomes == ()


@pytest.mark.parametrize(
    ("policy", "verdict"),
    [
        ("TEN_SECONDLY_ROLLING", Verdict.SLOW),
        ("SECONDLY", Verdict.SLOW),
        ("DAILY", Verdict.DEFER),
    ],
)
def test_a_limit_names_its_policy_and_its_wait(simulator, policy, verdict):
    simulator.fault("429", policy=policy, retry_after=7)

    answer = upsert(simulator, changes(2))

    assert (answer.verdict, answer.policy, answer.retry_after_s) == (verdict, policy, 7.0)
    assert not answer.sent


@pytest.mark.parametrize("style", ["errorType", "category", "both"])
def test_a_used_up_day_stops_sending(simulator, style):
    simulator.knobs(rate_body_style=style, daily_override=100, daily_used=100)

    answer = upsert(simulator, changes(2))

    assert answer.verdict is Verdict.DEFER
    with pytest.raises(QuotaExhaustedError):
        simulator.ask(lambda client: client.account())


@pytest.mark.parametrize("action", ["bad_json", "html_200", "empty_2xx"])
def test_an_answer_that_looks_fine_proves_nothing(simulator, action):
    simulator.fault(action)

    answer = upsert(simulator, changes(3))

    assert answer.verdict is Verdict.SETTLED
    assert {item.outcome for item in answer.outcomes} == {Outcome.UNKNOWN}


@pytest.mark.parametrize(("phase", "applied"), [("pre", 0), ("post_commit", 3)])
@pytest.mark.parametrize("reset", [False, True])
def test_a_dropped_connection_is_settled_by_reading_back(simulator, phase, applied, reset):
    simulator.fault("drop", phase=phase, reset=reset)
    items = changes(3)

    answer = upsert(simulator, items)
    stored = read(simulator, [item.key_text for item in items])

    assert (answer.verdict, answer.reason) == (Verdict.RETRY, Reason.CONNECTION_BROKEN)
    assert answer.sent
    assert (len(stored.found), len(stored.missing)) == (applied, 3 - applied)


def test_a_hanging_answer_ends_at_the_time_limit(simulator):
    simulator.fault("hang", s=30)

    answer = upsert(simulator, changes(1), settings=replace(SETTINGS, request_timeout_s=0.3))

    assert (answer.verdict, answer.reason, answer.sent) == (Verdict.RETRY, Reason.TIMEOUT, True)


def test_a_foreign_result_makes_the_whole_call_unknown(simulator):
    simulator.fault("foreign_result", phase="post_commit")

    answer = upsert(simulator, changes(3))

    assert {item.outcome for item in answer.outcomes} == {Outcome.UNKNOWN}


def test_a_result_that_is_left_out_stays_open_and_is_found_by_reading_back(simulator):
    simulator.fault("wrong_count", phase="post_commit")
    items = changes(3)

    answer = upsert(simulator, items)
    unnamed = [item.key_text for item in answer.outcomes if item.outcome is Outcome.UNKNOWN]

    assert len(unnamed) == 1
    assert answer.reason == Reason.NOT_NAMED
    assert set(read(simulator, unnamed).found) == set(unnamed)


def test_results_without_trace_ids_are_matched_by_key(simulator):
    simulator.knobs(echo_trace_id="true")
    simulator.fault("results_without_trace", phase="post_commit")

    answer = upsert(simulator, changes(3))

    assert {item.outcome for item in answer.outcomes} == {Outcome.DELIVERED}


def test_an_error_without_trace_id_makes_the_whole_call_unknown(simulator):
    simulator.fault("results_without_trace", phase="post_commit")

    answer = upsert(simulator, [change(1), change(2, baby_sex="X")])

    assert {item.outcome for item in answer.outcomes} == {Outcome.UNKNOWN}
    assert answer.reason == Reason.UNNAMED_ERROR


def test_any_row_error_keeps_its_code_and_text(simulator):
    simulator.fault(
        "row_error",
        category="CONFLICT",
        error_code="CONFLICTING_UNIQUE_VALUE",
        message="taken",
        match={"row": {"prop": KEY, "regex": "^name001"}},
    )

    answer = upsert(simulator, changes(3))

    refused = answer.outcomes[1]
    assert (refused.outcome, refused.reason) == (Outcome.REJECTED, "CONFLICTING_UNIQUE_VALUE")
    assert "taken" in refused.reason_text


@pytest.mark.parametrize("action", ["lost_row", "wrong_value"])
def test_silent_damage_is_found_by_reading_back(simulator, action):
    simulator.fault(action, match={"row": {"prop": KEY, "regex": "^name001"}})
    items = changes(3)

    answer = upsert(simulator, items)
    stored = read(simulator, [item.key_text for item in items])

    assert {item.outcome for item in answer.outcomes} == {Outcome.DELIVERED}
    damaged = {
        item.key_text
        for item in items
        if item.key_text not in stored.found
        or differing_properties(item.properties, stored.found[item.key_text].properties, TYPES)
    }
    assert damaged == {"name001-f"}


@pytest.mark.parametrize("prop", ["total_births", KEY])
def test_a_property_archived_in_mid_run_stops_instead_of_rejecting(simulator, prop):
    simulator.fault("property_archived", prop=prop)

    upsert(simulator, changes(2))
    answer = upsert(simulator, changes(2))

    assert answer.verdict is Verdict.STOP
    assert answer.outcomes == ()
    with pytest.raises(AssertionError):
        simulator.create_properties()


def test_a_portal_rule_stops_a_full_batch_with_its_text(simulator):
    rule = {"name": "owner", "if_prop": "baby_sex", "equals": "F", "then_required": "phone"}
    simulator.knobs(portal_rules=[rule])

    whole = upsert(simulator, changes(50))
    mixed = upsert(simulator, [change(1), change(2, baby_sex="M")])

    assert whole.verdict is Verdict.STOP
    assert "phone is required when baby_sex is F" in whole.message
    assert [item.outcome for item in mixed.outcomes] == [Outcome.REJECTED, Outcome.DELIVERED]
    assert mixed.outcomes[0].reason == "PORTAL_RULE"


def test_a_full_portal_stops_creates_but_not_updates(simulator):
    upsert(simulator, [change(1)])
    simulator.knobs(contact_limit=1)

    mixed = upsert(simulator, [change(1), change(2)])
    alone = upsert(simulator, [change(2)])

    assert [item.outcome for item in mixed.outcomes] == [Outcome.DELIVERED, Outcome.RETRYABLE]
    assert alone.verdict is Verdict.STOP


def test_a_key_property_without_unique_values_stops(simulator):
    settings = replace(SETTINGS, key_property="lastname")

    written = upsert(simulator, changes(2), settings=settings)
    found = read(simulator, ["name001-f"], settings=settings)

    assert (written.verdict, written.reason) == (Verdict.STOP, Reason.KEY_UNUSABLE)
    assert found.verdict is Verdict.STOP


def test_keys_that_differ_in_case_only_stop(simulator):
    items = [change(1), replace(change(2), key_text="NAME001-F")]

    answer = upsert(simulator, items)

    assert (answer.verdict, answer.reason) == (Verdict.STOP, Reason.DUPLICATE_KEYS)


@pytest.mark.parametrize("unknown", ["204", "207"])
def test_archiving_what_is_not_there_is_no_proof_and_no_error(simulator, unknown):
    simulator.knobs(archive_unknown=unknown)

    answer = simulator.ask(lambda client: client.archive([123_456_789]))

    assert answer.verdict is Verdict.SETTLED


def test_preflight_reads_token_account_usage_and_limit(simulator):
    token = simulator.ask(lambda client: client.token_info())
    account = simulator.ask(lambda client: client.account())
    usage = simulator.ask(lambda client: client.daily_usage())
    limit = simulator.ask(lambda client: client.record_limit())

    assert token.hub_id == account.portal_id == 4_711_004
    assert missing_scopes(token.scopes, creates_properties=True) == ()
    assert surplus_scopes(token.scopes) == ()
    assert account.time_zone == "America/New_York"
    assert account.rate is not None
    assert account.rate.interval_ms == 10_000
    assert usage.trusted
    assert 0 < usage.current < usage.limit
    assert usage.resets_at is not None
    assert (limit.limit, limit.usage) == (15_000_000, 0)


def test_a_usage_that_hubspot_does_not_know_is_not_trusted(simulator):
    simulator.knobs(usage_fetch_status="TIMEOUT")

    assert not simulator.ask(lambda client: client.daily_usage()).trusted


def test_created_properties_are_complete_and_creating_again_is_no_error(simulator):
    left = simulator.ask(findings)
    again = simulator.ask(lambda client: client.create_property(WANTED[0]))

    assert left == ()
    assert again is False


def test_a_token_without_schema_scopes_cannot_create_and_the_scope_is_named(simulator):
    token = simulator.ask(lambda client: client.token_info(), token=NO_SCHEMA)
    missing = replace(WANTED[1], name="another")

    assert missing_scopes(token.scopes, creates_properties=True) == ("crm.schemas.contacts.write",)
    with pytest.raises(AuthError, match=r"connection hubspot .* crm\.schemas\.contacts\.write"):
        simulator.ask(lambda client: client.create_property(missing), token=NO_SCHEMA)


def test_a_property_in_an_unknown_group_says_why(simulator):
    wrong = replace(WANTED[1], name="another", group_name="nowhere")

    with pytest.raises(ConfigError, match="group"):
        simulator.ask(lambda client: client.create_property(wrong))


@pytest.mark.parametrize("token", [EXPIRED, "pat-unknown-token"])
def test_a_bad_token_asks_for_a_new_one(simulator, token):
    answer = upsert(simulator, changes(1), token=token)

    assert answer.verdict is Verdict.REAUTH
    assert not answer.sent
    with pytest.raises(AuthError, match="connection hubspot"):
        simulator.ask(lambda client: client.account(), token=token)
