"""People hear in time that a new HubSpot key is needed, and not before."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from moto import mock_aws

from key_rotation import remind
from key_rotation.remind import KeyState, read_state

NOW = datetime(2026, 11, 30, 7, tzinfo=UTC)
LEAD = timedelta(days=14)


def state(*, current: bool = True, waiting: bool = False, days: float | None = None) -> KeyState:
    return KeyState(current, waiting, None if days is None else NOW + timedelta(days=days))


@pytest.mark.parametrize(
    ("found", "told"),
    [
        (state(days=15), None),
        (state(days=13.1), "within 14 days"),
        (state(days=-3), "within 1 days"),
        (state(waiting=True, days=1), None),
        (state(), None),
        (state(current=False, days=80), "no HubSpot key yet"),
    ],
    ids=["far", "near", "late", "one waits", "never rotates", "none at all"],
)
def test_reminder(found: KeyState, told: str | None):
    reminder = found.reminder(NOW, LEAD)

    assert (reminder is None) if told is None else (told in (reminder or ""))


def test_before_the_first_rotation_its_day_follows_from_the_rule():
    found = read_state(
        {
            "CreatedDate": NOW,
            "RotationRules": {"AutomaticallyAfterDays": 90},
            "VersionIdsToStages": {"a": ["AWSCURRENT"], "b": ["NEXT"]},
        }
    )

    assert found == KeyState(has_current=True, has_next=True, rotates_at=NOW + timedelta(days=90))


def test_the_day_that_aws_names_counts():
    found = read_state({"NextRotationDate": NOW, "RotationRules": {"AutomaticallyAfterDays": 90}, "CreatedDate": NOW})

    assert found == KeyState(has_current=False, has_next=False, rotates_at=NOW)


@pytest.mark.parametrize("days", [100, 10], ids=["near", "far"])
def test_the_daily_call_publishes_once_when_needed(days: int, monkeypatch: pytest.MonkeyPatch):
    import boto3

    with mock_aws():
        secrets = boto3.client("secretsmanager")
        secret = secrets.create_secret(Name="baby-names/prod/hubspot", SecretString="{}")["ARN"]
        secrets.rotate_secret(SecretId=secret, RotationRules={"AutomaticallyAfterDays": 90})
        topic = boto3.client("sns").create_topic(Name="alarms")["TopicArn"]
        queue_url = boto3.client("sqs").create_queue(QueueName="seen")["QueueUrl"]
        queue = boto3.client("sqs").get_queue_attributes(QueueUrl=queue_url, AttributeNames=["QueueArn"])
        boto3.client("sns").subscribe(TopicArn=topic, Protocol="sqs", Endpoint=queue["Attributes"]["QueueArn"])
        for name, value in {"SECRET_ID": secret, "TOPIC_ARN": topic, "REMINDER_DAYS": str(days)}.items():
            monkeypatch.setenv(name, value)

        answer = remind.handle({}, None)
        seen = boto3.client("sqs").receive_message(QueueUrl=queue_url).get("Messages", [])

    assert answer == {"is_reminded": days == 100}
    assert len(seen) == (days == 100)
