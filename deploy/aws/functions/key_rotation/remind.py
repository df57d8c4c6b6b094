"""Tells people in time that a rotation is near and no new HubSpot key waits."""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

NEXT = "NEXT"
_SUBJECT = "hubspot-sync: a new HubSpot key is needed"

log = logging.getLogger(__name__)
log.setLevel(logging.INFO)


@dataclass(frozen=True, slots=True)
class KeyState:
    """What the secret says about its keys, without any of them."""

    has_current: bool
    has_next: bool
    rotates_at: datetime | None

    def reminder(self, now: datetime, lead: timedelta) -> str | None:
        """Return what to tell people, or nothing."""
        if not self.has_current:
            return "There is no HubSpot key yet: runs of the sync fail."
        if self.has_next or self.rotates_at is None or self.rotates_at - now > lead:
            return None
        days = max((self.rotates_at - now).days, 0)
        return f"The HubSpot key rotates within {days + 1} days and no new one waits: then the rotation fails."


def read_state(described: Mapping[str, Any]) -> KeyState:
    """Read the answer of DescribeSecret.

    The next rotation stands there only after the first one; before, it follows from the rule.
    """
    stages = {stage for of_version in (described.get("VersionIdsToStages") or {}).values() for stage in of_version}
    rotates_at = described.get("NextRotationDate")
    days = (described.get("RotationRules") or {}).get("AutomaticallyAfterDays")
    began_at = described.get("LastRotatedDate") or described.get("CreatedDate")
    if rotates_at is None and days and began_at:
        rotates_at = began_at + timedelta(days=int(days))
    return KeyState("AWSCURRENT" in stages, NEXT in stages, rotates_at)


def handle(_event: Mapping[str, Any], _context: object) -> dict[str, bool]:
    """Look once and tell; AWS calls this daily."""
    import boto3

    secret_id = os.environ["SECRET_ID"]
    state = read_state(boto3.client("secretsmanager").describe_secret(SecretId=secret_id))
    reminder = state.reminder(datetime.now(UTC), timedelta(days=int(os.environ["REMINDER_DAYS"])))
    log.info(
        "key looked at has_current=%s has_next=%s rotates_at=%s", state.has_current, state.has_next, state.rotates_at
    )
    if reminder is not None:
        text = f"{reminder}\nSecret: {secret_id}\nWhat to do: docs/deployment.md, section The HubSpot key."
        boto3.client("sns").publish(TopicArn=os.environ["TOPIC_ARN"], Subject=_SUBJECT, Message=text)
    return {"is_reminded": reminder is not None}
