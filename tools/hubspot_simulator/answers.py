"""Answers and refusals, and the JSON they are made of."""

from __future__ import annotations

import enum
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

Json = Any
"""A decoded JSON value; turned into typed values by `structure`."""

JSON_TYPE = "application/json;charset=utf-8"
_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), check_circular=False).encode


def to_json(value: Json) -> str:
    """Return compact JSON text."""
    return _encode(value)


class Delivery(enum.StrEnum):
    """How the bytes of an answer reach the client."""

    WHOLE = "whole"
    TRUNCATED = "truncated"
    """The connection ends in the middle of the body."""
    SLOW_DRIP = "slow_drip"
    """The body comes in small pieces."""


@dataclass(slots=True)
class Answer:
    """One HTTP answer before it is sent."""

    status: int
    payload: Json = None
    headers: dict[str, str] = field(default_factory=dict)
    content_type: str = JSON_TYPE
    raw: bytes | None = None
    """Body bytes that are sent instead of the payload."""
    delivery: Delivery = Delivery.WHOLE

    def body(self) -> bytes:
        """Return the bytes to send."""
        if self.raw is not None:
            return self.raw
        return b"" if self.payload is None else to_json(self.payload).encode()


@dataclass(frozen=True, slots=True)
class Detail:
    """One entry of `errors[]` in an error body."""

    message: str
    code: str
    property_name: str = ""

    def as_json(self) -> Json:
        """Return the entry."""
        context = {"propertyName": [self.property_name]} if self.property_name else {}
        return {"message": self.message, "code": self.code, "context": context}


class ApiError(Exception):
    """The request is refused as a whole."""

    def __init__(
        self,
        status: int,
        category: str,
        message: str,
        *,
        details: Sequence[Detail] = (),
        context: Mapping[str, list[str]] | None = None,
        extra: Mapping[str, Json] | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.category = category
        self.message = message
        self.details = tuple(details)
        self.context = dict(context or {})
        self.extra = dict(extra or {})
        self.headers: dict[str, str] = {}

    def as_answer(self, correlation_id: str) -> Answer:
        """Return the error body in HubSpot's form."""
        body: dict[str, Json] = {"status": "error", "message": self.message}
        body["correlationId"] = correlation_id
        if self.category:
            body["category"] = self.category
        if self.context:
            body["context"] = self.context
        if self.details:
            body["errors"] = [detail.as_json() for detail in self.details]
        body.update(self.extra)
        return Answer(self.status, body, dict(self.headers))


def invalid(message: str, **context: list[str]) -> ApiError:
    """Return a 400 VALIDATION_ERROR."""
    return ApiError(400, "VALIDATION_ERROR", message, context=context)


def not_found(message: str) -> ApiError:
    """Return a 404 OBJECT_NOT_FOUND."""
    return ApiError(404, "OBJECT_NOT_FOUND", message)
