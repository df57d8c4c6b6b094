"""Alert rules as a PrometheusRule, the mapping of Airflow's metrics as a ConfigMap."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[2]
MONITORING = ROOT / "deploy" / "monitoring"
MANIFESTS = ROOT / "deploy" / "kubernetes" / "manifests"
_LABELS = {"app.kubernetes.io/part-of": "hubspot-sync"}
_WIDTH = 130


class _Dumper(yaml.SafeDumper):
    """Writes lists below their key indented and texts of several lines as they are."""

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:  # noqa: ARG002, FBT001, FBT002
        super().increase_indent(flow, indentless=False)


def _represent_text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|" if "\n" in text else None)


_Dumper.add_representer(str, _represent_text)


def _document(source: Path, content: dict[str, Any]) -> str:
    head = f"# Written by `python -m tools.kubernetes` from {source.relative_to(ROOT)}; change that one.\n"
    return head + yaml.dump(content, Dumper=_Dumper, sort_keys=False, width=_WIDTH, allow_unicode=True)


def prometheus_rule() -> str:
    """Return the rules of deploy/monitoring/prometheus for Prometheus's operator."""
    source = MONITORING / "prometheus" / "rules.yaml"
    rules = yaml.safe_load(source.read_text(encoding="utf-8"))
    metadata = {"name": "hubspot-sync", "labels": _LABELS}
    kind = {"apiVersion": "monitoring.coreos.com/v1", "kind": "PrometheusRule"}
    return _document(source, {**kind, "metadata": metadata, "spec": rules})


def statsd_mapping() -> str:
    """Return the mapping of deploy/monitoring/statsd as a ConfigMap."""
    source = MONITORING / "statsd" / "mapping.yaml"
    metadata = {"name": "statsd-mapping", "labels": _LABELS}
    data = {"mapping.yaml": source.read_text(encoding="utf-8")}
    return _document(source, {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data})


def manifests() -> dict[Path, str]:
    """Return file → text of everything that is written."""
    return {
        MANIFESTS / "prometheus-rule.yaml": prometheus_rule(),
        MANIFESTS / "statsd-mapping.yaml": statsd_mapping(),
    }
