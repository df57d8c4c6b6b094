from __future__ import annotations

import json

import pytest

from tools.local_stack.errors import StackError
from tools.local_stack.layout import ROOT
from tools.local_stack.settings_file import Pool, apply_objects, read_objects, substitute

FILE = ROOT / "airflow_settings.yaml"
VALUES = {
    "MYSQL_HOST": "127.0.0.1",
    "MYSQL_PORT": "13306",
    "MYSQL_DATABASE": "hubspot_sync",
    "MYSQL_USER": "hubspot_sync",
    "MYSQL_PASSWORD": "pw:${X}",
    "MYSQL_SSL_MODE": "PREFERRED",
    "S3_URL": "http://127.0.0.1:9000",
    "S3_BUCKET": "bucket",
    "S3_ACCESS_KEY": "local",
    "S3_SECRET_KEY": "local",
    "HUBSPOT_URL": "http://127.0.0.1:9001",
    "HUBSPOT_TOKEN": "token",
    "KAGGLE_URL": "http://127.0.0.1:9002",
    "KAGGLE_TOKEN": "other token",
    "PAGERDUTY_URL": "",
    "PAGERDUTY_KEY": "",
}


class RecordingApi:
    def __init__(self):
        self.calls = []

    def put_pool(self, name, slots, description):
        self.calls.append(("pool", name, slots))

    def put_connection(self, connection):
        self.calls.append(("connection", connection["connection_id"], connection["conn_type"]))

    def put_variable(self, key, value):
        self.calls.append(("variable", key, value))


def connection(name):
    objects = read_objects(FILE, VALUES)
    return next(entry for entry in objects.connections if entry["connection_id"] == name)


def test_references_are_filled_in_at_any_depth():
    filled = substitute({"a": ["${X}-${Y}", 5, None], "b": {"c": "plain"}}, {"X": "1", "Y": "2"})

    assert filled == {"a": ["1-2", 5, None], "b": {"c": "plain"}}


def test_value_is_not_expanded_a_second_time():
    assert substitute("${A}", {"A": "${B}", "B": "no"}) == "${B}"


def test_reference_without_a_value_is_named():
    with pytest.raises(StackError, match=r"\$\{MISSING\} has no value"):
        substitute("x${MISSING}", {})


def test_mysql_connection_has_a_numeric_port_and_allows_local_infile():
    mysql = connection("mysql")

    assert (mysql["host"], mysql["port"], mysql["schema"]) == ("127.0.0.1", 13306, "hubspot_sync")
    assert mysql["password"] == VALUES["MYSQL_PASSWORD"]
    assert mysql["extra"] == {"charset": "utf8mb4", "ssl_mode": "PREFERRED", "local_infile": True}


def test_pagerduty_is_left_out_until_somebody_names_its_key():
    with_key = read_objects(FILE, {**VALUES, "PAGERDUTY_KEY": "k" * 32})

    assert "pagerduty" not in {entry["connection_id"] for entry in read_objects(FILE, VALUES).connections}
    assert with_key.connections[-1] == {"connection_id": "pagerduty", "conn_type": "http", "password": "k" * 32}


def test_aws_connection_points_at_the_local_bucket():
    extra = connection("aws")["extra"]

    assert extra["endpoint_url"] == "http://127.0.0.1:9000"
    assert extra["config_kwargs"] == {"s3": {"addressing_style": "path"}}
    assert extra["service_config"] == {"s3": {"bucket_name": "bucket"}}


@pytest.mark.parametrize(("name", "port"), [("hubspot", 9001), ("kaggle", 9002)])
def test_simulator_connections_carry_address_and_token(name, port):
    simulator = connection(name)

    assert simulator["conn_type"] == "http"
    assert simulator["host"] == f"http://127.0.0.1:{port}"
    assert simulator["password"] == VALUES[f"{name.upper()}_TOKEN"]


def test_pool_bounds_the_shards():
    assert [(pool.name, pool.slots) for pool in read_objects(FILE, VALUES).pools] == [("hubspot_api", 5)]


def test_every_password_in_the_file_is_a_reference():
    passwords = [line.split(":", 1)[1].strip() for line in FILE.read_text().splitlines() if "conn_password" in line]

    assert len(passwords) == 5
    assert all(password.startswith("${") for password in passwords)


def test_objects_are_applied_pools_first(tmp_path):
    path = tmp_path / "settings.yaml"
    path.write_text(
        json.dumps(
            {
                "airflow": {
                    "connections": [{"conn_id": "a", "conn_type": "http", "conn_extra": '{"b": 1}'}],
                    "pools": [{"pool_name": "p", "pool_slot": "3", "pool_description": None}],
                    "variables": [{"variable_name": "v", "variable_value": 7}],
                }
            }
        )
    )
    api = RecordingApi()
    objects = read_objects(path, {})

    apply_objects(api, objects)

    assert objects.pools == (Pool("p", 3, ""),)
    assert objects.connections[0]["extra"] == {"b": 1}
    assert api.calls == [("pool", "p", 3), ("connection", "a", "http"), ("variable", "v", "7")]


def test_file_of_another_form_is_refused_in_one_line(tmp_path):
    path = tmp_path / "settings.yaml"
    path.write_text("airflow: {pools: [{name: p}]}")

    with pytest.raises(StackError, match=r"settings\.yaml: unexpected form near 'pool_name'"):
        read_objects(path, {})
