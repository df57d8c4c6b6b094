"""What goes into the images, read from the Dockerfiles and their ignore files: no engine is needed."""

from __future__ import annotations

import ast
import fnmatch
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PRODUCT = (ROOT / "Dockerfile").read_text(encoding="utf-8")
SIMULATORS = (ROOT / "deploy/compose/simulators.Dockerfile").read_text(encoding="utf-8")
IGNORE_FILES = {PRODUCT: ".dockerignore", SIMULATORS: "deploy/compose/simulators.Dockerfile.dockerignore"}
ASTRO = {"packages.txt", "requirements.txt"}
"""Astro's runtime image installs from them before our first step."""
both_images = pytest.mark.parametrize("dockerfile", [PRODUCT, SIMULATORS], ids=["product", "simulators"])


def matches(pattern: str, path: str) -> bool:
    """Say whether a pattern of an ignore file covers a path: itself or a folder above it, `**/` at any depth."""
    anywhere = pattern.startswith("**/")
    parts = path.split("/")
    starts = range(len(parts)) if anywhere else (0,)
    bare = pattern.removeprefix("**/")
    candidates = ("/".join(parts[start:end]) for start in starts for end in range(start + 1, len(parts) + 1))
    return any(candidate.count("/") == bare.count("/") and fnmatch.fnmatch(candidate, bare) for candidate in candidates)


def is_sent(ignore_file: str, path: str) -> bool:
    """Say whether a path goes to the builder; the last pattern that covers it decides."""
    sent = True
    for line in (ROOT / ignore_file).read_text(encoding="utf-8").splitlines():
        pattern = line.strip()
        if pattern and not pattern.startswith("#") and matches(pattern.removeprefix("!"), path):
            sent = pattern.startswith("!")
    return sent


def project_files() -> list[str]:
    listing = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    found = subprocess.run(listing, cwd=ROOT, capture_output=True, text=True, check=True).stdout.splitlines()
    return [path for path in found if (ROOT / path).is_file()]


def sent_files(dockerfile: str) -> set[str]:
    return {path for path in project_files() if is_sent(IGNORE_FILES[dockerfile], path)}


def copied(dockerfile: str) -> list[str]:
    """Return what is copied from the project."""
    lines = re.findall(r"^COPY (?!--from)(.+)$", dockerfile, flags=re.MULTILINE)
    return [source for line in lines for source in line.split()[:-1]]


def final_stage(dockerfile: str) -> str:
    return dockerfile[dockerfile.rindex("\nFROM ") :]


def pins(lock: str) -> dict[str, str]:
    text = (ROOT / lock).read_text(encoding="utf-8")
    return dict(re.findall(r"^([\w.-]+)(?:\[[\w,]+\])?==(\S+)", text, flags=re.MULTILINE))


def imported_by(node: ast.AST) -> list[str]:
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    return [node.module or ""] if isinstance(node, ast.ImportFrom) else []


@both_images
def test_everything_that_is_copied_is_sent_to_the_builder(dockerfile):
    sent = sent_files(dockerfile)

    assert copied(dockerfile)
    assert [
        source for source in copied(dockerfile) if not any(f"{path}/".startswith(f"{source}/") for path in sent)
    ] == []


@both_images
def test_nothing_else_is_sent_to_the_builder(dockerfile):
    unused = [
        path
        for path in sent_files(dockerfile) - ASTRO
        if not any(f"{path}/".startswith(f"{source}/") for source in copied(dockerfile))
    ]

    assert unused == []


@both_images
@pytest.mark.parametrize(
    "path",
    [".env", ".git/config", ".venv/bin/python", ".local/secrets.json", "tests/conftest.py", "tools/bootstrap.py",
     "docs/architecture.md", "include/x/__pycache__/y.pyc", "dags/__pycache__/z.pyc", "include/old.pyc", "README.md"],
)  # fmt: skip
def test_secrets_tests_and_leftovers_stay_outside(dockerfile, path):
    assert not is_sent(IGNORE_FILES[dockerfile], path)


