from __future__ import annotations

import stat
from pathlib import Path

import pytest
from cryptography.fernet import Fernet

from tools.compose import secret_file
from tools.compose.secret_file import SECRETS, add_missing, make_secrets


def read(path: Path) -> dict[str, str]:
    return dict(line.split("=", 1) for line in path.read_text(encoding="utf-8").splitlines())


@pytest.fixture
def env_file(tmp_path: Path) -> Path:
    return tmp_path / ".env"


def test_every_secret_is_written_for_its_owner_only(env_file):
    assert add_missing(env_file) == list(SECRETS)

    assert set(read(env_file)) == set(SECRETS)
    assert stat.S_IMODE(env_file.stat().st_mode) == 0o600


def test_values_that_protect_data_are_kept(env_file):
    add_missing(env_file)
    before = env_file.read_text(encoding="utf-8")

    assert add_missing(env_file) == []
    assert env_file.read_text(encoding="utf-8") == before


def test_own_lines_stay_and_empty_values_are_filled(env_file):
    env_file.write_text("MYSQL_IMAGE=mysql:9.7\nMYSQL_PASSWORD=chosen\nKAGGLE_TOKEN=", encoding="utf-8")

    added = add_missing(env_file)

    values = read(env_file)
    assert "MYSQL_PASSWORD" not in added
    assert "KAGGLE_TOKEN" in added
    assert (values["MYSQL_IMAGE"], values["MYSQL_PASSWORD"]) == ("mysql:9.7", "chosen")
    assert values["KAGGLE_TOKEN"].startswith("KGAT_")


def test_values_are_new_each_time_long_and_need_no_quotes():
    first, second = make_secrets(), make_secrets()

    assert not set(first.values()) & set(second.values())
    for value in first.values():
        assert len(value) >= 16
        assert value.replace("-", "").replace("_", "").replace("=", "").isalnum()


def test_fernet_key_is_one():
    Fernet(make_secrets()["AIRFLOW_FERNET_KEY"])


def test_program_names_what_it_added_but_shows_no_value(env_file, monkeypatch, capsys):
    monkeypatch.setattr(secret_file, "ENV_FILE", env_file)

    assert secret_file.main() == 0
    assert secret_file.main() == 0

    first, second = capsys.readouterr().out.splitlines()
    assert "MYSQL_PASSWORD" in first
    assert second.endswith("nothing added")
    assert not [value for value in read(env_file).values() if value in first]
