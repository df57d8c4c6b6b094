"""Install what the stack, the tests and the checks need; called by bootstrap.sh, standard library only.

`bootstrap.py install PYTHON`: system packages if missing, .venv, then exactly what requirements-dev.lock says.
`bootstrap.py lock PYTHON`: write both lock files anew from the requirements.
`bootstrap.py browser PYTHON`: Chromium for the tests of the page, if it is missing.
`bootstrap.py checkov PYTHON`: checkov for the tests of deploy/aws, in an environment of its own.
"""

# ruff: noqa: S603  the programs it runs are named in this file

from __future__ import annotations

import ast
import fcntl
import hashlib
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
UV = VENV / "bin" / "uv"
UV_PIN = ROOT / "tools" / "bootstrap_uv.txt"
LOCK = ROOT / "requirements-dev.lock"
CHECKOV_VENV = ROOT / ".local" / "checkov"
STAMP = VENV / "bootstrap.stamp"
SERVER_FOLDERS = "/usr/sbin:/usr/local/sbin:/usr/libexec"
Command = Sequence[str | Path]
MONITORING = "HUBSPOT_SYNC_PROMETHEUS"
"""Variable: `wanted` installs Prometheus and Alertmanager if that is possible, `required` fails if it is not."""
SYSTEM_CERTIFICATES = Path("/etc/ssl/certs/ca-certificates.crt")


class BootstrapError(Exception):
    """Something is missing or failed; one line that says what to do."""


def say(text: str) -> None:
    """Show one line of progress."""
    print(f"bootstrap: {text}", file=sys.stderr, flush=True)


def has_client_library() -> bool:
    """Return whether mysqlclient can be built: its set-up asks pkg-config for one of these."""
    names = ("mysqlclient", "libmariadb", "mariadb")
    if shutil.which("pkg-config"):
        return any(_succeeds("pkg-config", "--exists", name) for name in names)
    return any(True for name in names for _ in Path("/usr").glob(f"lib/*/pkgconfig/{name}.pc"))


def has_server(environ: Mapping[str, str]) -> bool:
    """Return whether a MySQL-compatible server is there or named."""
    if environ.get("HUBSPOT_SYNC_MYSQLD") or environ.get("HUBSPOT_SYNC_MYSQL_URL"):
        return True
    path = f"{environ.get('PATH', os.defpath)}:{SERVER_FOLDERS}"
    return any(shutil.which(name, path=path) for name in ("mysqld", "mariadbd"))


def missing_monitoring(environ: Mapping[str, str]) -> list[str]:
    """Return the Debian packages of the programs with which the alerts are tested, if somebody asks for them."""
    packages = ("prometheus", "prometheus-alertmanager")
    return [name for name in packages if environ.get(MONITORING) and not shutil.which(name)]


def missing_packages(environ: Mapping[str, str], *, is_built: bool) -> list[str]:
    """Return the Debian packages that would provide what is not there.

    Args:
        environ: environment variables.
        is_built: the virtual environment is complete, so only the server can be missing.
    """
    python = f"python{sys.version_info.major}.{sys.version_info.minor}"
    wanted: list[tuple[bool, tuple[str, ...]]] = [(has_server(environ), ("mariadb-server-core", "mariadb-client-core"))]
    if not is_built:
        header = Path(sysconfig.get_path("include")) / "Python.h"
        wanted += [
            (_succeeds(sys.executable, "-c", "import ensurepip, venv"), (f"{python}-venv",)),
            (header.is_file(), (f"{python}-dev",)),
            (shutil.which("gcc") is not None, ("gcc",)),
            (Path("/usr/include/stdio.h").is_file(), ("libc6-dev",)),
            (shutil.which("pkg-config") is not None, ("pkg-config",)),
            (has_client_library(), ("default-libmysqlclient-dev",)),
        ]
    return [name for is_there, names in wanted if not is_there for name in names]


def missing_browser() -> list[str]:
    """Return the Debian package of the browser, which only the tests of the page need, unless it is there."""
    return [] if shutil.which("chromium") else ["chromium"]


def install_packages(packages: Sequence[str]) -> None:
    """Install Debian packages as root or with a passwordless sudo.

    No service starts: the `-core` packages hold the server program only, the others are masked before.

    Raises:
        BootstrapError: that is not possible here; names the command for a person.
    """
    command = f"sudo apt-get update && sudo apt-get install -y --no-install-recommends {' '.join(packages)}"
    if not shutil.which("apt-get"):
        raise BootstrapError(f"missing on this machine: {' '.join(packages)} (Debian names); install them")
    if os.geteuid() != 0 and not (shutil.which("sudo") and _succeeds("sudo", "-n", "true")):
        raise BootstrapError(f"run this once, then again: {command}")
    say(f"installing {' '.join(packages)}")
    install = ("install", "-y", "--no-install-recommends", *packages)
    if not any(Path("/var/lib/apt/lists").glob("*_Packages*")):
        _apt("update")
    _mask_services(packages)
    if not _apt(*install) and not (_apt("update") and _apt(*install)):
        raise BootstrapError(f"apt-get failed: run `{command}` to see why")


