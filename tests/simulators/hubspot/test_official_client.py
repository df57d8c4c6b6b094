"""HubSpot's own client library, unmodified, against the simulator as a process."""

from __future__ import annotations

from typing import Any

import pytest
from hubspot import HubSpot
from hubspot.crm.contacts import ApiException
from hubspot.crm.contacts.models import (
    BatchInputSimplePublicObjectBatchInputUpsert,
    BatchInputSimplePublicObjectId,
    BatchReadInputSimplePublicObjectId,
    PublicObjectSearchRequest,
)
from hubspot.crm.properties.models import PropertyCreate

from tests.simulators.hubspot.harness import FULL_ACCESS, SimulatorProcess, row, rows

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning")


@pytest.fixture
def client(server: SimulatorProcess) -> HubSpot:
    server.client.post("/__sim/reset", json={"keep_properties": True})
    return HubSpot(access_token=FULL_ACCESS, host=server.url)


def upsert(client: HubSpot, inputs: list[dict[str, Any]]) -> Any:
    body = BatchInputSimplePublicObjectBatchInputUpsert(inputs=inputs)
    return client.crm.contacts.batch_api.upsert(body)


def read(client: HubSpot, *keys: str) -> Any:
    body = BatchReadInputSimplePublicObjectId(
        properties=["baby_name_key", "firstname"],
        properties_with_history=[],
        id_property="baby_name_key",
        inputs=[{"id": key} for key in keys],
    )
    return client.crm.contacts.batch_api.read(body)


def test_upsert_200(client: HubSpot) -> None:
    answer = upsert(client, rows(100, firstname="Mary"))

    assert type(answer).__name__ == "BatchResponseSimplePublicUpsertObject"
    assert len(answer.results) == 100
    assert {item.new for item in answer.results} == {True}
    assert answer.results[0].created_at.tzinfo is not None


def test_upsert_207(client: HubSpot) -> None:
    answer = upsert(client, [*rows(2), row("bad", "t-bad", baby_sex="Q")])

    assert type(answer).__name__ == "BatchResponseSimplePublicUpsertObjectWithErrors"
    assert (len(answer.results), answer.num_errors) == (2, 1)
    assert answer.errors[0].context == {"objectWriteTraceId": ["t-bad"]}
    assert answer.errors[0].errors[0].code == "INVALID_OPTION"


def test_upsert_409(client: HubSpot) -> None:
    upsert(client, [row("a", email="a@example.com")])

    with pytest.raises(ApiException) as caught:
        upsert(client, [row("b", email="a@example.com")])

    assert caught.value.status == 409
    assert "Existing ID: 1" in caught.value.body


def test_read_207_and_archive(client: HubSpot) -> None:
    upsert(client, rows(2, firstname="Mary"))

    found = read(client, "name00000-f", "nobody-f")
    body = BatchInputSimplePublicObjectId(inputs=[{"id": found.results[0].id}])
    client.crm.contacts.batch_api.archive(body)
    gone = read(client, "name00000-f")

    assert found.results[0].properties["firstname"] == "Mary"
    assert found.errors[0].context["ids"] == ["nobody-f"]
    assert (gone.results, gone.errors[0].category) == ([], "OBJECT_NOT_FOUND")


def test_property_create(client: HubSpot) -> None:
    api = client.crm.properties.core_api
    wished = PropertyCreate(
        name="peak_births", label="Peak", type="number", field_type="number", group_name="contactinformation"
    )

    made = api.create(object_type="contacts", property_create=wished)
    listed = api.get_all(object_type="contacts")

    assert (made.name, made.has_unique_value, made.hubspot_defined) == ("peak_births", False, False)
    assert "baby_name_key" in {prop.name for prop in listed.results if prop.has_unique_value}


def test_search_paging(client: HubSpot) -> None:
    upsert(client, rows(25))
    request = {
        "filter_groups": [{"filters": [{"propertyName": "baby_name_key", "operator": "HAS_PROPERTY"}]}],
        "properties": ["baby_name_key"],
        "limit": 10,
    }

    keys: list[str] = []
    after: str | None = None
    while True:
        page = client.crm.contacts.search_api.do_search(PublicObjectSearchRequest(**request, after=after))
        keys += [item.properties["baby_name_key"] for item in page.results]
        if page.paging is None:
            break
        after = page.paging.next.after

    assert page.total == 25
    assert keys == [f"name{n:05d}-f" for n in range(25)]


def test_pages_of_all_contacts(client: HubSpot) -> None:
    for start in (0, 100, 200):
        upsert(client, rows(100, start=start))

    contacts = client.crm.contacts.get_all()

    assert len({contact.id for contact in contacts}) == 300
