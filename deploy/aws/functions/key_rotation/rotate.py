"""The four steps in which Secrets Manager has a secret replaced.

HubSpot gives out keys to people only, so nothing can be created here: a person puts the new key into the same secret
as a version with the stage `NEXT`. `createSecret` takes it only after it has worked, because the value of a pending
version can never be changed. Steps may be repeated at any time, as Secrets Manager does after a failure.

https://docs.aws.amazon.com/secretsmanager/latest/userguide/rotate-secrets_lambda-functions.html
"""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from key_rotation.hubspot import Hubspot, KeyRefusedError

KEY_NAME = "HUBSPOT_API_KEY"
NEXT = "NEXT"
_CURRENT = "AWSCURRENT"
_PENDING = "AWSPENDING"

log = logging.getLogger(__name__)
log.setLevel(logging.INFO)


class RotationError(Exception):
    """The rotation cannot go on; the line says what a person has to do."""


def handle(event: Mapping[str, str], _context: object) -> None:
    """Do one step; AWS calls this.

    Raises:
        RotationError: a person has to do something.
        KeyRefusedError: HubSpot refuses the new key.
        HubspotError: HubSpot did not answer; the step is repeated.
    """
    import boto3

    rotation = Rotation(
        boto3.client("secretsmanager"),
        Hubspot(os.environ["HUBSPOT_URL"]),
        secret_id=event["SecretId"],
        version_id=event["ClientRequestToken"],
    )
    steps = {
        "createSecret": rotation.create,
        "setSecret": rotation.set_at_service,
        "testSecret": rotation.test,
        "finishSecret": rotation.finish,
    }
    if (step := event["Step"]) not in steps:
        raise RotationError(f"unknown step {step}: this function is for secrets manager's rotation only")
    rotation.check()
    steps[step]()
    log.info("rotation step done step=%s version_id=%s", step, rotation.version_id)


@dataclass(frozen=True, slots=True)
class Rotation:
    """One rotation of the secret; `version_id` is the version that becomes the current one."""

    secrets: Any
    hubspot: Hubspot
    secret_id: str
    version_id: str

    def check(self) -> None:
        """Refuse calls that do not belong to a rotation of this secret.

        Raises:
            RotationError: rotation is off, or the version is neither pending nor current.
        """
        described = self.secrets.describe_secret(SecretId=self.secret_id)
        if not described.get("RotationEnabled"):
            raise RotationError(f"rotation of {self.secret_id} is off: apply deploy/aws")
        if not {_CURRENT, _PENDING} & set(self._stages().get(self.version_id, [])):
            raise RotationError(f"version {self.version_id} is not pending: nothing was changed")

    def create(self) -> None:
        """Take the key that a person put, once it has worked.

        Raises:
            RotationError: none was put, or it is the current one again.
        """
        # in this order: AWS refuses to be asked for a stage that the version no longer has
        if self._is_current() or self._value(_PENDING, self.version_id) is not None:
            return
        waiting = self._value(NEXT)
        if waiting is None:
            raise RotationError(
                f"no new key waits in {self.secret_id}: make a service key in hubspot and put it with stage {NEXT}"
            )
        if _key_of(waiting, NEXT) == self._current_key():
            raise RotationError(f"the key with stage {NEXT} is the current one: make a new service key in hubspot")
        self._prove(waiting)
        self.secrets.put_secret_value(
            SecretId=self.secret_id,
            ClientRequestToken=self.version_id,
            SecretString=waiting,
            VersionStages=[_PENDING],
        )

    def set_at_service(self) -> None:
        """Do nothing: HubSpot knows the key already, it made it."""

    def test(self) -> None:
        """Try the pending key with real calls."""
        if self._is_current():
            return
        pending = self._value(_PENDING, self.version_id)
        if pending is None and self._version_with(_CURRENT) is None:
            # Terraform switches the rotation on before a person put the first key, and AWS tries this step then
            log.warning("nothing to test: %s has no key yet", self.secret_id)
            return
        if pending is None:
            raise RotationError(f"version {self.version_id} has no value: the step before was never done")
        self._prove(pending)

    def finish(self) -> None:
        """Make the pending key the current one, and show that no key waits any more."""
        if not self._is_current():
            moved = {"RemoveFromVersionId": old} if (old := self._version_with(_CURRENT)) else {}
            self.secrets.update_secret_version_stage(
                SecretId=self.secret_id, VersionStage=_CURRENT, MoveToVersionId=self.version_id, **moved
            )
        used = self._version_with(NEXT)
        # somebody may have put a newer one meanwhile
        if used and self._value(NEXT) == self._value(_CURRENT):
            self.secrets.update_secret_version_stage(
                SecretId=self.secret_id, VersionStage=NEXT, RemoveFromVersionId=used
            )

    def _prove(self, secret_string: str) -> None:
        portal_id = self.hubspot.portal_of(_key_of(secret_string, "new"))
        current = self._current_key()
        if current is None:
            return
        try:
            current_portal_id = self.hubspot.portal_of(current)
        except KeyRefusedError:
            # the reason to rotate may be that it no longer works; the sync refuses a key of another portal as well
            log.warning("portal not compared: hubspot refuses the current key")
            return
        if portal_id != current_portal_id:
            raise RotationError(f"the new key is of portal {portal_id}, the current one of {current_portal_id}")

    def _current_key(self) -> str | None:
        current = self._value(_CURRENT)
        return None if current is None else _key_of(current, _CURRENT)

    def _stages(self) -> dict[str, list[str]]:
        described = self.secrets.describe_secret(SecretId=self.secret_id)
        return dict(described.get("VersionIdsToStages") or {})

    def _version_with(self, stage: str) -> str | None:
        return next((version for version, stages in self._stages().items() if stage in stages), None)

    def _is_current(self) -> bool:
        return self._version_with(_CURRENT) == self.version_id

    def _value(self, stage: str, version_id: str | None = None) -> str | None:
        version = {} if version_id is None else {"VersionId": version_id}
        try:
            found = self.secrets.get_secret_value(SecretId=self.secret_id, VersionStage=stage, **version)
        except self.secrets.exceptions.ResourceNotFoundException:
            return None
        value = found.get("SecretString")
        return str(value) if value else None


def _key_of(secret_string: str, what: str) -> str:
    """Return the key in a secret's JSON; never shows any of it."""
    try:
        content = json.loads(secret_string)
    except ValueError:
        content = None
    key = content.get(KEY_NAME) if isinstance(content, dict) else None
    if not isinstance(key, str) or not key.strip():
        raise RotationError(f'the {what} value is not {{"{KEY_NAME}": "…"}}: put it again')
    return key.strip()
