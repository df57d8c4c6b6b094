"""The samples of an exporter by name and labels, as Prometheus reads them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import httpx
from prometheus_client.core import Metric
from prometheus_client.parser import text_string_to_metric_families


@dataclass(frozen=True, slots=True)
class Samples:
    """Values by sample name and labels; the sync is always `baby_names`."""

    values: dict[tuple[str, frozenset[tuple[str, str]]], float]

    @classmethod
    def of(cls, families: Iterable[Metric]) -> Samples:
        values: dict[tuple[str, frozenset[tuple[str, str]]], float] = {}
        for family in families:
            for sample in family.samples:
                key = sample.name, frozenset(sample.labels.items())
                assert key not in values, f"two samples {key}"
                values[key] = sample.value
        return cls(values)

    def __call__(self, name: str, /, **labels: str) -> float:
        """Return the value of a series of the sync."""
        return self.values[f"hubspot_sync_{name}", frozenset({"sync": "baby_names", **labels}.items())]

    def plain(self, name: str, /, **labels: str) -> float:
        """Return the value of a series that belongs to no sync."""
        return self.values[f"hubspot_sync_{name}", frozenset(labels.items())]

    def has(self, name: str) -> bool:
        return any(found == f"hubspot_sync_{name}" for found, _ in self.values)

    def counters(self) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
        """Return everything that must never fall."""
        ends = ("_total", "_bucket", "_count", "_sum")
        return {key: value for key, value in self.values.items() if key[0].endswith(ends)}


def scrape(url: str) -> Samples:
    """Ask an exporter as Prometheus does."""
    answer = httpx.get(f"{url}/metrics", timeout=20, trust_env=False)
    answer.raise_for_status()
    return Samples.of(text_string_to_metric_families(answer.text))
