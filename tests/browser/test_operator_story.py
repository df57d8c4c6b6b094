"""What a new operator does, from the first plan to the repaired run: every step in Chromium, in Airflow's own UI.

HubSpot is broken and repaired through the simulator's own API, PagerDuty is a stand-in that keeps incidents by their
dedup key, and what came of it is compared with the file by the simulator's checksum.
"""

from __future__ import annotations

import hashlib
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from playwright.sync_api import Browser, BrowserContext, FrameLocator, Page, expect

from include.hubspot_sync.observe.incident import Condition, Incident
from tests.chaos.stack.airflow_stack import AirflowStack, open_airflow_stack
from tests.support.chromium import ANSWER_MS
from tests.support.outside_world import ROUTING_KEY
from tests.support.servers import server_process
from tools.chaos.place import WITHOUT_AIRFLOW
from tools.chaos.portal import Portal
from tools.chaos.source import expected_contacts
from tools.chaos.waiting import wait_until
from tools.local_stack.ports import any_free_port
from tools.local_stack.services import DAG_ID

pytestmark = [pytest.mark.browser, pytest.mark.timeout(900)]

CONTACTS = 300
RUN_MS = 240_000
"""How long a run may take on a machine with much else to do."""
DELIVERY = {
    "batch_size": 5,
    "small_shard_batches": 100,
    "in_flight": 1,
    "retries": 1,
    "retry_delay_s": 0.1,
    "max_attempts": 1,
}
"""60 small batches, five at a time, and a shard that gives up soon; all of it as the configuration page says."""
UPSERT = "batch/upsert"
ANSWER_DELAY_MS = 3_000
INCIDENT = Incident(Condition.RUNS_FAIL, "baby_names", "local")


@dataclass
class Pager:
    """The stand-in for PagerDuty."""

    url: str

    def triggers(self) -> list[dict[str, Any]]:
        events = httpx.get(f"{self.url}/events", trust_env=False).json()
        return [event for event in events if event["event_action"] == "trigger"]

    def incidents(self) -> dict[str, dict[str, int]]:
        """Return what was opened, by key; events that close what nobody opened make no incident."""
        found = httpx.get(f"{self.url}/incidents", trust_env=False).json()
        return {key: incident for key, incident in found.items() if any(incident.values())}

    def link(self, text: str) -> str:
        """Return a link of the event that opened the incident: PagerDuty shows that one."""
        return next(link["href"] for link in self.triggers()[0]["links"] if link["text"] == text)


@dataclass
class Operator:
    """A person at a browser, who knows the stack's address and password and nothing of its insides."""

    page: Page
    stack: AirflowStack

    @property
    def airflow(self) -> str:
        return self.stack.place.stack.airflow_url

    def log_in(self) -> None:
        self.page.get_by_label("Username").fill(self.stack.place.stack.airflow_user)
        self.page.get_by_label("Password").fill(self.stack.place.stack.airflow_password)
        self.page.get_by_role("button", name="Sign in").click()

    def open_page(self) -> FrameLocator:
        """Open the page from Airflow's menu."""
        self.page.get_by_role("button", name="Browse", exact=True).click()
        self.page.get_by_role("menuitem", name="HubSpot sync").click()
        frame = self.page.frame_locator("iframe")
        expect(frame.get_by_role("heading", name="Syncs")).to_be_visible()
        return frame

    def open_form(self) -> Any:
        self.page.get_by_role("button", name="Trigger Dag", exact=True).click()
        form = self.page.get_by_role("dialog")
        expect(form.get_by_role("button", name="Trigger", exact=True)).to_be_enabled()
        return form

    def send_form(self, form: Any) -> None:
        """Trigger, and wait until Airflow shows the run."""
        form.get_by_role("button", name="Trigger", exact=True).click()
        self.page.wait_for_url(re.compile(rf"/dags/{DAG_ID}/runs/"))

    def choose_mode(self, form: Any, mode: str) -> None:
        form.get_by_role("combobox", name="mode").click()
        self.page.get_by_role("option", name=mode, exact=True).click()

    def clear_failed_shard(self) -> None:
        """From the list of the shards, to which the page leads, into the failed one, and clear it."""
        self.page.wait_for_url(re.compile(rf"/dags/{DAG_ID}/runs/.+/tasks/deliver"))
        self.page.get_by_role("link", name=re.compile(f"^shard 0: {CONTACTS} records")).click()
        self.page.wait_for_url(re.compile(r"/tasks/deliver/mapped/0"))
        self.page.get_by_role("button", name=re.compile(r"^(Clear Task Instance|Press shift\+c to clear)$")).click()
        dialog = self.page.get_by_role("dialog")
        expect(dialog.get_by_text("finish", exact=True)).to_be_visible()
        dialog.get_by_role("button", name="Confirm").click()
        expect(dialog).to_be_hidden()


