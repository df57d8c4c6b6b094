from __future__ import annotations

import pytest

from tools import bootstrap


@pytest.fixture
def bare_machine(monkeypatch):
    """Pretend that no program and no header is there."""
    monkeypatch.setattr(bootstrap.shutil, "which", lambda name, path=None: None)
    monkeypatch.setattr(bootstrap, "_succeeds", lambda *command: False)
    monkeypatch.setattr(bootstrap.Path, "is_file", lambda path: False)
    monkeypatch.setattr(bootstrap.Path, "glob", lambda path, pattern: iter(()))


def test_bare_machine_needs_compiler_headers_and_a_server(bare_machine):
    packages = bootstrap.missing_packages({}, is_built=False)

    assert {"gcc", "libc6-dev", "pkg-config", "default-libmysqlclient-dev", "mariadb-server-core"} <= set(packages)
    assert [name for name in packages if name.startswith("python3.")] != []


def test_finished_environment_needs_only_the_server(bare_machine):
    assert bootstrap.missing_packages({}, is_built=True) == ["mariadb-server-core", "mariadb-client-core"]


@pytest.mark.parametrize("name", ["HUBSPOT_SYNC_MYSQLD", "HUBSPOT_SYNC_MYSQL_URL"])
def test_named_server_needs_no_package(bare_machine, name):
    assert bootstrap.missing_packages({name: "x"}, is_built=True) == []


def test_browser_is_installed_only_when_it_is_missing(bare_machine, monkeypatch):
    missing = bootstrap.missing_browser()
    monkeypatch.setattr(bootstrap.shutil, "which", lambda name, path=None: f"/usr/bin/{name}")

    assert missing == ["chromium"]
    assert bootstrap.missing_browser() == []


def test_person_without_sudo_gets_the_command(monkeypatch):
    monkeypatch.setattr(bootstrap.os, "geteuid", lambda: 1000)
    monkeypatch.setattr(bootstrap.shutil, "which", lambda name, path=None: "/usr/bin/apt-get")
    monkeypatch.setattr(bootstrap, "_succeeds", lambda *command: False)

    with pytest.raises(bootstrap.BootstrapError, match=r"sudo apt-get install -y --no-install-recommends gcc$"):
        bootstrap.install_packages(["gcc"])


def test_settings_of_pip_reach_uv():
    settings = {
        "index-url": "https://mirror.example/simple",
        "extra-index-url": "https://a.example\nhttps://b.example",
        "find-links": "/wheels /more",
        "cert": "/etc/company.pem",
    }

    environ = bootstrap.uv_environment({"CC": "", "PATH": "/bin"}, settings)

    assert environ["UV_DEFAULT_INDEX"] == "https://mirror.example/simple"
    assert environ["UV_INDEX"] == "https://a.example https://b.example"
    assert environ["UV_FIND_LINKS"] == "/wheels,/more"
    assert environ["SSL_CERT_FILE"] == "/etc/company.pem"
    assert environ["UV_SYSTEM_CERTS"] == "1"


def test_empty_compiler_setting_is_dropped_and_a_real_one_kept():
    assert "CC" not in bootstrap.uv_environment({"CC": ""}, {})
    assert bootstrap.uv_environment({"CC": "clang"}, {})["CC"] == "clang"


def test_own_uv_settings_win_over_pips():
    environ = bootstrap.uv_environment({"UV_DEFAULT_INDEX": "https://mine.example"}, {"index-url": "https://other"})

    assert environ["UV_DEFAULT_INDEX"] == "https://mine.example"


@pytest.fixture
def root_machine(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, ...]]:
    """A machine of root with apt-get and systemd, and the commands that it was given; installing fails."""
    commands: list[tuple[str, ...]] = []
    monkeypatch.setattr(bootstrap.os, "geteuid", lambda: 0)
    monkeypatch.setattr(bootstrap.shutil, "which", lambda name: "/usr/bin/apt-get" if name == "apt-get" else None)
    monkeypatch.setattr(bootstrap.Path, "is_dir", lambda path: str(path) == "/run/systemd/system")
    monkeypatch.setattr(bootstrap, "_succeeds", lambda *command: commands.append(command))
    return commands


def test_nothing_of_prometheus_is_installed_unasked(root_machine: list[tuple[str, ...]]):
    bootstrap.install_monitoring({})

    assert root_machine == []


def test_services_are_masked_before_they_are_installed(root_machine: list[tuple[str, ...]]):
    bootstrap.install_monitoring({"HUBSPOT_SYNC_PROMETHEUS": "wanted"})

    mask = ("systemctl", "mask", "prometheus.service", "prometheus-alertmanager.service")
    installs = [number for number, command in enumerate(root_machine) if "install" in command]
    assert root_machine.index(mask) < installs[0]
    assert root_machine[installs[0]][-2:] == ("prometheus", "prometheus-alertmanager")


def test_prometheus_that_is_required_and_cannot_be_installed_stops(root_machine: list[tuple[str, ...]]):
    with pytest.raises(bootstrap.BootstrapError, match="apt-get failed"):
        bootstrap.install_monitoring({"HUBSPOT_SYNC_PROMETHEUS": "required"})
