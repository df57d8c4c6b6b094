"""The page "HubSpot sync" in Airflow's menu, and quicker starts of tasks.

Airflow imports this file in every process, each task included, while the page needs the modules of the API server: so
the page is built with its first request. This folder holds no second Python file, because Airflow imports each of them
under its bare name.
"""

from __future__ import annotations

import sys
from functools import cache
from typing import Any, ClassVar

from airflow.jobs.job import Job
from airflow.listeners import hookimpl
from airflow.plugins_manager import AirflowPlugin

URL_PREFIX = "/hubspot-sync"


@cache
def _page() -> Any:  # noqa: ANN401  an ASGI application; its type would be the import that is to be avoided
    from include.hubspot_sync.orchestration.page import build_page  # noqa: PLC0415

    return build_page()


async def serve_page(scope: Any, receive: Any, send: Any) -> None:  # noqa: ANN401  as ASGI defines them
    """Pass a request to the page."""
    await _page()(scope, receive, send)


class _Preloading:
    """Listens for the start of the scheduler and of each task that it forked."""

    @hookimpl  # type: ignore[untyped-decorator]  # as below
    def on_starting(self, component: Any) -> None:  # noqa: ANN401  as Airflow defines it
        """Import what tasks need before there are any; let a task forget what was changed since."""
        from include.hubspot_sync.orchestration.preload import forget_changed_code, preload  # noqa: PLC0415

        if not isinstance(component, Job):
            forget_changed_code()
        elif "scheduler" in sys.argv:  # a job does not know its kind yet
            preload()


class HubSpotSyncPlugin(AirflowPlugin):  # type: ignore[misc]  # mypy is told to skip Airflow
    """Mounts the page in the API server and shows it in the menu."""

    name = "hubspot_sync"
    listeners: ClassVar[list[Any]] = [_Preloading()]
    fastapi_apps: ClassVar[list[dict[str, Any]]] = [
        {"app": serve_page, "url_prefix": URL_PREFIX, "name": "HubSpot sync"},
    ]
    external_views: ClassVar[list[dict[str, Any]]] = [
        {
            "name": "HubSpot sync",
            # relative to Airflow's base address, which may have a path
            "href": f"{URL_PREFIX.removeprefix('/')}/",
            "destination": "nav",
            "category": "browse",
            "url_route": "hubspot-sync",
        },
    ]
