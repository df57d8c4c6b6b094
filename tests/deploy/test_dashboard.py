"""The Grafana dashboard: what is committed is what the code makes, and it asks only for what there is."""

from __future__ import annotations

import itertools
import json
import math
import re
from typing import Any

import pytest
import yaml

from tests.support.prometheus import (
    DASHBOARD,
    MONITORING,
    dashboard_expressions,
    known_metrics,
    named_metrics,
    read_alerts,
    read_rules,
)
from tools.dashboards import board
from tools.dashboards.__main__ import PAGE

BOARD: dict[str, Any] = json.loads(DASHBOARD.read_text(encoding="utf-8"))
CHARTS = {panel["title"]: panel for panel in BOARD["panels"] if panel["type"] != "row"}
PROVISIONING = MONITORING / "grafana" / "provisioning"
WANTED = (
    *("Records per hour", "Success and failure share", "API latency", "Queue depth", "Errors by reason"),
    *("Day's quota used", "Where the time goes", "Freshness"),
)
"""The five panels that were asked for first, and quota, phases and freshness."""

each_chart = pytest.mark.parametrize("title", CHARTS)


def provisioned(name: str) -> dict[str, Any]:
    return yaml.safe_load((PROVISIONING / name / "hubspot_sync.yaml").read_text(encoding="utf-8"))


def test_committed_dashboard_is_the_one_that_the_code_makes():
    assert PAGE == DASHBOARD
    assert DASHBOARD.read_text(encoding="utf-8") == board.render(), "run `python -m tools.dashboards`"


@pytest.mark.parametrize("title", WANTED)
def test_panel_that_was_asked_for_is_there(title: str):
    assert CHARTS[title]["targets"]


@each_chart
def test_panel_says_what_it_shows_and_in_which_unit(title: str):
    panel = CHARTS[title]

    assert panel["description"].endswith(".")
    assert panel["fieldConfig"]["defaults"]["unit"]
    assert panel["datasource"] == {"type": "prometheus", "uid": "${datasource}"}


def test_panels_have_numbers_of_their_own_and_do_not_overlap():
    places = [panel["gridPos"] for panel in BOARD["panels"]]
    cells = [
        cell
        for place in places
        for cell in itertools.product(
            range(place["x"], place["x"] + place["w"]), range(place["y"], place["y"] + place["h"])
        )
    ]

    assert len({panel["id"] for panel in BOARD["panels"]}) == len(places)
    assert len(set(cells)) == len(cells)
    assert max(place["x"] + place["w"] for place in places) == 24


def test_dashboard_names_only_metrics_of_the_exporter_and_recorded_ones():
    expressions = dashboard_expressions().values()
    recorded = {name for text in expressions for name in re.findall(r"\bhubspot_sync:[\w:]+", text)}

    assert named_metrics(expressions) <= known_metrics()
    assert recorded <= {rule["record"] for rule in read_rules() if "record" in rule}


def test_every_metric_that_an_alert_watches_can_be_seen():
    watched = named_metrics(rule["expr"] for rule in read_rules() if "alert" in rule)
    # helpers of the rules: who is waited for, and which of two moments came last
    helpers = {f"hubspot_sync_{name}" for name in ("is_scheduled", "last_failure_timestamp_seconds")}

    assert watched - helpers <= named_metrics(dashboard_expressions().values())


@pytest.mark.parametrize(
    ("title", "alert"),
    [
        ("Since the last good run", "HubspotSyncNoRunFinished"),
        ("New version waits", "HubspotSyncNewVersionLate"),
        ("Queue depth", "HubspotSyncQueueDeep"),
        ("Share of answers that are no good", "HubspotSyncApiErrors"),
        ("Heartbeats of Airflow", "HubspotSyncSchedulerSilent"),
    ],
)
def test_red_begins_where_the_alert_does(title: str, alert: str):
    limits = [step["value"] for step in CHARTS[title]["fieldConfig"]["defaults"]["thresholds"]["steps"]]
    (limit,) = re.findall(r"> ([\d.]+(?: \* [\d.]+)?)\n? *(?:and|or|$)", read_alerts()[alert]["expr"])[:1]

    assert limits[-1] == pytest.approx(math.prod(float(factor) for factor in limit.split("*")))


def test_grafana_finds_data_source_and_dashboard_by_itself():
    (source,) = provisioned("datasources")["datasources"]
    (provider,) = provisioned("dashboards")["providers"]

    assert (source["type"], source["isDefault"]) == ("prometheus", True)
    assert provider["options"]["path"] == "/etc/grafana/hubspot-sync"
    assert BOARD["uid"] == board.UID
