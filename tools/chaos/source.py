"""Versions of a small dataset whose contacts only ever grow, so that a value tells which version it is from."""

from __future__ import annotations

import csv
import random
import string
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path

_FIRST_YEAR, _LAST_YEAR = 1950, 2020
_YEARS_PER_CONTACT = 3
_HEADER = ("YearOfBirth", "Name", "Sex", "Number")
_CHANGED_SHARE = (0.25, 0.45)
_REMOVED_SHARE = 0.005
"""Both are below the guards that stop a run whose file looks broken."""


@dataclass
class Source:
    """The dataset as it is now; `publish` writes its next version.

    A contact's births grow with every change and contacts that went never come back. So a portal that shows a smaller
    number after a larger one has taken an older write after a newer one.
    """

    rng: random.Random
    folder: Path
    size: int
    version: int = 0
    births: dict[tuple[str, str], dict[int, int]] = field(default_factory=dict)
    _names: int = 0

    def publish(self) -> Path:
        """Change many contacts, add and remove a few, and return the file of the new version."""
        self.version += 1
        if self.births:
            self._change(share=self.rng.uniform(*_CHANGED_SHARE))
            for contact in self.rng.sample(sorted(self.births), k=self._few()):
                del self.births[contact]
        while len(self.births) < self.size:
            self._add()
        path = self.folder / f"version{self.version}.csv"
        with path.open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(_HEADER)
            writer.writerows(self._rows())
        return path

    def _few(self) -> int:
        return self.rng.randint(0, max(1, int(self.size * _REMOVED_SHARE)))

    def _change(self, share: float) -> None:
        for contact in self.rng.sample(sorted(self.births), k=int(len(self.births) * share)):
            year = self.rng.choice(sorted(self.births[contact]))
            self.births[contact][year] += self.rng.randint(1, 50)

    def _add(self) -> None:
        number = self._names
        letters: list[str] = []
        self._names += 1
        while number or len(letters) < len("abcd"):
            number, letter = divmod(number, len(string.ascii_lowercase))
            letters.append(string.ascii_lowercase[letter])
        first = self.rng.randint(_FIRST_YEAR, _LAST_YEAR - _YEARS_PER_CONTACT)
        years = range(first, first + self.rng.randint(1, _YEARS_PER_CONTACT))
        contact = ("Z" + "".join(letters), self.rng.choice("FM"))
        self.births[contact] = {year: self.rng.randint(5, 900) for year in years}

    def _rows(self) -> list[tuple[int, str, str, int]]:
        rows = [
            (year, name, sex, number)
            for (name, sex), numbers in self.births.items()
            for year, number in numbers.items()
        ]
        self.rng.shuffle(rows)
        return rows


def expected_contacts(path: Path) -> dict[str, dict[str, str]]:
    """Work out from the file alone what each contact must look like: key → properties.

    Nothing of the product is used here: a mistake that both shared would hide itself.
    """
    births: dict[tuple[str, str], dict[int, int]] = defaultdict(dict)
    with path.open(newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            births[row["Name"], row["Sex"]][int(row["YearOfBirth"])] = int(row["Number"])
    return {f"{name}-{sex}".lower(): _contact(name, sex, numbers) for (name, sex), numbers in births.items()}


def _contact(name: str, sex: str, numbers: dict[int, int]) -> dict[str, str]:
    peak = max(numbers.values())
    return {
        "baby_name_key": f"{name}-{sex}".lower(),
        "firstname": name,
        "baby_sex": sex,
        "total_births": str(sum(numbers.values())),
        "first_year": str(min(numbers)),
        "last_year": str(max(numbers)),
        "peak_year": str(min(year for year, number in numbers.items() if number == peak)),
        "peak_births": str(peak),
    }


def count_rows(path: Path) -> int:
    """Return the data lines of a file."""
    with path.open(encoding="utf-8") as file:
        return sum(1 for _ in file) - 1
