"""Writes a generated dataset to a file: `python -m tools.kaggle_simulator.generate --help`."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from tools.kaggle_simulator.dataset import Dataset, read_csv, write_csv
from tools.kaggle_simulator.generator import SIZES, Profile, make_dataset
from tools.kaggle_simulator.revision import next_version

if TYPE_CHECKING:
    from collections.abc import Sequence


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tools.kaggle_simulator.generate", description=__doc__)
    parser.add_argument("--out", type=Path, required=True, help="CSV or CSV.gz file to write")
    parser.add_argument("--seed", type=int, default=1, help="same seed, same bytes (default 1)")
    parser.add_argument("--profile", type=Profile, choices=list(Profile), default=Profile.BENCHMARK)
    parser.add_argument("--rows", type=int, help="data rows, instead of the profile's")
    parser.add_argument("--contacts", type=int, help="different (Name, Sex), likewise")
    parser.add_argument("--next-of", type=Path, metavar="FILE", help="CSV to revise")
    for share in ("new", "changed", "removed"):
        parser.add_argument(f"--{share}", type=float, default=0.0, help=f"share of {share} contacts, with --next-of")
    return parser


def _make(args: argparse.Namespace) -> Dataset:
    if args.next_of is not None:
        shares = {"new": args.new, "changed": args.changed, "removed": args.removed}
        return next_version(read_csv(args.next_of), args.seed, **shares)
    size = SIZES[args.profile]
    return make_dataset(
        rows=size.rows if args.rows is None else args.rows,
        contacts=size.contacts if args.contacts is None else args.contacts,
        seed=args.seed,
    )


def main(arguments: Sequence[str] | None = None) -> None:
    """Write the file and print its counts."""
    parser = _parser()
    args = parser.parse_args(arguments)
    try:
        dataset = _make(args)
        write_csv(dataset, args.out)
    except (ValueError, OSError) as error:
        parser.error(str(error))
    print(f"{args.out}: {dataset.row_count} rows, {dataset.contact_count} contacts")


if __name__ == "__main__":
    main()
