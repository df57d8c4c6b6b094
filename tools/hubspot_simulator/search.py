"""Search: filters become SQL over the contacts as they were `search_lag_ms` ago."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

from tools.hubspot_simulator.answers import Answer, Json, invalid, to_json
from tools.hubspot_simulator.calls import Call
from tools.hubspot_simulator.contacts import Contact, contact_from_row, parse_id
from tools.hubspot_simulator.reading import Reader
from tools.hubspot_simulator.routing import Work
from tools.hubspot_simulator.structure import parse_object, text_list, text_of
from tools.hubspot_simulator.world import Portal

_MAX_PAGE = 200
_MAX_TOTAL = 10_000
_MAX_GROUPS = 5
_MAX_IN_GROUP = 6
_MAX_FILTERS = 18
_MAX_QUERY = 3000
_MAX_VALUES = 100
_SEARCHED = ("firstname", "lastname", "email", "phone", "company", "website")
_COLUMNS = {
    "hs_object_id": "id",
    "createdate": "created_ms",
    "lastmodifieddate": "updated_ms",
    "hs_lastmodifieddate": "updated_ms",
}
_SHOWN = "id, created_ms, updated_ms, archived_ms, merged_into, created_seq, last_seq, props"
_COMPARE = {"EQ": "=", "NEQ": "<>", "LT": "<", "LTE": "<=", "GT": ">", "GTE": ">="}
# json_each brings the older versions of contacts that the index has not seen the change of
_DOCUMENTS = """
WITH document AS (
    SELECT id, created_ms, updated_ms, archived_ms, merged_into, created_seq, last_seq, props,
        0 AS is_older
    FROM contact
    WHERE archived_ms IS NULL AND merged_into IS NULL AND created_ms <= :visible
        AND id NOT IN (SELECT json_extract(value, '$[0]') FROM json_each(:older))
    UNION ALL
    SELECT json_extract(value, '$[0]'), json_extract(value, '$[1]'),
        json_extract(value, '$[2]'), NULL, NULL, json_extract(value, '$[3]'),
        json_extract(value, '$[4]'), json_extract(value, '$[5]'), 1
    FROM json_each(:older)
)
"""


@dataclass(slots=True)
class _Condition:
    """SQL text with its bound values."""

    sql: str = ""
    values: dict[str, Any] = field(default_factory=dict)

    def bind(self, value: object) -> str:
        """Return the placeholder of a new value."""
        name = f"v{len(self.values)}"
        self.values[name] = value
        return f":{name}"


class Search:
    """Answers `POST …/search`."""

    def __init__(self, portal: Portal, reader: Reader) -> None:
        self._portal = portal
        self._reader = reader

    def search(self, call: Call) -> Work:
        """Check the search and return what runs it."""
        body = parse_object(call)
        limit = _number(body, "limit", 10)
        after = _number(body, "after", 0)
        if not 1 <= limit <= _MAX_PAGE:
            raise invalid(f"limit must be a number from 1 to {_MAX_PAGE}")
        if after + limit > _MAX_TOTAL:
            raise invalid(f"The total number of results is limited to {_MAX_TOTAL}")
        names = text_list(body, "properties")
        condition = _Condition()
        condition.sql = self._where(body, condition)
        order = self._order(body)
        return Work(lambda later: self._run(later, condition, order, (after, limit), names))

    def _run(
        self,
        call: Call,
        condition: _Condition,
        order: str,
        page: tuple[int, int],
        names: list[str],
    ) -> Answer:
        visible = self._portal.clock.now_ms() - int(self._portal.settings.search_lag_ms)
        older = [_document(contact) for contact in self._as_of(visible)]
        values = {**condition.values, "visible": visible, "older": to_json(older)}
        connection = self._portal.store.connection
        total = connection.execute(
            f"{_DOCUMENTS} SELECT count(*) FROM document WHERE {condition.sql}",  # noqa: S608
            values,
        ).fetchone()[0]
        after, limit = page
        rows = connection.execute(
            f"{_DOCUMENTS} SELECT {_SHOWN} FROM document WHERE {condition.sql}"  # noqa: S608
            f" ORDER BY {order} LIMIT :limit OFFSET :after",
            {**values, "limit": limit, "after": after},
        )
        results = self._reader.show([contact_from_row(row) for row in rows], names, [])
        call.rows(len(results), 0)
        body: dict[str, Json] = {"total": total, "results": results}
        if after + len(results) < total and results:
            body["paging"] = {"next": {"after": str(after + len(results))}}
        return Answer(200, body)

    def _as_of(self, visible: int) -> list[Contact]:
        """Return contacts that changed since, in the state the search index still shows."""
        rows = self._portal.store.connection.execute(
            "SELECT contact_id, changes FROM history WHERE ts > ? ORDER BY entry DESC", (visible,)
        ).fetchall()
        contacts = self._portal.table.by_ids({contact_id for contact_id, _ in rows})
        for contact_id, changes in rows:
            contact = contacts.get(contact_id)
            if contact is not None:
                for name, (old, _) in json.loads(changes).items():
                    contact.props.pop(name, None)
                    if old is not None:
                        contact.props[name] = old
        return [
            c for c in contacts.values() if c.archived_ms is None and c.merged_into is None and c.created_ms <= visible
        ]

    def _where(self, body: dict[str, Json], condition: _Condition) -> str:
        groups = _objects(body, "filterGroups")
        if len(groups) > _MAX_GROUPS:
            raise invalid(f"At most {_MAX_GROUPS} filterGroups are allowed")
        filters = [_objects(group, "filters") for group in groups]
        if any(len(group) > _MAX_IN_GROUP for group in filters):
            raise invalid(f"At most {_MAX_IN_GROUP} filters are allowed in a group")
        if sum(map(len, filters)) > _MAX_FILTERS:
            raise invalid(f"At most {_MAX_FILTERS} filters are allowed")
        alternatives = [" AND ".join(self._filter(one, condition) for one in group) for group in filters if group]
        parts = [f"({' OR '.join(f'({a})' for a in alternatives)})"] if alternatives else []
        parts += self._words(text_of(body, "query"), condition)
        return " AND ".join(parts) or "1"

    def _words(self, query: str, condition: _Condition) -> list[str]:
        if len(query) > _MAX_QUERY:
            raise invalid(f"query may have at most {_MAX_QUERY} characters")
        parts = []
        for word in query.lower().split()[:20]:
            mark = condition.bind(f"%{_escape(word)}%")
            any_of = (f"{_stored(name)} LIKE {mark} ESCAPE '!'" for name in _SEARCHED)
            parts.append(f"({' OR '.join(any_of)})")
        return parts

    def _filter(self, one: dict[str, Json], condition: _Condition) -> str:
        name = text_of(one, "propertyName", required=True)
        prop = self._portal.registry.find(name, self._portal.clock.now_ms())
        if prop is None:
            raise invalid(f"There was a problem with the request: no property {name}")
        column = _expression(name, prop.type)
        operator = one.get("operator")
        match operator:
            case "HAS_PROPERTY" if prop.unique and name not in _COLUMNS:
                # the index of unique values spares the parsing of every contact's properties
                mark = condition.bind(name)
                holders = f"id IN (SELECT contact_id FROM uniq WHERE prop = {mark})"  # noqa: S608
                return f"CASE WHEN is_older THEN {column} IS NOT NULL ELSE {holders} END"
            case "HAS_PROPERTY":
                return f"{column} IS NOT NULL"
            case "NOT_HAS_PROPERTY":
                return f"{column} IS NULL"
            case "EQ" | "NEQ" | "LT" | "LTE" | "GT" | "GTE":
                mark = condition.bind(_value(prop.type, name, text_of(one, "value", required=True)))
                test = f"{column} {_COMPARE[operator]} {mark}"
                return f"({test} OR {column} IS NULL)" if operator == "NEQ" else test
            case "BETWEEN" | "IN" | "NOT_IN" | "CONTAINS_TOKEN" | "NOT_CONTAINS_TOKEN":
                return self._rare_filter(one, (name, prop.type, column), condition)
            case _:
                raise invalid(f"Invalid input JSON: unknown operator {operator}")

    def _rare_filter(self, one: dict[str, Json], subject: tuple[str, str, str], condition: _Condition) -> str:
        name, kind, column = subject
        operator = one["operator"]
        if operator == "BETWEEN":
            low = condition.bind(_value(kind, name, text_of(one, "value", required=True)))
            high = condition.bind(_value(kind, name, text_of(one, "highValue", required=True)))
            return f"{column} BETWEEN {low} AND {high}"
        if operator in {"IN", "NOT_IN"}:
            texts = text_list(one, "values")
            if not 1 <= len(texts) <= _MAX_VALUES:
                raise invalid(f"values must hold 1 to {_MAX_VALUES} texts")
            marks = ",".join(condition.bind(_value(kind, name, text)) for text in texts)
            test = f"{column} IN ({marks})"
            return test if operator == "IN" else f"({column} IS NULL OR NOT {test})"
        token = _escape(text_of(one, "value", required=True).lower()).replace("*", "%")
        mark = condition.bind(f"% {token} %")
        test = f"(' ' || {_stored(name)} || ' ') LIKE {mark} ESCAPE '!'"
        return test if operator == "CONTAINS_TOKEN" else f"({column} IS NULL OR NOT {test})"

    def _order(self, body: dict[str, Json]) -> str:
        sorts = body.get("sorts") or []
        if not isinstance(sorts, list) or len(sorts) > 1:
            raise invalid("Invalid input JSON: sorts must be a list of at most one sort")
        if not sorts:
            return "id"
        sort = {"propertyName": sorts[0]} if isinstance(sorts[0], str) else sorts[0]
        if not isinstance(sort, dict) or sort.get("direction", "ASCENDING") not in {
            "ASCENDING",
            "DESCENDING",
        }:
            raise invalid("Invalid input JSON: a sort needs propertyName and direction")
        name = text_of(sort, "propertyName", required=True)
        prop = self._portal.registry.find(name, self._portal.clock.now_ms())
        if prop is None:
            raise invalid(f"There was a problem with the request: no property {name}")
        down = " DESC" if sort.get("direction") == "DESCENDING" else ""
        return f"{_expression(name, prop.type)}{down}, id"


def _objects(body: dict[str, Json], name: str) -> list[dict[str, Json]]:
    items = body.get(name) or []
    if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
        raise invalid(f"Invalid input JSON: {name} must be a list of objects")
    return items


def _number(body: dict[str, Json], name: str, default: int) -> int:
    text = text_of(body, name)
    if not text:
        return default
    number = parse_id(text)
    if number is None:
        raise invalid(f"{name} must be a number")
    return number


def _stored(name: str) -> str:
    # names of properties match ^[a-z][a-z0-9_]*$, so they are safe inside the text
    return f"lower(json_extract(props, '$.{name}'))"


def _expression(name: str, kind: str) -> str:
    if name in _COLUMNS:
        return _COLUMNS[name]
    return f"CAST(json_extract(props, '$.{name}') AS REAL)" if kind == "number" else _stored(name)


def _value(kind: str, name: str, text: str) -> str | int | float:
    if name not in _COLUMNS and kind != "number":
        return text.lower()
    try:
        number = float(text)
    except ValueError as error:
        raise invalid(f"{name}: {text} is not a number") from error
    exact = parse_id(text)
    return number if exact is None else exact


def _escape(text: str) -> str:
    for special in "!%_":
        text = text.replace(special, f"!{special}")
    return text


def _document(contact: Contact) -> list[object]:
    return [
        contact.id, contact.created_ms, contact.updated_ms, contact.created_seq,
        contact.last_seq, to_json(contact.props),
    ]  # fmt: skip
