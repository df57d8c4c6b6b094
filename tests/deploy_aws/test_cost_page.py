"""The arithmetic of docs/cost.md is right; whether the prices are, only AWS can say."""

from __future__ import annotations

import ast
import operator
import re
from pathlib import Path

import pytest

PAGE = (Path(__file__).parents[2] / "docs" / "cost.md").read_text(encoding="utf-8")
OPERATORS = {ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: operator.mul, ast.Div: operator.truediv}
ARITHMETIC = re.compile(r"\d.*[\u00d7+÷\u2212].*\d")
ROWS = [
    (cells[0], cells[1], float(re.sub(r"[^\d.]", "", cells[2])))
    for line in re.findall(r"^\| (.*) \|$", PAGE, re.MULTILINE)
    if len(cells := [cell.strip() for cell in line.split(" | ")]) == 3 and ARITHMETIC.search(cells[1])
]


def worth(node: ast.expr) -> float:
    if isinstance(node, ast.BinOp):
        return OPERATORS[type(node.op)](worth(node.left), worth(node.right))
    assert isinstance(node, ast.Constant), ast.dump(node)
    return float(node.value)


def computed(text: str) -> float:
    """Return what an expression with units and typographic signs is worth."""
    plain = text.replace("\N{MULTIPLICATION SIGN}", "*").replace("÷", "/").replace("\N{MINUS SIGN}", "-")
    return worth(ast.parse(re.sub(r"[^\d.+*/()-]", "", plain), mode="eval").body)


@pytest.mark.parametrize(("part", "arithmetic", "usd"), ROWS, ids=[row[0][:30] for row in ROWS])
def test_every_amount_is_what_its_arithmetic_gives(part: str, arithmetic: str, usd: float):
    assert computed(arithmetic) == pytest.approx(usd, abs=0.011)


def test_the_sum_is_the_sum_of_its_parts():
    table = PAGE.split("## A month, by part")[1].split("**sum")[0]
    parts = [float(amount) for amount in re.findall(r"\| ([\d.]+) \|$", table, re.MULTILINE)]
    total = re.search(r"\*\*sum with EKS\*\* \| \| \*\*([\d.]+)\*\*", PAGE)

    assert len(parts) > 12
    assert total
    assert sum(parts) == pytest.approx(float(total[1]))


def test_figures_against_the_proposal():
    monthly, syncs, records = 414.74, 30, 69_350

    assert f"| {monthly / syncs:.2f} | {monthly} ÷ {syncs} |" in PAGE
    assert f"{monthly / syncs / records:.4f}" in PAGE
    assert f"{monthly - 110.82 - (56.07 + 54.75 + 13.14) / 3:.2f}" in PAGE
