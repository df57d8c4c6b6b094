"""Command line: `python -m tools.hubspot_simulator --port 0 --db :memory: --latency zero`."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from tools.hubspot_simulator.fault_plan import FaultError
from tools.hubspot_simulator.server import serve
from tools.hubspot_simulator.settings import KNOBS, KnobError, load_settings

_WRONG_USE = 2


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m tools.hubspot_simulator",
        description="A local HubSpot contacts API. Every knob is also HUBSPOT_SIM_<NAME>.",
        allow_abbrev=False,
    )
    parser.add_argument("--config", type=Path, help="YAML file that maps knob names to values")
    for name in KNOBS:
        parser.add_argument(f"--{name.replace('_', '-')}", metavar="VALUE")
    return parser


def main(arguments: list[str] | None = None) -> int:
    """Run the simulator and return the exit code."""
    options = vars(_parser().parse_args(arguments))
    config = options.pop("config")
    given = {name: value for name, value in options.items() if value is not None}
    try:
        serve(load_settings(config, os.environ, given))
    except (KnobError, FaultError, OSError) as error:
        print(f"hubspot simulator: {error}", file=sys.stderr)
        return _WRONG_USE
    return 0


if __name__ == "__main__":
    sys.exit(main())
