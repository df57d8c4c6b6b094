"""The page as people meet it: in Chromium, inside the real Airflow UI, with real runs behind it."""

from __future__ import annotations

import contextlib
import csv
import json
import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import httpx
import jwt
import pytest
from playwright.sync_api import Browser, BrowserContext, FrameLocator, Page, Request, expect

from tests.support.checkout import Checkout, result_of
from tests.support.chromium import ANSWER_MS
from tools.kaggle_simulator.dataset import write_csv
from tools.kaggle_simulator.generator import make_dataset
from tools.local_stack.mysql import parse_url

pytestmark = [pytest.mark.browser, pytest.mark.timeout(900)]

DAG_ID = "baby_names_to_hubspot"
RUN_MS = 240_000
"""How long a run of a few hundred records may take on a machine with much else to do."""
XSS_NAME = "<img src=x onerror=alert(name)>"
XSS_LINE = '1900,"<script>alert(name)</script>",F,not a number'
FORMULA_LINE = "=HYPERLINK(1),Xyzzyx,F,5"


@dataclass(frozen=True)
class Stack:
    """A running stack on which one run has ended, with refused records and bad lines."""

    checkout: Checkout
    addresses: dict[str, Any]
    run_id: int

    @property
    def airflow(self) -> str:
        return self.addresses["airflow_url"]

    def token(self, role: str = "admin") -> str:
        """Return the cookie of a login; of another role than the stack's own user it is made as Airflow makes it."""
        login = {"username": self.addresses["airflow_user"], "password": self.addresses["airflow_password"]}
        token = (
            httpx.post(f"{self.airflow}/auth/token", json=login, timeout=120).raise_for_status().json()["access_token"]
        )
        if role == "admin":
            return token
        secrets = json.loads((self.checkout.folder / ".local" / "secrets.json").read_text(encoding="utf-8"))
        claims = jwt.decode(token, options={"verify_signature": False}) | {"sub": role, "role": role}
        return jwt.encode(claims, secrets["jwt_secret"], jwt.get_unverified_header(token)["alg"])

    def set_state(self, table: str, state: str, *, behind: int | None = None) -> None:
        """Set the state of the run, or of its batches, those behind a number if one is given."""
        sql = {
            "sync_run": "UPDATE sync_run SET state = %s WHERE run_id = %s AND run_id > %s",
            "batch": "UPDATE batch SET state = %s WHERE run_id = %s AND batch_no > %s",
        }[table]
        connection = parse_url(self.addresses["mysql_url"]).connect()
        with contextlib.closing(connection), connection.cursor() as cursor:
            cursor.execute(sql, (state, self.run_id, behind or 0))
            connection.commit()