def test_product_image_holds_dags_plugins_and_package():
    assert copied(final_stage(PRODUCT)) == ["dags", "plugins", "include"]


def test_product_image_holds_no_simulator_and_no_development_settings():
    assert [path for path in sent_files(PRODUCT) if path.startswith(("tools/", "airflow_settings"))] == []


def test_simulators_image_holds_nothing_of_the_product():
    assert [path for path in sent_files(SIMULATORS) if path.startswith(("include/", "dags/", "plugins/"))] == []


def test_simulators_image_holds_every_module_that_its_programs_import():
    sent = sent_files(SIMULATORS)
    wanted = {
        name
        for path in sent
        if path.endswith(".py")
        for node in ast.walk(ast.parse((ROOT / path).read_text(encoding="utf-8")))
        for name in imported_by(node)
        if name.startswith("tools.")
    }

    assert len(wanted) > 10
    there = {path.removesuffix("/__init__.py").removesuffix(".py").replace("/", ".") for path in sent}
    assert wanted - there == set()


def test_simulators_image_holds_every_package_that_its_programs_import():
    modules = {
        name.partition(".")[0]
        for path in sent_files(SIMULATORS)
        if path.endswith(".py")
        for node in ast.walk(ast.parse((ROOT / path).read_text(encoding="utf-8")))
        for name in imported_by(node)
    }
    packages = {{"yaml": "pyyaml"}.get(module, module) for module in modules - sys.stdlib_module_names - {"tools"}}

    assert "starlette" in packages
    assert packages - set(pins("deploy/compose/simulators.lock")) == set()


@both_images
def test_packages_are_installed_by_hash(dockerfile):
    installs = re.findall(r"pip install [^\n]*", dockerfile)

    assert installs
    assert [line for line in installs if "--require-hashes" not in line] == []


def test_product_image_has_no_compiler():
    assert "build-essential" in PRODUCT
    assert not re.search(r"build-essential|gcc|-dev\b", final_stage(PRODUCT))


@both_images
def test_image_runs_without_root_and_knows_its_health(dockerfile):
    users = re.findall(r"^USER (\S+)$", dockerfile, flags=re.MULTILINE)

    assert re.fullmatch(r"[1-9]\d+:0", users[-1])
    assert re.search(r"^HEALTHCHECK .*\\\n +CMD \[", dockerfile, flags=re.MULTILINE)


def test_product_image_keeps_the_entry_point_of_its_base():
    assert "ENTRYPOINT" not in PRODUCT


def test_simulators_have_the_versions_that_the_tests_run_with():
    ours, tested = pins("deploy/compose/simulators.lock"), pins("requirements-dev.lock")

    assert len(ours) > 20
    assert {name: version for name, version in ours.items() if tested.get(name) != version} == {}


@pytest.mark.parametrize("name", ["drivers", "executors"])
def test_additions_to_the_image_do_not_touch_what_the_product_locks(name):
    assert set(pins(f"deploy/image/{name}.lock")) & set(pins("requirements.lock")) == set()


def test_image_can_run_both_executors_of_deploy_kubernetes():
    ours = pins("deploy/image/executors.lock")

    assert {"apache-airflow-providers-celery", "apache-airflow-providers-cncf-kubernetes", "redis"} <= set(ours)
    # with 5.7 the provider 3.26.0 cannot be imported
    assert ours["celery"].startswith("5.6.")


@pytest.mark.parametrize("name", ["deploy/compose/simulators", "deploy/image/drivers", "deploy/image/executors"])
def test_every_direct_requirement_is_locked(name):
    lines = (ROOT / f"{name}.txt").read_text(encoding="utf-8").splitlines()
    wanted = {re.match(r"[\w-]+", line)[0] for line in lines if line and not line.startswith("#")}

    assert wanted
    assert wanted <= set(pins(f"{name}.lock"))