def install_monitoring(environ: Mapping[str, str]) -> None:
    """Install what the tests of the alerts run, as far as somebody asks for it.

    Raises:
        BootstrapError: it is required and cannot be installed here.
    """
    packages = missing_monitoring(environ)
    if not packages:
        return
    try:
        install_packages(packages)
    except BootstrapError as error:
        if environ[MONITORING] == "required":
            raise
        say(f"tests of the alerts are skipped: {error}")


def _mask_services(packages: Sequence[str]) -> None:
    """Keep Prometheus and Alertmanager from running by themselves, where they would listen on every address."""
    units = [f"{name}.service" for name in packages if name.startswith("prometheus")]
    # without systemd Debian starts nothing while a package is installed
    if units and Path("/run/systemd/system").is_dir():
        _succeeds(*_sudo(), "systemctl", "mask", *units)


def _sudo() -> tuple[str, ...]:
    return () if os.geteuid() == 0 else ("sudo", "-n")


def _apt(*arguments: str) -> bool:
    # needrestart would restart other people's services after an installation
    settings = ("env", "DEBIAN_FRONTEND=noninteractive", "NEEDRESTART_SUSPEND=1")
    return _succeeds(*_sudo(), *settings, "apt-get", "-qq", "-o", "DPkg::Lock::Timeout=120", *arguments)


def pip_settings(environ: Mapping[str, str]) -> dict[str, str]:
    """Return pip's own settings by option name, e.g. `index-url`; the environment wins over files."""
    listed = subprocess.run(
        [VENV / "bin" / "python", "-m", "pip", "config", "list"],
        capture_output=True,
        text=True,
        check=False,
        env=dict(environ),
    ).stdout
    settings: dict[str, str] = {}
    for line in sorted(listed.splitlines(), key=lambda text: text.startswith(":env:")):
        place, equals, value = line.partition("=")
        if equals and place.split(".")[0] in ("global", "install", ":env:"):
            settings[place.rsplit(".", 1)[1]] = str(ast.literal_eval(value))
    return settings


def uv_environment(environ: Mapping[str, str], settings: Mapping[str, str]) -> dict[str, str]:
    """Return the environment for uv, which does not read pip's settings: certificates, indexes, proxy."""
    prepared = {name: value for name, value in environ.items() if value or name not in ("CC", "CXX")}
    given = {
        "UV_SYSTEM_CERTS": "1",
        "UV_DEFAULT_INDEX": settings.get("index-url", ""),
        "UV_INDEX": " ".join(settings.get("extra-index-url", "").split()),
        "UV_FIND_LINKS": ",".join(settings.get("find-links", "").split()),
        "UV_INSECURE_HOST": " ".join(settings.get("trusted-host", "").split()),
        # pip asks every index for the best version; the hashes of the lock make that safe
        "UV_INDEX_STRATEGY": "unsafe-best-match",
        "UV_HTTP_TIMEOUT": "120",
        "SSL_CERT_FILE": settings.get("cert", ""),
        "ALL_PROXY": settings.get("proxy", ""),
    }
    for name, value in given.items():
        if value:
            prepared.setdefault(name, value)
    prepared["VIRTUAL_ENV"] = str(VENV)
    return prepared


def pip_environment(environ: Mapping[str, str], *, has_configured_certificates: bool) -> dict[str, str]:
    """Return the environment for pip: an older pip knows only its own certificates, so name the system's."""
    prepared = dict(environ)
    bundle = environ.get("SSL_CERT_FILE") or str(SYSTEM_CERTIFICATES)
    if not has_configured_certificates and Path(bundle).is_file():
        prepared.setdefault("PIP_CERT", bundle)
    return prepared


def make_venv() -> None:
    """Create `.venv` with this interpreter; one of another Python version is replaced."""
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    same = "import sys, pip; print('%d.%d' % sys.version_info[:2])"
    if _output(VENV / "bin" / "python", "-c", same) == version:
        return
    say(f"creating .venv with Python {version}")
    _run("python -m venv", [sys.executable, "-m", "venv", "--clear", VENV], dict(os.environ))


def install_python_packages() -> None:
    """Make the environment equal to the lock."""
    make_venv()
    settings = pip_settings(os.environ)
    _install_uv(settings)
    say("installing the locked packages")
    sync: Command = [UV, "pip", "sync", "--quiet", "--require-hashes", LOCK]
    _run("uv pip sync", sync, uv_environment(os.environ, settings))


