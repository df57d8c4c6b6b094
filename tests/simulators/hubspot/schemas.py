"""What answers must look like, written down for this project (JSON Schema 2020-12)."""

from __future__ import annotations

from typing import Any

TEXT = {"type": "string"}
MOMENT = {"type": "string", "pattern": r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$"}
RECORD_ID = {"type": "string", "pattern": r"^[0-9]+$"}
CONTEXT = {"type": "object", "additionalProperties": {"type": "array", "items": TEXT}}
DETAIL = {
    "type": "object",
    "required": ["message"],
    "properties": {"message": TEXT, "code": TEXT, "context": CONTEXT},
}
ERROR = {
    "type": "object",
    "required": ["status", "message", "correlationId"],
    "properties": {
        "status": {"const": "error"},
        "message": TEXT,
        "correlationId": {"type": "string", "pattern": "^[0-9a-f-]{36}$"},
        "category": TEXT,
        "context": CONTEXT,
        "errors": {"type": "array", "items": DETAIL},
    },
}
RATE_LIMITED = {
    "type": "object",
    "required": ["status", "message", "errorType", "policyName", "correlationId", "requestId"],
    "properties": {"policyName": {"enum": ["TEN_SECONDLY_ROLLING", "DAILY", "SECONDLY"]}},
}
CONTACT = {
    "type": "object",
    "required": ["id", "properties", "createdAt", "updatedAt", "archived"],
    "properties": {
        "id": RECORD_ID,
        "properties": {"type": "object", "additionalProperties": {"type": ["string", "null"]}},
        "createdAt": MOMENT,
        "updatedAt": MOMENT,
        "archived": {"type": "boolean"},
        "archivedAt": MOMENT,
        "new": {"type": "boolean"},
        "objectWriteTraceId": TEXT,
        "propertiesWithHistory": {"type": "object"},
    },
    "additionalProperties": False,
}
UPSERTED = {**CONTACT, "required": [*CONTACT["required"], "new"]}
ROW_ERROR = {
    "type": "object",
    "required": ["status", "category", "message", "context", "errors", "links"],
    "properties": {
        "status": {"const": "error"},
        "category": TEXT,
        "message": TEXT,
        "context": CONTEXT,
        "errors": {"type": "array", "items": DETAIL},
        "links": {"type": "object"},
    },
}


def batch(result: dict[str, Any], *, with_errors: bool) -> dict[str, Any]:
    """A batch answer with or without failed rows."""
    schema: dict[str, Any] = {
        "type": "object",
        "required": ["status", "results", "startedAt", "completedAt"],
        "properties": {
            "status": {"const": "COMPLETE"},
            "results": {"type": "array", "items": result},
            "startedAt": MOMENT,
            "completedAt": MOMENT,
            "numErrors": {"type": "integer", "minimum": 1},
            "errors": {"type": "array", "items": ROW_ERROR, "minItems": 1},
        },
        "additionalProperties": False,
    }
    if with_errors:
        schema["required"] = [*schema["required"], "numErrors", "errors"]
    else:
        for name in ("numErrors", "errors"):
            del schema["properties"][name]
    return schema


PAGING = {
    "type": "object",
    "required": ["next"],
    "properties": {"next": {"type": "object", "required": ["after"], "properties": {"after": TEXT}}},
}
PAGE = {
    "type": "object",
    "required": ["results"],
    "properties": {"results": {"type": "array", "items": CONTACT}, "paging": PAGING},
    "additionalProperties": False,
}
SEARCH = {
    "type": "object",
    "required": ["total", "results"],
    "properties": {**PAGE["properties"], "total": {"type": "integer"}},
    "additionalProperties": False,
}
OPTION = {
    "type": "object",
    "required": ["label", "value", "hidden", "displayOrder"],
    "properties": {"label": TEXT, "value": TEXT, "hidden": {"type": "boolean"}, "displayOrder": {"type": "integer"}},
}
PROPERTY = {
    "type": "object",
    "required": ["name", "label", "type", "fieldType", "groupName", "options", "hasUniqueValue", "archived"],
    "properties": {
        "name": {"type": "string", "pattern": "^[a-z][a-z0-9_]*$"},
        "type": {"enum": ["bool", "date", "datetime", "enumeration", "number", "phone_number", "string"]},
        "options": {"type": "array", "items": OPTION},
        "hasUniqueValue": {"type": "boolean"},
        "archived": {"type": "boolean"},
        "createdAt": MOMENT,
        "updatedAt": MOMENT,
    },
}
PROPERTIES = {
    "type": "object",
    "required": ["results"],
    "properties": {"results": {"type": "array", "items": PROPERTY, "minItems": 1}},
}
DETAILS = {
    "type": "object",
    "required": ["portalId", "accountType", "timeZone", "utcOffset", "utcOffsetMilliseconds", "dataHostingLocation"],
    "properties": {
        "portalId": {"type": "integer"},
        "utcOffset": {"type": "string", "pattern": r"^[+-]\d\d:\d\d$"},
        "utcOffsetMilliseconds": {"type": "integer"},
    },
}
USAGE = {
    "type": "object",
    "required": ["results"],
    "properties": {
        "results": {
            "type": "array",
            "minItems": 1,
            "items": {
                "type": "object",
                "required": ["name", "usageLimit", "currentUsage", "collectedAt", "fetchStatus"],
                "properties": {
                    "usageLimit": {"type": "integer"},
                    "currentUsage": {"type": "integer"},
                    "collectedAt": MOMENT,
                    "resetsAt": MOMENT,
                },
            },
        }
    },
}
_LIMIT_ENTRY = {
    "type": "object",
    "required": ["objectTypeId", "limit", "usage", "percentage"],
    "properties": {"objectTypeId": {"const": "0-1"}, "limit": {"type": "integer"}, "usage": {"type": "integer"}},
}
RECORD_LIMITS = {
    "type": "object",
    "required": ["hubspotDefinedObjectTypes", "customObjectTypes"],
    "properties": {"hubspotDefinedObjectTypes": {"type": "array", "items": _LIMIT_ENTRY, "minItems": 1}},
}
PROPERTY_LIMITS = {
    "type": "object",
    "required": ["overallLimit", "overallUsage", "overallPercentage", "byObjectType"],
    "properties": {"byObjectType": {"type": "array", "items": _LIMIT_ENTRY, "minItems": 1}},
}
TOKEN_INFO = {
    "type": "object",
    "required": ["userId", "hubId", "appId", "scopes"],
    "properties": {
        "userId": {"type": "integer"},
        "hubId": {"type": "integer"},
        "appId": {"type": "integer"},
        "scopes": {"type": "array", "items": TEXT},
    },
    "additionalProperties": False,
}