@dataclass
class Watched:
    """A browser window, and what it asked for and complained about."""

    page: Page
    stack: Stack
    requests: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)
    dialogs: list[str] = field(default_factory=list)

    def open(self, path: str = "/") -> None:
        self.page.goto(f"{self.stack.airflow}/hubspot-sync{path}")

    def open_in_airflow(self) -> FrameLocator:
        """Open the page from Airflow's menu, in the frame that Airflow puts it in."""
        self.page.goto(f"{self.stack.airflow}/plugin/hubspot-sync")
        frame = self.page.frame_locator("iframe")
        expect(frame.get_by_role("heading", name="Syncs")).to_be_visible()
        return frame

    def foreign(self) -> list[str]:
        """Return the addresses outside the own server that were asked."""
        return [url for url in self.requests if not url.startswith((self.stack.airflow, "data:", "blob:"))]


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A thousand contacts, a name that is markup, and two lines that are refused and hold markup and a formula."""
    path = tmp_path_factory.mktemp("source") / "names.csv"
    write_csv(make_dataset(rows=3_000, contacts=1_000, seed=5), path)
    with path.open("a", encoding="utf-8") as file:
        file.write(f"1900,{XSS_NAME},F,7\n{XSS_LINE}\n{FORMULA_LINE}\n")
    return path


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory, source: Path) -> Iterator[Stack]:
    checkout = Checkout(tmp_path_factory.mktemp("checkout"))
    try:
        up = checkout.stack("up")
        assert up.returncode == 0, up.stdout + up.stderr
        hubspot = checkout.addresses()["hubspot_url"]
        httpx.post(f"{hubspot}/__sim/faults", json={"scenario": "poison_rows"}).raise_for_status()
        stack = Stack(checkout, checkout.addresses(), 1)
        # the first answers of an API server that just started take long on a busy machine
        login = {"Authorization": f"Bearer {stack.token()}"}
        for path in (f"/api/v2/dags/{DAG_ID}/dagRuns", "/hubspot-sync/"):
            httpx.get(f"{stack.airflow}{path}", headers=login, timeout=120).raise_for_status()
        run = checkout.stack("run", FILE=str(source), CONF='{"approve_guards": "markup on purpose"}')
        result = result_of(run)
        assert (result["state"], result["quarantined_lines"]) == ("success", 2), run.stdout + run.stderr
        assert result["rejected"] > 0
        httpx.delete(f"{hubspot}/__sim/faults").raise_for_status()
        yield replace(stack, run_id=result["run_id"])
    finally:
        checkout.stack("down")


@pytest.fixture
def window(browser: Browser, stack: Stack, contexts: list[BrowserContext]) -> Any:
    """Return a function: role and settings of the browser → a window, without a role one that is not logged in."""

    def open_window(role: str | None = "admin", **settings: Any) -> Watched:
        context = browser.new_context(**settings)
        contexts.append(context)
        context.set_default_timeout(ANSWER_MS)
        if role is not None:
            context.add_cookies([{"name": "_token", "value": stack.token(role), "url": stack.airflow}])
        watched = Watched(context.new_page(), stack)

        def note(request: Request) -> None:
            watched.requests.append(request.url)

        context.on("request", note)
        watched.page.on("console", lambda message: _note_complaint(watched, message.type, message.text))
        watched.page.on("dialog", lambda dialog: (watched.dialogs.append(dialog.message), dialog.dismiss()))
        watched.page.on("pageerror", lambda error: watched.complaints.append(str(error)))
        return watched

    return open_window


def _note_complaint(watched: Watched, kind: str, text: str) -> None:
    if kind == "error" and re.search(r"Content Security Policy|Refused|hubspot-sync", text):
        watched.complaints.append(text)


def sync_path(stack: Stack, rest: str = "") -> str:
    return f"/dags/{DAG_ID}{rest}"


def pages(stack: Stack) -> dict[str, str]:
    """Return the address of every kind of page."""
    return {
        "overview": "/",
        "sync": sync_path(stack, "?span=day"),
        "run": sync_path(stack, f"/runs/{stack.run_id}"),
        "rejects": sync_path(stack, "/rejects"),
        "lineage": sync_path(stack, f"/lineage?name={XSS_NAME}"),
        "replay": sync_path(stack, "/replay"),
    }


def test_page_opens_from_airflows_menu_and_leads_to_a_run(stack: Stack, window: Any, picture: Any):
    watched = window(viewport={"width": 1280, "height": 900})
    frame = watched.open_in_airflow()

    frame.get_by_role("link", name="baby_names", exact=True).click()
    expect(frame.get_by_role("heading", name="History")).to_be_visible()
    expect(frame.get_by_role("img", name=re.compile("^Records per"))).to_be_visible()
    picture(watched.page, "in_airflow")
    frame.get_by_role("link", name=f"run {stack.run_id}", exact=True).click()
    expect(frame.get_by_role("heading", name=re.compile(f"Run {stack.run_id}"))).to_be_visible()
    expect(frame.get_by_role("heading", name="Where the time went")).to_be_visible()
    frame.get_by_role("link", name="shard tasks").click()
    watched.page.wait_for_url(re.compile(rf"/dags/{DAG_ID}/runs/.+/tasks/deliver"))

    assert watched.complaints == []


def test_no_page_asks_another_server_or_breaks_its_own_policy(stack: Stack, window: Any):
    watched = window()

    for path in pages(stack).values():
        watched.open(path)
        expect(watched.page.get_by_role("heading", level=1)).to_be_visible()

    assert len(watched.requests) >= 3 * len(pages(stack))
    assert watched.foreign() == []
    assert watched.complaints == []


def test_markup_in_names_and_lines_is_only_text(stack: Stack, window: Any):
    watched = window()
    watched.open(sync_path(stack, "/lineage"))
    watched.page.get_by_label("Name or key").fill(XSS_NAME)
    watched.page.get_by_role("button", name="Find").click()
    expect(watched.page.get_by_role("heading", name=f"{XSS_NAME}-f")).to_be_visible()
    expect(watched.page.get_by_text("from line 3,002, 1 line")).to_be_visible()
    watched.open(sync_path(stack, "/rejects"))
    watched.page.get_by_label("Key begins with").fill("<script>")
    watched.page.get_by_role("button", name="Filter").click()
    expect(watched.page.get_by_role("rowheader")).to_have_text("<script>alert(name)</script>-f")
    watched.page.get_by_text("Source line").click()
    expect(watched.page.get_by_text(XSS_LINE)).to_be_visible()

    assert watched.dialogs == []
    assert watched.page.locator("main img, main script").count() == 0


def test_rejected_records_are_filtered_and_downloaded_inside_airflow(stack: Stack, window: Any, tmp_path: Path):
    watched = window()
    frame = watched.open_in_airflow()
    frame.get_by_role("link", name="rejects").click()
    frame.get_by_label("Rejected by").select_option("validation")
    frame.get_by_label("Now").select_option("open")
    frame.get_by_role("button", name="Filter").click()
    expect(frame.get_by_role("rowheader")).to_have_count(2)
    with watched.page.expect_download() as download:
        frame.get_by_role("link", name="Download as CSV").click()
    file = tmp_path / download.value.suggested_filename
    shutil.copy(download.value.path(), file)

    with file.open(encoding="utf-8", newline="") as lines:
        rows = list(csv.DictReader(lines))
    assert file.name == "baby_names_rejected.csv"
    assert [row["line"] for row in rows] == ["3003", "3004"]
    assert [row["record"] for row in rows] == ["<script>alert(name)</script>-f", "xyzzyx-f"]
    assert rows[1]["content"] == f"'{FORMULA_LINE}"


def test_replay_starts_a_run_and_leads_to_it(stack: Stack, window: Any):
    watched = window()
    frame = watched.open_in_airflow()
    frame.get_by_role("link", name="rejects").click()
    frame.get_by_label("Rejected by").select_option("HubSpot")
    frame.get_by_role("combobox", name="Now").select_option("open")
    frame.get_by_role("button", name="Filter").click()
    expect(frame.get_by_role("cell", name="validation", exact=True)).to_have_count(0)
    key = frame.get_by_role("rowheader").first.inner_text()
    frame.get_by_role("link", name=f"Replay {key}", exact=True).click()
    expect(frame.get_by_role("definition").filter(has_text=re.compile(f"^{re.escape(key)}$"))).to_be_visible()
    frame.get_by_role("button", name="Start the replay").click()
    expect(frame.get_by_role("heading", name=re.compile(r"^Run \d+"))).to_be_visible(timeout=RUN_MS)
    # the page follows the run to its end by itself
    expect(frame.get_by_role("heading", name=re.compile(r"done$"))).to_be_visible(timeout=RUN_MS)
    frame.get_by_role("link", name=DAG_ID).click()
    frame.get_by_role("link", name="Rejected records").click()
    frame.get_by_role("combobox", name="Now").select_option("resolved")
    frame.get_by_role("button", name="Filter").click()

    expect(frame.get_by_role("rowheader").filter(has_text=key)).to_be_visible()
    assert watched.complaints == []


def test_progress_moves_without_loading_the_page_again(stack: Stack, window: Any):
    stack.set_state("sync_run", "delivering")
    stack.set_state("batch", "ready", behind=5)
    watched = window()
    try:
        watched.open(sync_path(stack, f"/runs/{stack.run_id}"))
        bar = watched.page.get_by_role("progressbar", name="All shards")
        before = bar.evaluate("bar => bar.value / bar.max")
        watched.page.evaluate("window.isSamePage = true")
        expect(watched.page.get_by_text("Records per second")).to_be_visible()
        stack.set_state("batch", "done")
        expect(watched.page.locator(".total .share")).to_have_text("100 %")
        after = watched.page.evaluate("window.isSamePage")
        stack.set_state("sync_run", "done")
        expect(watched.page.get_by_role("heading", level=1)).to_contain_text("done")
    finally:
        stack.set_state("batch", "done")
        stack.set_state("sync_run", "done")

    assert 0 < before < 1
    assert after


def test_viewer_sees_the_records_but_no_way_to_replay_them(stack: Stack, window: Any):
    watched = window("viewer")
    for path in (sync_path(stack, "/rejects"), sync_path(stack, f"/runs/{stack.run_id}")):
        watched.open(path)
        expect(watched.page.get_by_role("rowheader").first).to_be_visible()
        assert watched.page.get_by_role("link", name=re.compile("[Rr]eplay")).count() == 0

    answer = watched.page.goto(f"{stack.airflow}/hubspot-sync{sync_path(stack, '/replay')}")
    sent = watched.page.request.post(
        f"{stack.airflow}/hubspot-sync{sync_path(stack, '/replay')}", form={"form_token": "1.x"}
    )

    assert answer is not None
    assert (answer.status, sent.status) == (403, 403)


def test_form_of_another_place_starts_nothing(stack: Stack, window: Any):
    sent = window().page.request.post(
        f"{stack.airflow}/hubspot-sync{sync_path(stack, '/replay')}", form={"form_token": "9999999999.x"}
    )

    assert sent.status == 403


def test_visitor_without_login_is_led_to_the_login_and_sees_nothing(stack: Stack, window: Any):
    watched = window(None)

    for path in pages(stack).values():
        watched.open(path)
        expect(watched.page.get_by_label("Username")).to_be_visible()
        assert watched.page.url.startswith(f"{stack.airflow}/auth/login?next=%2Fhubspot-sync%2F")
        assert "baby_names" not in watched.page.locator("body").inner_text()
    watched.page.goto(f"{stack.airflow}/plugin/hubspot-sync")
    watched.page.wait_for_url(re.compile("/login"))


def test_keyboard_alone_is_enough(stack: Stack, window: Any):
    watched = window()
    watched.open(sync_path(stack, "/rejects"))
    keyboard = watched.page.keyboard
    keyboard.press("Tab")
    expect(watched.page.get_by_role("link", name="Skip to content")).to_be_focused()
    keyboard.press("Enter")
    keyboard.press("Tab")
    expect(watched.page.get_by_label("Key begins with")).to_be_focused()
    keyboard.type("xyzz")
    keyboard.press("Enter")

    expect(watched.page.get_by_role("rowheader")).to_have_text("xyzzyx-f")
    assert watched.page.evaluate("getComputedStyle(document.activeElement).visibility") == "visible"


def test_everything_has_a_name_for_screen_readers(stack: Stack, window: Any):
    watched = window()

    for path in pages(stack).values():
        watched.open(path)
        assert watched.page.evaluate(NAMELESS) == []
        assert watched.page.get_by_role("heading", level=1).count() == 1
        assert watched.page.get_by_role("main").count() == 1


NAMELESS = """() => [...document.querySelectorAll(
  "a, button, input:not([type=hidden]), select, progress, meter, svg[role=img], [role=region], nav, form, table th"
)].filter(element => {
  const label = element.closest("label") || element.labels?.[0];
  return !(element.textContent.trim() || element.getAttribute("aria-label") || label?.textContent.trim());
}).map(element => element.outerHTML)"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_stands_out_in_light_and_dark(stack: Stack, window: Any, picture: Any, scheme: str):
    watched = window(color_scheme=scheme, viewport={"width": 1280, "height": 900})

    for name, path in pages(stack).items():
        watched.open(path)
        assert watched.page.evaluate(FAINT) == []
        picture(watched.page, f"{name}_{scheme}")


