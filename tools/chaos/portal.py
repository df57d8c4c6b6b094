"""The simulated portal, seen through its inspection API: nothing here goes through the product."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import httpx
import tenacity

KEY = "baby_name_key"
GROWING = "total_births"
"""The property that never gets smaller in the source."""
_PAGE = 5000


@dataclass(frozen=True, slots=True)
class Contact:
    """One contact as the portal holds it."""

    hubspot_id: str
    is_archived: bool
    properties: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Write:
    """One value that a write left in a contact."""

    key: str
    seq: int
    """Number of the request."""
    at_ms: int
    value: int


class Portal:
    """Reads contacts and counters, and plans the portal's faults."""

    def __init__(self, url: str) -> None:
        self._http = httpx.Client(base_url=f"{url}/__sim", timeout=60, trust_env=False)

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def contacts(self) -> list[Contact]:
        """Return every contact, archived ones included."""
        found: list[Contact] = []
        while True:
            after = found[-1].hubspot_id if found else "0"
            lines = self._get(f"/contacts?limit={_PAGE}&after={after}").text.splitlines()
            if not lines:
                return found
            for line in lines:
                entry = json.loads(line)
                found.append(Contact(entry["id"], entry["archived"], entry["properties"]))

    def writes(self, keys: Iterable[str]) -> dict[str, list[Write]]:
        """Return key → every value of the growing property, over all contacts of the key, in the portal's order."""
        writes: dict[str, list[Write]] = defaultdict(list)
        for key in keys:
            for contact in self._get(f"/history/{KEY}/{key}").json():
                writes[key] += [
                    Write(key, entry["seq"], entry["ts"], int(entry["value"]))
                    for entry in contact["history"].get(GROWING, [])
                    if entry["value"] not in (None, "")
                ]
            writes[key].sort(key=lambda write: write.seq)
        return writes

    def stats(self) -> dict[str, Any]:
        """Return the counters; they begin anew when the portal's process does."""
        answer: dict[str, Any] = self._get("/stats").json()
        return answer

    def add_fault(self, action: Mapping[str, Any], *, phase: str = "", times: int | None = None, **match: Any) -> str:  # noqa: ANN401  JSON
        """Plan a fault and return its id."""
        fault: dict[str, Any] = {"action": dict(action), "match": match}
        if phase:
            fault["phase"] = phase
        if times:
            fault["times"] = times
        return str(self._call("POST", "/faults", fault).json()["id"])

    def hits(self, fault_id: str) -> int:
        """Return how many requests a fault has hit."""
        return sum(int(fault["hits"]) for fault in self._get("/faults").json() if fault["id"] == fault_id)

    def remove_fault(self, fault_id: str) -> None:
        """Take back a fault."""
        self._call("DELETE", f"/faults/{fault_id}")

    def clear_faults(self) -> None:
        """Let everything work again."""
        self._call("DELETE", "/faults")

    def accept_token(self, token: str) -> None:
        """Make a token valid again."""
        self._call("POST", "/tokens", {"token": token})

    @tenacity.retry(
        retry=tenacity.retry_if_exception_type(httpx.TransportError),
        stop=tenacity.stop_after_delay(30),
        wait=tenacity.wait_fixed(0.2),
        reraise=True,
    )
    def _call(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> httpx.Response:
        """Ask again for a while: the portal may have been killed."""
        answer = self._http.request(method, path, json=body)
        answer.raise_for_status()
        return answer

    def _get(self, path: str) -> httpx.Response:
        return self._call("GET", path)
