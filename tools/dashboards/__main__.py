"""Write the dashboard's JSON: `python -m tools.dashboards`."""

from __future__ import annotations

from pathlib import Path

from tools.dashboards.board import render

PAGE = Path(__file__).resolve().parents[2] / "deploy" / "monitoring" / "grafana" / "dashboards" / "hubspot_sync.json"


def main() -> None:
    """Write the file that Grafana reads."""
    PAGE.write_text(render(), encoding="utf-8")


if __name__ == "__main__":
    main()
