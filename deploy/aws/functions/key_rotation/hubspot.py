"""Whether a HubSpot key is good: whose it is, what it may do, and whether the contacts answer.

Only the standard library, because that is what a function of AWS has without a layer.
"""

from __future__ import annotations

import http.client
import json
import urllib.error
import urllib.request
from dataclasses import dataclass

NEEDED_SCOPES = frozenset({"crm.objects.contacts.read", "crm.objects.contacts.write"})
"""What a sync cannot do without; `preflight` names more when a definition needs it."""
TIMEOUT_S = 10

_KEY_PATH = "/oauth/v2/private-apps/get/access-token-info"
_CONTACTS_PATH = "/crm/v3/objects/contacts?limit=1"
_REFUSALS = frozenset({401, 403, 404})


class HubspotError(Exception):
    """HubSpot did not answer, or not in a way that says anything about the key. Try again."""


class KeyRefusedError(Exception):
    """The key is not good: expired, of nobody, or without a scope that the sync needs. A person makes another one."""


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """A redirect would carry the key to another address."""

    def redirect_request(self, *_arguments: object) -> None:
        return None


@dataclass(frozen=True, slots=True)
class Hubspot:
    """HubSpot's API at one address."""

    url: str

    def portal_of(self, key: str) -> int:
        """Return the portal of a key that can do what the sync needs.

        The body of the first call is `hubId` and `scopes`; the call needs no scope. Source: HubSpot's own client,
        `crm/.../access-token-info`.

        Raises:
            KeyRefusedError: it cannot.
            HubspotError: HubSpot did not say.
        """
        described = self._call(key, _KEY_PATH, {"tokenKey": key})
        granted, portal_id = described.get("scopes"), described.get("hubId")
        if not isinstance(granted, list) or not isinstance(portal_id, int):
            raise HubspotError("hubspot's description of the key has no portal or no scopes: look at its status page")
        if missing := sorted(NEEDED_SCOPES - set(granted)):
            raise KeyRefusedError(f"the key lacks the scopes {', '.join(missing)}: make one that has them")
        # the description comes from another service than the contacts: only both prove the key
        self._call(key, _CONTACTS_PATH, None)
        return portal_id

    def _call(self, key: str, path: str, body: dict[str, str] | None) -> dict[str, object]:
        headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
        data = None if body is None else json.dumps(body).encode()
        # the address comes from Terraform, which accepts https:// only
        request = urllib.request.Request(self.url + path, data, headers)  # noqa: S310
        opener = urllib.request.build_opener(_NoRedirect, urllib.request.ProxyHandler({}))
        try:
            with opener.open(request, timeout=TIMEOUT_S) as answer:
                content = json.load(answer)
        except urllib.error.HTTPError as error:
            raise _refusal(path, error.code) from None
        except (OSError, http.client.HTTPException, ValueError) as error:
            # no `from`: an error of the library may hold the request and with it the key
            raise HubspotError(f"no answer from hubspot to {_name(path)}: {type(error).__name__}") from None
        return content if isinstance(content, dict) else {}


def _refusal(path: str, status: int) -> Exception:
    if status in _REFUSALS:
        return KeyRefusedError(f"hubspot answers {status} to {_name(path)}: the key is no good, make another one")
    return HubspotError(f"hubspot answers {status} to {_name(path)}: it is tried again")


def _name(path: str) -> str:
    return path.partition("?")[0]
