"""What is wrong around a run without any server: paths, disks, redirects, the sync definition, installed packages."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Any

import requests
import yaml

from include.hubspot_sync.config import SYNCS_DIR, load_definition, load_definitions
from include.hubspot_sync.source.archive import unpack
from include.hubspot_sync.source.csv_reader import validate_file
from include.hubspot_sync.source.kaggle import KaggleClient
from tests.support.bad_files import CONTENT, FILE
from tests.support.outcomes import Outcome, Seen, seen_of
from tests.unit.source.scripted_server import redirect, scripted_server

NOBODY = 65_534


def _unpacked(path: Path) -> Seen:
    definition = load_definitions()["baby_names"]
    return seen_of(
        lambda: unpack(path, definition.source, path.parent),
        otherwise=lambda file: Seen(Outcome.ACCEPT, f"{file.path.name} was opened"),
    )


def symlink_as_path(folder: Path) -> Seen:
    (folder / "real").write_bytes(CONTENT)
    (folder / "download").symlink_to(folder / "real")
    return _unpacked(folder / "download")


def folder_as_path(folder: Path) -> Seen:
    (folder / "download").mkdir()
    return _unpacked(folder / "download")


def pipe_as_path(folder: Path) -> Seen:
    os.mkfifo(folder / "download")
    return _unpacked(folder / "download")


def device_as_path(_folder: Path) -> Seen:
    return _unpacked(Path("/dev/zero"))


@contextmanager
def _without_rights() -> Iterator[None]:
    """Root may read everything, so it steps down for a moment."""
    is_root = os.geteuid() == 0
    if is_root:
        os.seteuid(NOBODY)
    try:
        yield
    finally:
        if is_root:
            os.seteuid(0)


def unreadable_file(folder: Path) -> Seen:
    path = folder / "download"
    path.write_bytes(CONTENT)
    path.chmod(0)
    with _without_rights():
        return _unpacked(path)


def full_disk(folder: Path) -> Seen:
    """`/dev/full` answers every write as a full disk does."""
    (folder / "download").write_bytes(CONTENT)
    definition = load_definitions()["baby_names"]
    return seen_of(
        lambda: validate_file(
            folder / "download", definition.source, definition.record, Path("/dev/full"), lambda _line: None
        ),
        otherwise=lambda check: Seen(Outcome.ACCEPT, f"{check.rows} rows"),
    )


def cut_while_read(folder: Path) -> Seen:
    """The size is known from the manifest; the file has less."""
    (folder / "download").write_bytes(CONTENT)
    definition = load_definitions()["baby_names"]
    return seen_of(
        lambda: validate_file(
            folder / "download",
            definition.source,
            definition.record,
            folder / "clean",
            lambda _line: None,
            expected_bytes=len(CONTENT) + 100,
        ),
        otherwise=lambda check: Seen(Outcome.ACCEPT, f"{check.rows} rows"),
    )


def redirect_to_another_host(folder: Path) -> Seen:
    with scripted_server() as api:
        api.will(redirect("https://attacker.example/names.csv"))
        client = KaggleClient("owner/names", requests.Session, base_url=api.url)
        seen = seen_of(
            lambda: client.download_file(1, FILE, folder),
            otherwise=lambda file: Seen(Outcome.ACCEPT, f"{file.size_bytes} bytes"),
        )
        assert len(api.asked) == 1
        return seen


def edited_definition(folder: Path, edit: Callable[[dict[str, Any]], Any]) -> Path:
    """Write the baby names' definition with one change."""
    content = yaml.safe_load((SYNCS_DIR / "baby_names.yaml").read_text(encoding="utf-8"))
    edit(content)
    path = folder / "baby_names.yaml"
    path.write_text(yaml.safe_dump(content), encoding="utf-8")
    return path


def definition_with(edit: Callable[[dict[str, Any]], Any]) -> Callable[[Path], Seen]:
    """Return the act of reading a changed definition."""

    def act(folder: Path) -> Seen:
        path = edited_definition(folder, edit)
        return seen_of(
            lambda: load_definition(path), otherwise=lambda _: Seen(Outcome.ACCEPT, "the definition is good")
        )

    return act


def unfit_provider(_folder: Path) -> Seen:
    from include.hubspot_sync.orchestration.versions import check_versions

    def pretended(name: str) -> str:
        return "5.7.0" if name.endswith("-mysql") else version(name)

    return seen_of(lambda: check_versions(pretended), otherwise=lambda _: Seen(Outcome.ACCEPT, "all fit"))
