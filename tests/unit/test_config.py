"""The sync definition is strict, and its errors help."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from include.hubspot_sync.config import SYNCS_DIR, load_definition, load_definitions
from include.hubspot_sync.errors import ConfigError


def edited(folder: Path, edit: Callable[[dict[str, Any]], Any]) -> Path:
    content = yaml.safe_load((SYNCS_DIR / "baby_names.yaml").read_text(encoding="utf-8"))
    edit(content)
    path = folder / "edited.yaml"
    path.write_text(yaml.safe_dump(content), encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        pytest.param(
            lambda c: c.update(delivry={}), "unknown key delivry; did you mean delivery?", id="typo at the top"
        ),
        pytest.param(
            lambda c: c["source"]["columns"][0].update(typ=1),
            "unknown key source.columns.0.typ; did you mean type?",
            id="typo inside a list",
        ),
        pytest.param(lambda c: c.update(zzzzzz=1), "unknown key zzzzzz; known keys: name,", id="no near name"),
        pytest.param(
            lambda c: c.update(delivery={"batch_size": 200}),
            "delivery.batch_size: input should be less than or equal to 100, not 200",
            id="bound",
        ),
        pytest.param(
            lambda c: c["destination"].update(on_removal="delete"),
            "destination.on_removal: input should be 'archive' or 'keep', not 'delete'",
            id="choice",
        ),
        pytest.param(lambda c: c.update(delivery={"in_flight": 0}), "delivery.in_flight", id="no workers"),
        pytest.param(
            lambda c: c["source"].update(file=3), "source.file: input should be a valid string", id="wrong type"
        ),
        pytest.param(
            lambda c: c["record"].update(key="{names}-{sex}"),
            "record.key names the unknown column names; did you mean name?",
            id="unknown column",
        ),
        pytest.param(
            lambda c: c["destination"]["properties"].append(c["destination"]["properties"][0]),
            "property firstname is defined twice",
            id="two mappings to one property",
        ),
        pytest.param(
            lambda c: c["destination"].update(key_property="firstname"),
            "property firstname is the key property",
            id="key mapped again",
        ),
        pytest.param(
            lambda c: c["record"].update(select="snapshot/none.sql"),
            "there is no file include/sql/snapshot",
            id="no sql",
        ),
        pytest.param(
            lambda c: c.update(delivery={"lease_s": 0.5}),
            "lease_s: input should be greater than or equal to 1",
            id="short lease",
        ),
        pytest.param(lambda c: c.update(name="Robert'); DROP"), "name: string should match", id="hostile identifier"),
        pytest.param(
            lambda c: c["source"]["columns"][1].update(choices={"a": "a"}), "`choices` belongs to type", id="choices"
        ),
    ],
)
def test_wrong_definition_is_refused_with_place_and_fix(tmp_path: Path, edit: Callable, message: str):
    with pytest.raises(ConfigError) as caught:
        load_definition(edited(tmp_path, edit))

    text = str(caught.value)
    assert text.startswith("edited.yaml: ")
    assert message in text
    assert "\n" not in text


def test_broken_yaml_names_its_line(tmp_path: Path):
    path = tmp_path / "broken.yaml"
    path.write_text("name: [a\nb: {", encoding="utf-8")

    with pytest.raises(ConfigError, match=r"broken.yaml: line \d+ is not valid YAML"):
        load_definition(path)


def test_missing_file_is_named(tmp_path: Path):
    with pytest.raises(ConfigError, match=r"none.yaml: cannot be read"):
        load_definition(tmp_path / "none.yaml")


def test_two_definitions_may_not_share_a_name(tmp_path: Path):
    for name in ("one.yaml", "two.yaml"):
        edited(tmp_path, lambda c: None).rename(tmp_path / name)

    with pytest.raises(ConfigError, match="is taken by the sync baby_names"):
        load_definitions(tmp_path)


def test_two_definitions_may_not_share_the_key_property_of_a_portal(tmp_path: Path):
    edited(tmp_path, lambda c: None).rename(tmp_path / "one.yaml")
    edited(tmp_path, lambda c: c.update(name="other", dag_id="other_to_hubspot")).rename(tmp_path / "two.yaml")

    with pytest.raises(ConfigError, match=r"two\.yaml: the sync baby_names has the same key property baby_name_key"):
        load_definitions(tmp_path)


def test_two_definitions_may_use_one_key_property_at_two_portals(tmp_path: Path):
    edited(tmp_path, lambda c: None).rename(tmp_path / "one.yaml")
    other = {"name": "other", "dag_id": "other_to_hubspot", "connections": {"hubspot": "hubspot_eu"}}
    edited(tmp_path, lambda c: c.update(other)).rename(tmp_path / "two.yaml")

    assert set(load_definitions(tmp_path)) == {"baby_names", "other"}


def test_mapping_hash_covers_mapping_and_not_pacing(tmp_path: Path):
    original = load_definitions()["baby_names"].mapping_hash()

    paced = load_definition(edited(tmp_path, lambda c: c.update(delivery={"pacing_share": 0.5})))
    mapped = load_definition(edited(tmp_path, lambda c: c["destination"]["properties"].pop()))

    assert paced.mapping_hash() == original
    assert mapped.mapping_hash() != original


@pytest.mark.parametrize("path", sorted(SYNCS_DIR.glob("*.yaml")), ids=lambda path: path.name)
def test_every_shipped_definition_is_valid(path: Path):
    assert load_definition(path).name == path.stem
