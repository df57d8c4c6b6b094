"""The pages about single records as HTML: rejected ones, the way of a name, a replay to confirm."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from include.hubspot_sync.observe.lineage import Lineage
from include.hubspot_sync.observe.page_html import Links, render
from include.hubspot_sync.observe.reject_list import (
    OpenRefused,
    RejectFilter,
    RejectPage,
    RejectState,
    Stage,
    next_page,
)

STAGE_NAMES: Mapping[Stage, str] = {Stage.VALIDATE: "validation", Stage.DELIVER: "HubSpot"}


@dataclass(frozen=True, slots=True)
class ReplayRequest:
    """Which refused records a person wants to send again; what is left empty does not narrow the choice."""

    run_id: int | None = None
    reason: str = ""
    key_text: str = ""

    def parameters(self) -> dict[str, str | int | None]:
        """Return the fields by the names that form and address have."""
        return {"run": self.run_id, "reason": self.reason, "key": self.key_text}


def filter_parameters(chosen: RejectFilter) -> dict[str, str | int | None]:
    """Return a filter by the names that form and address have."""
    return {
        "run": chosen.run_id,
        "by": chosen.stage,
        "state": chosen.state,
        "reason": chosen.reason,
        "key": chosen.key_prefix,
        "after": chosen.after_id or None,
    }


def rejects_page(
    links: Links,
    dag_id: str,
    chosen: RejectFilter,
    page: RejectPage,
    reasons: Mapping[str, int],
    *,
    may_replay: bool,
) -> str:
    """Return the list of rejected records with its filter."""
    following = next_page(chosen, page)
    parameters = filter_parameters(chosen)
    return render(
        "rejects.html",
        links,
        dag_id=dag_id,
        chosen=parameters,
        file_parameters=parameters | {"after": None},
        replay_parameters=ReplayRequest(chosen.run_id, chosen.reason).parameters(),
        following=filter_parameters(following) if following else None,
        records=page.records,
        reasons=reasons,
        stages=STAGE_NAMES,
        states=tuple(RejectState),
        may_replay=may_replay,
    )


def lineage_page(links: Links, dag_id: str, name: str, found: Sequence[Lineage]) -> str:
    """Return what is known about a name; without one only the search."""
    return render("lineage.html", links, dag_id=dag_id, name=name, found=found)


def replay_page(
    links: Links, dag_id: str, wanted: ReplayRequest, count: int, refused: OpenRefused, *, form_token: str
) -> str:
    """Return the question whether these records shall be sent again, or what is open when none of them is."""
    return render(
        "replay.html",
        links,
        dag_id=dag_id,
        wanted=wanted.parameters(),
        count=count,
        refused=refused,
        form_token=form_token,
    )


def started_page(links: Links, dag_id: str, dag_run_id: str) -> str:
    """Return the page that waits for a run to be opened."""
    return render("started.html", links, dag_id=dag_id, dag_run_id=dag_run_id)