FAINT = """() => {
  const canvas = document.createElement("canvas").getContext("2d", {willReadFrequently: true});
  const rgb = text => {
    canvas.clearRect(0, 0, 1, 1); canvas.fillStyle = text; canvas.fillRect(0, 0, 1, 1);
    return canvas.getImageData(0, 0, 1, 1).data;
  };
  const light = text => [...rgb(text)].slice(0, 3).map(part => part / 255)
    .map(part => part <= 0.03928 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4)
    .reduce((sum, part, place) => sum + part * [0.2126, 0.7152, 0.0722][place], 0);
  const ground = element => {
    for (let one = element; one; one = one.parentElement) {
      const colour = getComputedStyle(one).backgroundColor;
      if (rgb(colour)[3] > 0) return colour;
    }
    return "white";
  };
  return [...document.querySelectorAll("body *")].filter(element =>
    [...element.childNodes].some(node => node.nodeType === 3 && node.textContent.trim()) && element.checkVisibility()
  ).filter(element => {
    const style = getComputedStyle(element);
    const text = element.closest("svg") ? style.fill : style.color;
    const [a, b] = [light(text), light(ground(element))].sort((x, y) => y - x);
    return (a + 0.05) / (b + 0.05) < 4.5;
  }).map(element => element.outerHTML.slice(0, 200));
}"""
"""Texts whose contrast is below what WCAG 2.2 asks for (4.5)."""


def test_narrow_screen_scrolls_only_tables(stack: Stack, window: Any, picture: Any):
    watched = window(viewport={"width": 360, "height": 740}, device_scale_factor=1)

    for name, path in pages(stack).items():
        watched.open(path)
        assert watched.page.evaluate("document.documentElement.scrollWidth") <= 360, name
        picture(watched.page, f"{name}_narrow")


def test_frame_follows_airflows_theme(stack: Stack, window: Any):
    watched = window(color_scheme="light")
    watched.page.goto(stack.airflow)
    watched.page.evaluate("localStorage.setItem('theme', 'dark')")

    frame = watched.open_in_airflow()

    expect(frame.locator("html")).to_have_attribute("data-theme", "dark")
