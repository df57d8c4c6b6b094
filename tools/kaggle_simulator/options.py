"""Command line and environment of the simulator."""

from __future__ import annotations

import argparse
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tools.kaggle_simulator.generator import Profile

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

DEFAULT_TOKEN = "KGAT_kaggle_simulator_token"  # noqa: S105 - an invented token for a simulator
DEFAULT_USER = "simulator"
DEFAULT_KEY = "kaggle-simulator-key"
DEFAULT_DATASET = "thedevastator/us-baby-names-by-year-of-birth"
DEFAULT_FILE = "babyNamesUSYOB-full.csv"
DEFAULT_URL_LIFETIME_S = 900.0
DEFAULT_STALL_S = 60.0
ENVIRONMENT_PREFIX = "KAGGLE_SIM_"
_DELIVERIES = ["plain", "zip"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """How the simulator was started."""

    host: str
    port: int
    storage_port: int
    storage_url: str | None
    port_file: Path | None
    dataset: str
    file: str
    profile: Profile
    seed: int
    csv: Path | None
    folder: Path | None
    log: Path | None
    token: str
    user: str
    key: str
    anonymous: bool
    delivery: str
    url_lifetime: float


def _parser(environ: Mapping[str, str]) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m tools.kaggle_simulator",
        description="Simulate Kaggle's dataset API and file storage.",
        epilog=f"Each option can be set in the environment too: --storage-port is {ENVIRONMENT_PREFIX}STORAGE_PORT.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )

    def add(option: str, kind: type, default: object, text: str, **more: list[str]) -> None:
        variable = ENVIRONMENT_PREFIX + option.upper().replace("-", "_")
        # argparse converts and checks a default that is a string like an argument
        value = environ.get(variable) or default
        parser.add_argument(f"--{option}", type=kind, default=value, help=text, **more)  # type: ignore[arg-type]

    add("host", str, "127.0.0.1", "address to listen on; another one only inside a container")
    add("port", int, 0, "port of the API; 0 takes a free one")
    add("storage-port", int, 0, "port of the file storage; 0 takes a free one")
    add("storage-url", str, None, "address of the storage as clients see it; else http://host:storage-port")
    add("port-file", Path, None, "write both ports to this file as JSON")
    add("dataset", str, DEFAULT_DATASET, "dataset as owner/slug")
    add("file", str, DEFAULT_FILE, "file of the dataset")
    add("profile", Profile, "benchmark", "size of the generated version 1", choices=list(Profile))
    add("seed", int, 1, "seed of the generated version 1")
    add("csv", Path, None, "serve this CSV or CSV.gz file as version 1 instead")
    add("folder", Path, None, "keep the versions here for the next start; else they are deleted at the end")
    add("log", Path, None, "append the request log to this file; else requests.jsonl in the folder")
    add("token", str, DEFAULT_TOKEN, "token that is accepted as Bearer")
    add("user", str, DEFAULT_USER, "user name that is accepted as Basic")
    add("key", str, DEFAULT_KEY, "key that is accepted as Basic")
    add("delivery", str, "zip", "form of a single file: plain or zip", choices=_DELIVERIES)
    add("url-lifetime", float, str(DEFAULT_URL_LIFETIME_S), "seconds until a storage URL expires")
    parser.add_argument(
        "--anonymous",
        action=argparse.BooleanOptionalAction,
        default=environ.get(f"{ENVIRONMENT_PREFIX}ANONYMOUS", "") in {"1", "true", "yes"},
        help="serve requests without credentials",
    )
    return parser


def parse_options(arguments: Sequence[str] | None = None, environ: Mapping[str, str] = os.environ) -> Options:
    """Read the options; a wrong one ends the program with its usage."""
    parser = _parser(environ)
    values = parser.parse_args(arguments)
    owner, _, slug = values.dataset.partition("/")
    if not owner or not slug or "/" in slug:
        parser.error(f"--dataset {values.dataset} is not owner/slug")
    if values.delivery not in _DELIVERIES:  # argparse checks choices of arguments only, not of defaults
        parser.error(f"--delivery {values.delivery} is not one of {', '.join(_DELIVERIES)}")
    return Options(**vars(values))
