"""The page "HubSpot sync" in Airflow's menu.

Airflow imports this file in every process, each task included, while the page needs the modules of the API server: so
the page is built with its first request. This folder holds no second Python file, because Airflow imports each of them
under its bare name.
"""

from __future__ import annotations

from functools import cache
from typing import Any, ClassVar

from airflow.plugins_manager import AirflowPlugin

URL_PREFIX = "/hubspot-sync"


@cache
def _page() -> Any:  # noqa: ANN401  an ASGI application; its type would be the import that is to be avoided
    from include.hubspot_sync.orchestration.page import build_page  # noqa: PLC0415

    return build_page()


async def serve_page(scope: Any, receive: Any, send: Any) -> None:  # noqa: ANN401  as ASGI defines them
    """Pass a request to the page."""
    await _page()(scope, receive, send)


class HubSpotSyncPlugin(AirflowPlugin):  # type: ignore[misc]  # mypy is told to skip Airflow
    """Mounts the page in the API server and shows it in the menu."""

    name = "hubspot_sync"
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
