from __future__ import annotations

import json
import stat

import pytest

from tools.local_stack.__main__ import describe_addresses
from tools.local_stack.airflow_env import airflow_settings, base_environment
from tools.local_stack.errors import StackError
from tools.local_stack.layout import Layout, Secrets, Stack
from tools.local_stack.up_down import DEFAULT_PORTS, plan_stack

DESIGNED_KEYS = {
    *("airflow_url", "airflow_user", "airflow_password", "mysql_url"),
    *("s3_url", "s3_access_key", "s3_secret_key", "bucket", "hubspot_url", "kaggle_url"),
}


@pytest.fixture
def layout(tmp_path):
    return Layout(tmp_path)


def test_stack_file_has_the_promised_keys_and_is_private(layout):
    plan_stack(layout, Secrets.load(layout), {}).save(layout)

    content = json.loads(layout.stack_file.read_text())

    assert set(content) >= DESIGNED_KEYS
    assert stat.S_IMODE(layout.stack_file.stat().st_mode) == 0o600


def test_stack_survives_its_file(layout):
    stack = plan_stack(layout, Secrets.load(layout), {})
    stack.pids["mysql"] = 5
    stack.save(layout)

    assert Stack.load(layout) == stack


def test_addresses_name_every_part_with_its_login_but_not_the_password_of_mysql(layout):
    stack = plan_stack(
        layout, Secrets.load(layout), {"HUBSPOT_SYNC_MYSQL_URL": "mysql://me:hidden@db.example:3307/mine"}
    )

    text = "\n".join(describe_addresses(stack))

    for part in (stack.airflow_url, stack.airflow_password, stack.s3_url, stack.s3_secret_key, stack.bucket):
        assert part in text
    for part in (stack.hubspot_url, stack.hubspot_token, stack.kaggle_url, stack.kaggle_token):
        assert part in text
    assert "db.example:3307  schema mine, user me" in text
    assert "hidden" not in text


def test_stack_file_of_before_the_keys_of_s3_is_still_read(layout):
    stack = plan_stack(layout, Secrets.load(layout), {})
    stack.save(layout)
    content = json.loads(layout.stack_file.read_text())
    del content["s3_access_key"], content["s3_secret_key"]
    layout.stack_file.write_text(json.dumps(content))

    assert Stack.load(layout) == stack


def test_stack_file_of_another_version_counts_as_none(layout):
    layout.folder.mkdir()
    layout.stack_file.write_text('{"unknown": 1}')

    assert Stack.load(layout) is None


def test_missing_stack_says_how_to_start_it(layout):
    with pytest.raises(StackError, match="make up"):
        Stack.need(layout)


def test_secrets_are_made_once_and_are_private(layout):
    first = Secrets.load(layout)

    assert Secrets.load(layout) == first
    assert stat.S_IMODE((layout.folder / "secrets.json").stat().st_mode) == 0o600


def test_two_checkouts_have_different_secrets(tmp_path):
    one, two = (Secrets.load(Layout(tmp_path / name)) for name in ("one", "two"))

    assert one.airflow_password != two.airflow_password
    assert one.mysql_password != two.mysql_password


def test_every_part_gets_its_own_port_and_loopback_address(layout):
    stack = plan_stack(layout, Secrets.load(layout), {})

    assert set(stack.ports) == set(DEFAULT_PORTS)
    assert len(set(stack.ports.values())) == len(DEFAULT_PORTS)
    for url in (stack.airflow_url, stack.s3_url, stack.hubspot_url, stack.kaggle_url):
        assert url.startswith("http://127.0.0.1:")


def test_ports_of_the_last_time_are_kept(layout):
    secrets = Secrets.load(layout)
    first = plan_stack(layout, secrets, {})
    # no port that the system gives to others meanwhile
    first.ports = {name: 23_000 + number for number, name in enumerate(DEFAULT_PORTS)}
    first.save(layout)

    assert plan_stack(layout, secrets, {}).ports == first.ports


def test_given_server_is_used_as_it_is(layout):
    url = "mysql://me:pw@db.example:3311/mine"

    assert plan_stack(layout, Secrets.load(layout), {"HUBSPOT_SYNC_MYSQL_URL": url}).mysql_url == url


def test_settings_of_the_users_own_airflow_and_aws_do_not_leak_in(layout):
    environ = {"AIRFLOW__CORE__EXECUTOR": "X", "AIRFLOW_HOME": "/mine", "AWS_PROFILE": "prod", "PATH": "/bin"}

    base = base_environment(layout, environ)

    assert base["PATH"] == "/bin"
    assert not [name for name in base if name.startswith(("AIRFLOW", "AWS_"))]


def test_loopback_goes_round_a_proxy(layout):
    base = base_environment(layout, {"NO_PROXY": "intranet", "HTTPS_PROXY": "http://proxy"})

    assert base["NO_PROXY"] == "intranet,127.0.0.1,localhost"
    assert base["HTTPS_PROXY"] == "http://proxy"


@pytest.mark.parametrize(("is_scheduled", "expected"), [(True, "on"), (False, "off")])
def test_schedules_are_off_unless_asked_for(layout, is_scheduled, expected):
    settings = airflow_settings(layout, Secrets.load(layout), DEFAULT_PORTS, is_scheduled=is_scheduled)

    assert settings["HUBSPOT_SYNC_SCHEDULE"] == expected
    assert settings["AIRFLOW__API__HOST"] == "127.0.0.1"
    assert settings["AIRFLOW_HOME"].startswith(str(layout.folder))