@pytest.fixture(scope="module")
def pager(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pager]:
    port = any_free_port()
    command = [sys.executable, "-m", "tests.support.outside_world", str(port)]
    log = tmp_path_factory.mktemp("pager") / "outside.log"
    with server_process(command, {}, lambda: f"http://127.0.0.1:{port}/health", log) as url:
        yield Pager(url)


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory, pager: Pager) -> Iterator[AirflowStack]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HUBSPOT_SYNC_PAGERDUTY_URL", pager.url)
        patch.setenv("HUBSPOT_SYNC_PAGERDUTY_KEY", ROUTING_KEY)
        patch.setenv("HUBSPOT_SIM_LATENCY", "zero")
        with open_airflow_stack(tmp_path_factory.mktemp("place"), CONTACTS, DELIVERY) as stack:
            stack.place.start(WITHOUT_AIRFLOW)
            stack.publish()
            stack.place.start()
            yield stack


@pytest.fixture
def portal(stack: AirflowStack) -> Iterator[Portal]:
    portal = Portal(stack.place.stack.hubspot_url)
    yield portal
    portal.close()


@pytest.fixture
def newcomer(browser: Browser, contexts: list[BrowserContext], stack: AirflowStack) -> Any:
    """Return a function: a browser that nobody is logged in to."""

    def open_window() -> Operator:
        context = browser.new_context(viewport={"width": 1280, "height": 900})
        contexts.append(context)
        # the first answers of an API server that just started take long on a busy machine
        context.set_default_timeout(4 * ANSWER_MS)
        return Operator(context.new_page(), stack)

    return open_window


def checksum(contacts: dict[str, dict[str, str]], names: list[str]) -> dict[str, Any]:
    """Return what the simulator's checksum of these contacts has to be, by its documentation."""
    total = 0
    for contact in contacts.values():
        text = "".join(f"{len(contact[name].encode())}:{contact[name]};" for name in names)
        total += int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big")
    return {"count": len(contacts), "sum": f"{total % (1 << 64):016x}", "props": names}


def portal_checksum(stack: AirflowStack, names: list[str]) -> dict[str, Any]:
    url = f"{stack.place.stack.hubspot_url}/__sim/checksum"
    return httpx.get(url, params={"props": ",".join(names)}, trust_env=False).raise_for_status().json()


def test_new_operator_plans_applies_repairs_and_sees_the_incident_close(
    stack: AirflowStack, pager: Pager, portal: Portal, newcomer: Any, picture: Any
):
    operator = newcomer()
    make_a_plan(operator, picture)
    assert stack.write_calls() == 0

    portal.add_fault({"type": "delay", "ms": ANSWER_DELAY_MS}, path_regex=UPSERT)
    apply_the_plan(operator, picture)
    watch_and_break(operator, portal, picture)

    see_one_incident(pager)
    portal.clear_faults()
    # who is called by PagerDuty sits at another machine
    repair(newcomer(), pager, picture)

    wait_until(lambda: pager.incidents() == {INCIDENT.dedup_key: {"open": 0, "closed": 1}}, limit_s=60, what="its end")
    contacts = expected_contacts(Path(stack.file))
    names = [*next(iter(contacts.values()))]
    assert len(contacts) == CONTACTS
    assert portal_checksum(stack, names) == checksum(contacts, names)


def make_a_plan(operator: Operator, picture: Any) -> None:
    """Log in, trigger with `plan_only`, and read the plan."""
    page = operator.page
    page.goto(f"{operator.airflow}/dags/{DAG_ID}")
    expect(page.get_by_label("Username")).to_be_visible(timeout=4 * ANSWER_MS)
    operator.log_in()
    page.wait_for_url(re.compile(rf"/dags/{DAG_ID}"))
    form = operator.open_form()
    operator.choose_mode(form, "plan_only")
    picture(page, "story_1_form")
    operator.send_form(form)
    frame = operator.open_page()
    open_sync(frame)
    follow(frame, "run 1", RUN_MS)
    expect(frame.get_by_role("heading", name=re.compile("^Run 1 done"))).to_be_visible(timeout=RUN_MS)
    frame.get_by_role("link", name="changes, cost and guards").click()
    expect(frame.get_by_role("heading", name=re.compile("^Plan of run 1"))).to_be_visible()
    expect(frame.get_by_role("row", name=f"Create {CONTACTS}")).to_be_visible()
    expect(frame.get_by_text("No guard stops this plan.")).to_be_visible()
    picture(page, "story_2_plan")


