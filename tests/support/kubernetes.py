"""The files of deploy/kubernetes: values merged as Helm does it, manifests, and what a container still may do."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

KUBERNETES = Path(__file__).parents[2] / "deploy" / "kubernetes"
MANIFESTS = KUBERNETES / "manifests"


def read(path: Path) -> dict[str, Any]:
    content: dict[str, Any] = yaml.safe_load(path.read_text(encoding="utf-8"))
    return content


def merge(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """Merge as Helm does with several files of values: objects key by key, everything else is replaced."""
    merged = dict(base)
    for key, value in over.items():
        old = merged.get(key)
        merged[key] = merge(old, value) if isinstance(old, dict) and isinstance(value, dict) else value
    return merged


def values(*overlays: str) -> dict[str, Any]:
    """Return values.yaml with these overlays, e.g. `celery`."""
    merged = read(KUBERNETES / "values.yaml")
    for name in overlays:
        merged = merge(merged, read(KUBERNETES / f"values-{name}.yaml"))
    return merged


def objects() -> dict[tuple[str, str], dict[str, Any]]:
    """Return (kind, name) → object of everything that kustomization.yaml lists."""
    listed = read(MANIFESTS / "kustomization.yaml")["resources"]
    found = [one for name in listed for one in yaml.safe_load_all((MANIFESTS / name).read_text(encoding="utf-8"))]
    named = {(one["kind"], one["metadata"]["name"]): one for one in found}
    assert len(named) == len(found), "an object stands there twice"
    return named


def parts_with(content: Any, key: str) -> Iterator[Any]:
    """Return every value of this key, at any depth."""
    if isinstance(content, dict):
        for name, value in content.items():
            if name == key:
                yield value
            yield from parts_with(value, key)
    elif isinstance(content, list):
        for item in content:
            yield from parts_with(item, key)


def weaknesses(container: Mapping[str, Any]) -> list[str]:
    """Return what a container's security context still allows."""
    wanted = {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "privileged": False,
        "capabilities": {"drop": ["ALL"]},
    }
    return [name for name, value in wanted.items() if container.get(name) != value]


def pod_weaknesses(pod: Mapping[str, Any]) -> list[str]:
    """Return what a pod's security context still allows."""
    wrong = [] if pod.get("runAsNonRoot") is True and pod.get("runAsUser", 0) > 0 else ["runAsNonRoot"]
    return wrong + ([] if pod.get("seccompProfile") == {"type": "RuntimeDefault"} else ["seccompProfile"])
