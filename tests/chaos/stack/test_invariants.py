"""The checker notices every broken promise: a clean system passes, and each kind of damage is named."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from tools.chaos.invariants import Invariants, stale_writes
from tools.chaos.portal import Contact, Write
from tools.chaos.source import expected_contacts
from tools.chaos.tables import LedgerRow

SECRET = "pat-very-secret"
LINES = "YearOfBirth,Name,Sex,Number\n1980,Ada,F,7\n1981,Ada,F,9\n1981,Bob,M,5\n"


def living(hubspot_id: str, properties: dict[str, str]) -> Contact:
    return Contact(hubspot_id, is_archived=False, properties=properties)


def believed(properties: dict[str, str]) -> LedgerRow:
    return LedgerRow("active", json.dumps(properties), epoch=1, version=1, is_settled=True)


@dataclass
class System:
    """A system at rest, as the checker sees it."""

    contacts_now: list[Contact]
    ledger_now: dict[str, LedgerRow]
    summary: dict
    refused: list[dict] = field(default_factory=list)
    free_texts: list[str] = field(default_factory=list)
    window: int = 100
    repeated: int = 0

    def contacts(self) -> list[Contact]:
        return self.contacts_now

    def ledger(self) -> dict[str, LedgerRow]:
        return self.ledger_now

    def stats(self) -> dict:
        return {"max_arrivals_in_any_10s_window": self.window, "rows_unchanged": self.repeated}

    def last_run(self) -> dict:
        return {"summary": json.dumps(self.summary)}

    def refusals(self) -> list[dict]:
        return self.refused

    def texts(self) -> list[str]:
        return self.free_texts


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "version.csv"
    path.write_text(LINES, encoding="utf-8")
    return path


@pytest.fixture
def system(source: Path) -> System:
    expected = expected_contacts(source)
    return System(
        [living(str(number), properties) for number, properties in enumerate(expected.values())],
        {key: believed(properties) for key, properties in expected.items()},
        {
            "state": "success",
            "source_rows": 3,
            "records": 2,
            "created": 0,
            "updated": 0,
            "unchanged": 2,
            "rejected": 0,
            "quarantined": 0,
            "open": 0,
            "mismatched": 0,
        },
    )


def checker(system: System, logs: Path) -> Invariants:
    return Invariants(system, system, (SECRET,), (logs,), limit=190)


def broken(system: System, source: Path, *, write_calls: int = 0) -> set[str]:
    found = checker(system, source.parent).check(source, writes_of_second_run=write_calls)
    return {violation.invariant for violation in found}


def test_expected_contacts_are_those_of_the_file(source: Path):
    ada = expected_contacts(source)["ada-f"]

    assert ada == {
        "baby_name_key": "ada-f",
        "firstname": "Ada",
        "baby_sex": "F",
        "total_births": "16",
        "first_year": "1980",
        "last_year": "1981",
        "peak_year": "1981",
        "peak_births": "9",
    }


def test_system_in_order_has_no_violation(system: System, source: Path):
    assert broken(system, source) == set()


def lose_a_contact(system: System) -> None:
    system.contacts_now.pop()
    system.ledger_now.popitem()


def change_a_value(system: System) -> None:
    first = system.contacts_now[0]
    wrong = {**first.properties, "total_births": "1"}
    system.contacts_now[0] = replace(first, properties=wrong)
    system.ledger_now[first.properties["baby_name_key"]] = believed(wrong)


def leave_one_over(system: System) -> None:
    left = {"baby_name_key": "gone-m", "firstname": "Gone"}
    system.contacts_now.append(living("9", left))
    system.ledger_now["gone-m"] = believed(left)


def double_a_contact(system: System) -> None:
    system.contacts_now.append(replace(system.contacts_now[0], hubspot_id="9"))


def believe_too_much(system: System) -> None:
    system.ledger_now["ada-f"] = replace(system.ledger_now["ada-f"], properties='{"total_births": "99"}')


def leave_in_doubt(system: System) -> None:
    system.ledger_now["ada-f"] = replace(system.ledger_now["ada-f"], is_settled=False)


def exceed_the_limit(system: System) -> None:
    system.window = 191


def refuse_without_a_reason(system: System) -> None:
    wanted = {"source_file": "version.csv", "line_no": 2, "reason": "", "reason_text": "no", "correlation_id": "c"}
    system.refused = [{"key_text": "ada-f", **wanted}]
    system.summary |= {"rejected": 1, "unchanged": 1}


def archive_what_exists(system: System) -> None:
    system.contacts_now.append(replace(system.contacts_now[0], hubspot_id="9", is_archived=True))


def leave_open(system: System) -> None:
    system.summary |= {"open": 1, "unchanged": 1}


def miscount(system: System) -> None:
    system.summary |= {"unchanged": 1}


def fail_the_run(system: System) -> None:
    system.summary |= {"state": "failed", "message": "something"}


def tell_a_secret(system: System) -> None:
    system.free_texts.append(f"token {SECRET} refused")


@pytest.mark.parametrize(
    ("damage", "invariant"),
    [
        (leave_open, "I1"),
        (miscount, "I1"),
        (fail_the_run, "I1"),
        (lose_a_contact, "I2"),
        (change_a_value, "I2"),
        (leave_one_over, "I2"),
        (double_a_contact, "I3"),
        (believe_too_much, "I4"),
        (leave_in_doubt, "I4"),
        (exceed_the_limit, "I6"),
        (refuse_without_a_reason, "I7"),
        (archive_what_exists, "I8"),
        (tell_a_secret, "I10"),
    ],
    ids=lambda value: getattr(value, "__name__", value),
)
def test_damage_is_noticed(system: System, source: Path, damage: Callable[[System], None], invariant: str):
    damage(system)

    assert broken(system, source) == {invariant}


def test_second_run_that_writes_is_noticed(system: System, source: Path):
    assert broken(system, source, write_calls=1) == {"I9"}


def test_secret_in_a_log_is_noticed(system: System, source: Path):
    (source.parent / "scheduler.log").write_text(f"Authorization: Bearer {SECRET}\n", encoding="utf-8")

    assert broken(system, source) == {"I10"}


def test_ledger_that_goes_back_is_noticed(system: System, source: Path):
    system.ledger_now = {key: replace(row, version=3) for key, row in system.ledger_now.items()}
    invariants = checker(system, source.parent)
    assert invariants.check(source, writes_of_second_run=0) == []
    system.ledger_now = {key: replace(row, version=2) for key, row in system.ledger_now.items()}

    found = invariants.check(source, writes_of_second_run=0)

    assert {violation.invariant for violation in found} == {"I4"}


def test_older_value_over_a_newer_one_is_a_stale_write():
    rising = [Write("ada-f", 1, 10, 5), Write("ada-f", 2, 20, 7), Write("ada-f", 3, 30, 7)]
    falling = [*rising, Write("ada-f", 4, 40, 6)]

    assert stale_writes({"ada-f": rising}) == []
    assert stale_writes({"ada-f": falling}) == [("ada-f", falling[-1])]


def test_counters_go_on_when_the_portal_was_killed(system: System, source: Path):
    invariants = checker(system, source.parent)
    for window, repeated in ((150, 40), (60, 10), (80, 25)):
        system.window, system.repeated = window, repeated
        invariants.note_counters()

    assert (invariants.highest_window, invariants.repeated_rows) == (150, 65)