def open_sync(frame: FrameLocator) -> None:
    """Go from the list of syncs to the only one."""
    syncs = frame.get_by_role("heading", name="Syncs")
    expect(syncs).to_be_visible()
    frame.get_by_role("link", name="baby_names", exact=True).click()
    expect(syncs).to_be_hidden()
    frame.get_by_role("heading", level=1).wait_for()


def follow(frame: FrameLocator, name: str, limit_ms: int) -> None:
    """Click a run's link, which appears in the list when its first task has begun."""
    link = frame.get_by_role("link", name=name, exact=True).first

    def is_listed() -> bool:
        if link.is_visible():
            return True
        frame.get_by_role("link", name="HubSpot sync", exact=True).click()
        open_sync(frame)
        return link.is_visible()

    wait_until(is_listed, limit_s=limit_ms / 1000, what=name)
    link.click()


def apply_the_plan(operator: Operator, picture: Any) -> None:
    """From the plan to the form, with the number that the plan says."""
    page = operator.page
    page.frame_locator("iframe").get_by_role("link", name="trigger the DAG").click()
    page.wait_for_url(re.compile(rf"/dags/{DAG_ID}$"))
    form = operator.open_form()
    form.get_by_role("spinbutton", name="plan_run_id").fill("1")
    picture(page, "story_3_apply")
    operator.send_form(form)


def watch_and_break(operator: Operator, portal: Portal, picture: Any) -> None:
    """See the bar move, take HubSpot away, and see the page tell of the failure by itself."""
    frame = operator.open_page()
    open_sync(frame)
    follow(frame, "run 2", RUN_MS)
    bar = frame.get_by_role("progressbar", name="All shards")
    expect(bar).to_be_visible(timeout=RUN_MS)
    expect(bar).not_to_have_attribute("value", "0", timeout=RUN_MS)
    outage = portal.add_fault({"type": "503"}, path_regex=UPSERT)
    picture(operator.page, "story_4_progress")
    expect(frame.get_by_role("heading", name=re.compile("^Run 2 failed"))).to_be_visible(timeout=RUN_MS)
    picture(operator.page, "story_5_failed")
    expect(frame.get_by_text("hubspot has trouble (503)")).to_be_visible()
    expect(frame.get_by_role("row", name="Open 0", exact=True)).to_be_hidden()
    assert portal.hits(outage) > 0


def see_one_incident(pager: Pager) -> None:
    """Three parts tell of the failure, the shard, `finish` and the DAG, and all of them of one incident."""
    wait_until(lambda: len(pager.triggers()) >= 3, limit_s=RUN_MS / 1000, what="all callbacks of the run")
    assert {event["dedup_key"] for event in pager.triggers()} == {INCIDENT.dedup_key}
    assert pager.incidents() == {INCIDENT.dedup_key: {"open": 1, "closed": 0}}
    by_shard = pager.triggers()[0]["payload"]
    assert by_shard["summary"] == "a run of baby_names failed in deliver: TransientError"
    assert by_shard["custom_details"]["shard"] == 0


def repair(operator: Operator, pager: Pager, picture: Any) -> None:
    """From the incident through the login to the run, to its failed shard, clear it, and see the run end well."""
    page = operator.page
    address = pager.link("Progress and rejects")
    page.goto(address)
    expect(page.get_by_label("Username")).to_be_visible(timeout=4 * ANSWER_MS)
    operator.log_in()
    page.wait_for_url(re.compile(rf"/hubspot-sync/dags/{DAG_ID}/runs/2$"))
    picture(page, "story_6_from_incident")
    page.get_by_role("link", name="shard tasks").click()
    operator.clear_failed_shard()
    picture(page, "story_7_cleared")
    page.goto(address)
    expect(page.get_by_role("heading", name=re.compile("^Run 2 done"))).to_be_visible(timeout=RUN_MS)
    expect(page.get_by_role("row", name=f"Verified by read-back {CONTACTS}")).to_be_visible()
    picture(page, "story_8_done")
