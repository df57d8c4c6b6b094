"""Write `docs/bad-input.md` from the table of the tests: `python -m tools.docs.bad_input`."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

PAGE = Path(__file__).resolve().parents[2] / "docs" / "bad-input.md"

_HEAD = """# Bad input

<!-- Made by `python -m tools.docs.bad_input` from tests/support/bad_inputs.py; edit that file instead. -->

What becomes of {cases} kinds of bad input, and the {examples} inputs that prove it. `make test` runs every one: files
through unpacking and validation, the others through real servers and the real DAG; another letter than here is a
failure. An error names file, line and column where there is one, and what to do; a quarantined line is kept with them.

| letter | what happens |
|---|---|
"""
_TABLE = "| # | case | outcome | proved by |\n|---|---|---|---|\n"


def _table() -> Any:  # noqa: ANN401  the tests are not part of what is type-checked here
    return importlib.import_module("tests.support.bad_inputs")


def _row(case: Any) -> str:  # noqa: ANN401  as above
    letters = ", ".join(str(outcome) for outcome in case.outcomes)
    outcome = f"{letters}: {case.remark}" if case.remark else letters
    proofs = ", ".join(example.name for example in case.examples)
    cells = (str(case.number), case.what, outcome, proofs)
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |\n"


def render() -> str:
    """Return the whole page."""
    table = _table()
    cases = table.CASES
    page = _HEAD.format(cases=len(cases), examples=sum(len(case.examples) for case in cases))
    page += "".join(f"| {letter} | {letter.meaning} |\n" for letter in table.Outcome)
    for case in cases:
        if case.number in table.SECTIONS:
            page += f"\n## {table.SECTIONS[case.number]}\n\n{_TABLE}"
        page += _row(case)
    return page


def main() -> None:
    """Write the page."""
    PAGE.write_text(render(), encoding="utf-8")
    print(f"written: {PAGE.name}")


if __name__ == "__main__":
    main()
