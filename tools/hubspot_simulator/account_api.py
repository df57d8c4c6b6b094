"""Account details, daily usage, limits, and information about a token."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from tools.hubspot_simulator.answers import Answer, ApiError, Json
from tools.hubspot_simulator.calls import Call
from tools.hubspot_simulator.clock import iso
from tools.hubspot_simulator.routing import Work
from tools.hubspot_simulator.structure import parse_object, text_of
from tools.hubspot_simulator.world import Portal

_USER_ID = 5150


class AccountApi:
    """Answers the account endpoints."""

    def __init__(self, portal: Portal) -> None:
        self._portal = portal

    def details(self, _call: Call) -> Work:
        """Return what the portal is."""
        zone = self._portal.settings.time_zone
        moment = datetime.fromtimestamp(self._portal.clock.now_ms() / 1000, tz=UTC)
        offset = moment.astimezone(ZoneInfo(zone)).utcoffset()
        minutes = int(offset.total_seconds() // 60) if offset else 0
        sign = "-" if minutes < 0 else "+"
        body = {
            "portalId": self._portal.settings.portal_id,
            "accountType": "STANDARD",
            "timeZone": zone,
            "utcOffset": f"{sign}{abs(minutes) // 60:02d}:{abs(minutes) % 60:02d}",
            "utcOffsetMilliseconds": minutes * 60_000,
            "companyCurrency": "USD",
            "additionalCurrencies": [],
            "uiDomain": "app.hubspot.com",
            "dataHostingLocation": "na1",
        }
        return Work(lambda _: Answer(200, body))

    def usage(self, _call: Call) -> Work:
        """Return the day's use of the quota."""
        return Work(self._usage)

    def records(self, _call: Call) -> Work:
        """Return the contact cap."""
        return Work(self._records)

    def custom_properties(self, _call: Call) -> Work:
        """Return the cap of custom properties."""
        limit = self._portal.settings.custom_property_limit
        usage = self._portal.registry.custom_count()
        share = _percentage(usage, limit)
        body = {
            "overallLimit": limit,
            "overallUsage": usage,
            "overallPercentage": share,
            "byObjectType": [{"objectTypeId": "0-1", "limit": limit, "usage": usage, "percentage": share}],
        }
        return Work(lambda _: Answer(200, body))

    def token_info(self, call: Call) -> Work:
        """Say what a token may do; the secret is in the body."""
        text = text_of(parse_object(call), "tokenKey", required=True)
        return Work(lambda _: self._token_info(text))

    def _usage(self, call: Call) -> Answer:
        status = self._portal.settings.usage_fetch_status
        token = call.token
        limit = self._portal.limiter.daily_limit(token.limits) if token else None
        now = self._portal.clock.now_ms()
        entry: dict[str, Json] = {
            "name": "private-apps-api-calls-daily",
            "usageLimit": limit or 0,
            "currentUsage": self._portal.limiter.daily.used,
            "collectedAt": iso(now),
            "fetchStatus": status,
        }
        if status in {"SUCCESS", "CACHED"}:
            entry["resetsAt"] = iso(self._portal.limiter.daily.resets_at_ms(now))
        else:
            entry["currentUsage"] = 0
        return Answer(200, {"results": [entry]})

    def _records(self, _call: Call) -> Answer:
        limit, usage = self._portal.settings.contact_limit, self._portal.live_contacts
        contacts = {
            "objectTypeId": "0-1",
            "singularLabel": "Contact",
            "pluralLabel": "Contacts",
            "limit": limit,
            "usage": usage,
            "percentage": _percentage(usage, limit),
        }
        return Answer(200, {"hubspotDefinedObjectTypes": [contacts], "customObjectTypes": []})

    def _token_info(self, text: str) -> Answer:
        token = self._portal.tokens.by_text.get(text)
        if token is None:
            raise ApiError(404, "OBJECT_NOT_FOUND", "The token does not exist")
        if token.expired:
            raise ApiError(401, "EXPIRED_AUTHENTICATION", "The token has expired")
        body = {
            "userId": _USER_ID,
            "hubId": self._portal.settings.portal_id,
            "appId": token.app_id,
            "scopes": sorted(token.scopes),
        }
        return Answer(200, body)


def _percentage(usage: int, limit: int) -> float:
    return round(100 * usage / limit, 4) if limit else 100.0