def _install_uv(settings: Mapping[str, str]) -> None:
    wanted = UV_PIN.read_text(encoding="utf-8").split("uv==")[1].split()[0]
    if _output(UV, "--version").split()[1:2] == [wanted]:
        return
    environ = pip_environment(os.environ, has_configured_certificates="cert" in settings)
    command: Command = [VENV / "bin" / "python", "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    _run("pip install uv", [*command, "--require-hashes", "-r", UV_PIN], environ)


def write_locks() -> None:
    """Compile the lock files; what stands in several has the same version in all."""
    compile_lock: Command = [
        *(UV, "pip", "compile", "--quiet", "--universal", "--python-version", "3.11"),
        *("--generate-hashes", "--custom-compile-command", "make lock"),
    ]
    environ = uv_environment(os.environ, pip_settings(os.environ))
    product: Command = ("requirements.txt", "-c", "requirements-dev.lock", "-o", "requirements.lock")
    for arguments in (("requirements-dev.txt", "-o", "requirements-dev.lock"), product):
        _run("uv pip compile", [*compile_lock, *arguments], environ)
    others = [part for name in _locked_names(ROOT / "requirements.lock") for part in ("--no-emit-package", name)]
    for arguments in (
        ("deploy/compose/simulators.txt", "-c", "requirements-dev.lock", "-o", "deploy/compose/simulators.lock"),
        ("deploy/image/drivers.txt", "--no-deps", "-c", "requirements.lock", "-o", "deploy/image/drivers.lock"),
        ("deploy/image/executors.txt", *others, "-c", "requirements.lock", "-o", "deploy/image/executors.lock"),
        ("deploy/aws/checks.txt", "-o", "deploy/aws/checks.lock"),
    ):
        _run("uv pip compile", [*compile_lock, *arguments], environ)


def _locked_names(lock: Path) -> list[str]:
    return re.findall(r"^([\w.-]+)(?:\[[^]]*\])?==", lock.read_text(encoding="utf-8"), flags=re.MULTILINE)


def locks_digest() -> str:
    """Return the SHA-256 that bootstrap.sh compares with the stamp's first line."""
    return hashlib.sha256(LOCK.read_bytes() + UV_PIN.read_bytes()).hexdigest()


def install(python: str) -> None:
    """Do what is not done yet, and leave the stamp by which bootstrap.sh sees that it is."""
    began = time.monotonic()
    stamp = f"{locks_digest()}\n{python}\n"
    with _alone():
        is_built = STAMP.is_file() and STAMP.read_text(encoding="utf-8") == stamp
        packages = missing_packages(os.environ, is_built=is_built)
        if packages:
            install_packages(packages)
        install_monitoring(os.environ)
        if not is_built:
            STAMP.unlink(missing_ok=True)
            install_python_packages()
            STAMP.write_text(stamp, encoding="utf-8")
    say(f"ready in {time.monotonic() - began:.0f} s")


def install_browser() -> None:
    """Install Chromium when it is missing.

    Raises:
        BootstrapError: that is not possible here; names the command for a person.
    """
    with _alone():
        if packages := missing_browser():
            install_packages(packages)


def install_checkov() -> None:
    """Make checkov's own environment equal to its lock; it cannot share one with Airflow."""
    environ = uv_environment(os.environ, pip_settings(os.environ))
    with _alone():
        if not (CHECKOV_VENV / "bin" / "python").exists():
            _run("uv venv", [UV, "venv", "--quiet", "--python", sys.executable, CHECKOV_VENV], environ)
        sync: Command = [UV, "pip", "sync", "--quiet", "--python", CHECKOV_VENV / "bin" / "python"]
        _run("uv pip sync", [*sync, "--require-hashes", ROOT / "deploy/aws/checks.lock"], environ)


@contextmanager
def _alone() -> Iterator[None]:
    """Let one bootstrap of this checkout work at a time."""
    with LOCK.open("rb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _run(what: str, command: Command, environ: dict[str, str]) -> None:
    done = subprocess.run(
        command, check=False, env=environ, cwd=ROOT, stdout=sys.stderr, stderr=subprocess.PIPE, text=True
    )
    if done.returncode:
        sys.stderr.write(done.stderr)
        lines = [line.strip() for line in done.stderr.splitlines() if line.strip()] or ["no message"]
        raise BootstrapError(f"{what} failed: {lines[-1]}")


def _succeeds(*command: str) -> bool:
    quiet = subprocess.DEVNULL
    return subprocess.run(command, check=False, stdin=quiet, stdout=quiet, stderr=quiet).returncode == 0


def _output(*command: str | Path) -> str:
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except OSError:
        return ""
    return done.stdout.strip()


def main(arguments: Sequence[str]) -> int:
    """Run one of the commands."""
    try:
        if arguments[:1] == ["lock"]:
            write_locks()
        elif arguments[:1] == ["browser"]:
            install_browser()
        elif arguments[:1] == ["checkov"]:
            install_checkov()
        else:
            install(arguments[1] if len(arguments) > 1 else sys.executable)
    except BootstrapError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
