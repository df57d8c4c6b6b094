"""Write `docs/configuration.md` from the model of the sync definition: `python -m tools.docs.configuration`."""

from __future__ import annotations

import ast
import enum
import inspect
import itertools
import json
import types
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from include.hubspot_sync import config
from include.hubspot_sync.config import SyncDefinition

PAGE = Path(__file__).resolve().parents[2] / "docs" / "configuration.md"

_HEAD = """# Configuration: the sync definition

<!-- Made by `python -m tools.docs.configuration` from include/hubspot_sync/config.py; edit that file instead. -->

One YAML file in `include/syncs` is one sync and one DAG; [baby_names.yaml](../include/syncs/baby_names.yaml) is a
complete example. Unknown keys are refused with the nearest known name. Secrets and addresses are not in the file: they
belong to the Airflow connections that `connections` names. A field without a default has to be given.

Pool, pacing, thresholds and guards may change at any time. A change of columns, unique columns, record, object, key or
properties is a new mapping: the next run compares every record anew. Changed columns also need the migration.
"""
_TAIL = """
## Environment of a deployment

What differs between places, not between syncs. Secrets and addresses are in Airflow's connections.

| variable | read by | meaning |
|---|---|---|
| `HUBSPOT_SYNC_SCHEDULE` | DAG files, metrics exporter | `off` leaves all DAGs to manual runs, and nobody waits for one. |
| `HUBSPOT_SYNC_TRUSTED_HOSTS` | hooks | Host names, separated by commas, that the connections `hubspot` and `kaggle` may name with plain http: simulators in a private network. Leave it empty in production, where only https to HubSpot and Kaggle is allowed; loopback needs no entry. |
| `HUBSPOT_SYNC_ENVIRONMENT` | callbacks of the DAGs, `finish` | Name of the deployment in alerts and in the key of an incident: letters, digits, `-` and `_`; `production` when it is empty. Give Prometheus the same `external_labels`. |
| `HUBSPOT_SYNC_MYSQL_URL` | migration program, metrics exporter | `mysql://user:password@host:port/schema` of a user that may CREATE, ALTER and DROP; for the exporter SELECT is enough; `?ssl_mode=VERIFY_IDENTITY&ssl_ca=/path/ca.pem` for TLS. |
| `HUBSPOT_SYNC_METRICS_HOST`, `HUBSPOT_SYNC_METRICS_PORT` | metrics exporter | Where it listens; 127.0.0.1 and 9464. |
| `HUBSPOT_SYNC_AIRFLOW_URL` | metrics exporter | Address of Airflow's API server, whose health it shows as well; empty leaves that out. |
"""  # noqa: E501  rows of a table
_PLAIN_TYPES = {str: "text", int: "integer", float: "number", bool: "true or false", types.NoneType: "null"}
_BOUNDS = {"ge": "≥ {}", "gt": "> {}", "le": "≤ {}", "lt": "< {}", "pattern": "matches `{}`"}
_LENGTHS = {"min_length": "at least {} {}", "max_length": "at most {} {}"}
_TABLE = "| field | type | default | meaning |\n|---|---|---|---|\n"


def field_docs(model: type[BaseModel]) -> dict[str, str]:
    """Return the docstring below each field of a model, on one line."""
    tree = ast.parse(inspect.getsource(config))
    body = next(node.body for node in tree.body if isinstance(node, ast.ClassDef) and node.name == model.__name__)
    docs: dict[str, str] = {}
    for field, below in itertools.pairwise(body):
        text = _text_of(below)
        if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name) and text is not None:
            docs[field.target.id] = " ".join(text.split())
    return docs


def _text_of(node: ast.stmt) -> str | None:
    """Return the text of a statement that is nothing but a string."""
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
        return node.value.value
    return None


def type_text(annotation: Any) -> str:  # noqa: ANN401  annotations come in many forms
    """Return a type in the words of a YAML file."""
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is None:
        return _class_text(annotation)
    if origin is Literal:
        return " or ".join(f"`{value}`" for value in arguments)
    inner = [type_text(argument) for argument in arguments if argument is not ... and _is_type(argument)]
    if origin is tuple:
        return f"list of {inner[0]}"
    return " to ".join(["map of " + inner[0], *inner[1:]]) if origin is dict else " or ".join(inner)


def _is_type(argument: object) -> bool:
    """Tell a type from what `Annotated` carries beside it."""
    return isinstance(argument, type) or get_origin(argument) is not None


def _class_text(kind: type) -> str:
    if issubclass(kind, enum.Enum):
        return " or ".join(f"`{member.value}`" for member in kind)
    if issubclass(kind, BaseModel):
        return f"[{kind.__name__}](#{kind.__name__.lower()})"
    return _PLAIN_TYPES[kind]


def bounds_text(field: FieldInfo) -> str:
    """Return the limits of a field, empty when it has none."""
    unit = "characters" if field.annotation is str else "items"
    parts: list[str] = []
    for limit in field.metadata:
        parts += [
            text.format(value) for name, text in _BOUNDS.items() if (value := getattr(limit, name, None)) is not None
        ]
        parts += [
            text.format(value, unit)
            for name, text in _LENGTHS.items()
            if (value := getattr(limit, name, None)) is not None
        ]
    return ", ".join(parts)


def default_text(field: FieldInfo) -> str:
    """Return the default as it would stand in the file; `required` when there is none."""
    if field.is_required():
        return "required"
    value = field.get_default(call_default_factory=True)
    if isinstance(value, BaseModel):
        return "its defaults"
    return f"`{json.dumps(value, ensure_ascii=False)}`"


def models() -> Iterator[type[BaseModel]]:
    """Yield the definition and every model below it, in the order of the fields."""
    waiting: list[type[BaseModel]] = [SyncDefinition]
    while waiting:
        model = waiting.pop(0)
        yield model
        waiting[:0] = [child for field in model.model_fields.values() for child in _models_in(field.annotation)]


def _models_in(annotation: Any) -> Iterator[type[BaseModel]]:  # noqa: ANN401  as above
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for argument in get_args(annotation):
        yield from _models_in(argument)


def _row(name: str, field: FieldInfo, doc: str) -> str:
    limits = ", ".join(part for part in (type_text(field.annotation), bounds_text(field)) if part)
    cells = (f"`{name}`", limits, default_text(field), doc)
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |\n"


def section(model: type[BaseModel]) -> str:
    """Return heading, duty and table of one model.

    Raises:
        KeyError: a field has no docstring below it.
    """
    docs = field_docs(model)
    rows = "".join(_row(name, field, docs[name]) for name, field in model.model_fields.items())
    return f"\n## {model.__name__}\n\n{inspect.getdoc(model)}\n\n{_TABLE}{rows}"


def render() -> str:
    """Return the whole page."""
    return _HEAD + "".join(section(model) for model in models()) + _TAIL


def main() -> None:
    """Write the page."""
    PAGE.write_text(render(), encoding="utf-8")
    print(f"written: {PAGE.name}")


if __name__ == "__main__":
    main()
