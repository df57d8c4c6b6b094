"""Documents that repeat code must agree with it."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from MySQLdb.connections import Connection

from include.hubspot_sync import errors, records
from include.hubspot_sync.config import SyncDefinition
from include.hubspot_sync.destination import protocol
from include.hubspot_sync.engine.claim_delivery import MERGED_REASON
from include.hubspot_sync.source import notes
from tools.docs import configuration

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])
README_LINES_MAX = 150
CODE_FOLDERS = (ROOT, ROOT / "include" / "hubspot_sync", ROOT / "include" / "sql")
STATES = (records.RunState, records.BatchState, records.OutboxState, records.LedgerState)


def drawn_tree(text: str) -> dict[str, str]:
    """Return class → parent of a tree drawn with box characters, four columns a level."""
    parents: dict[str, str] = {}
    path: list[str] = []
    for branch, name in re.findall(r"^([│├└─ ]*)([A-Z]\w+Error)\b", text, flags=re.MULTILINE):
        depth = len(branch) // 4
        path[depth:] = [name]
        parents[name] = path[depth - 1] if depth else ""
    return parents


def real_tree() -> dict[str, str]:
    classes = [kind for _, kind in inspect.getmembers(errors, inspect.isclass) if issubclass(kind, errors.SyncError)]
    return {kind.__name__: "" if kind is errors.SyncError else kind.__bases__[0].__name__ for kind in classes}


def headings(page: Path) -> set[str]:
    return set(re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), flags=re.MULTILINE))


def anchors(page: Path) -> set[str]:
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings(page)}


def make_targets() -> set[str]:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    return set(re.findall(r"^([a-z][a-z-]*):", makefile, flags=re.MULTILINE))


def test_drawn_error_tree_is_the_tree_of_the_classes():
    assert drawn_tree(errors.__doc__ or "") == real_tree()


def test_configuration_page_is_current():
    written = configuration.PAGE.read_text(encoding="utf-8")

    assert written == configuration.render(), "run `python -m tools.docs.configuration`"


@pytest.mark.parametrize("model", list(configuration.models()), ids=lambda model: model.__name__)
def test_every_field_of_the_definition_is_explained(model: type):
    assert set(configuration.field_docs(model)) == set(model.model_fields)


def test_configuration_page_covers_every_part_of_the_definition():
    names = [model.__name__ for model in configuration.models()]

    assert names[0] == SyncDefinition.__name__
    assert len(names) == len(set(names)) > len(SyncDefinition.model_fields) // 2


def test_readme_is_short():
    assert len((ROOT / "README.md").read_text(encoding="utf-8").splitlines()) <= README_LINES_MAX


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_named_make_targets_exist(page: Path):
    named = set(re.findall(r"(?:`|^)make ([a-z][a-z-]*)", page.read_text(encoding="utf-8"), flags=re.MULTILINE))

    assert named <= make_targets()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path):
    links = re.findall(r"\]\((?!https?:)([^)\s]*)\)", page.read_text(encoding="utf-8"))
    for link in links:
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), link
        assert not anchor or anchor in anchors(target), link


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_named_files_exist(page: Path):
    named = re.findall(r"`([\w./-]+/[\w.-]+\.(?:py|sql|yaml|txt|lock|md))`", page.read_text(encoding="utf-8"))
    missing = [name for name in named if not any((folder / name).exists() for folder in CODE_FOLDERS)]

    assert not missing


def test_runbook_has_a_section_for_every_error_class():
    assert set(real_tree()) <= headings(ROOT / "docs" / "operations.md")


def codes_of_section(title: str) -> set[str]:
    """Return the codes that the table of a section of the runbook explains, one or several to a row."""
    text = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
    section = re.search(rf"^### {title}\n(.*?)(?=^##)", text, flags=re.MULTILINE | re.DOTALL)
    assert section, title
    cells = re.findall(r"^\| (`[^|]*`) \|", section[1], flags=re.MULTILINE)
    return {code for cell in cells for code in re.findall(r"`(\w+)`", cell)}


@pytest.mark.parametrize(
    ("title", "codes"),
    [
        ("Codes of lines", {*notes.Reason}),
        ("Codes of answers", {*protocol.Reason, MERGED_REASON}),
    ],
)
def test_runbook_explains_every_reason_code_and_no_other(title: str, codes: set[str]):
    assert codes_of_section(title) == codes


def test_runbook_has_a_section_for_every_task():
    builder = (ROOT / "include/hubspot_sync/orchestration/sync_dag.py").read_text(encoding="utf-8")
    tasks = re.findall(r"@task[^\n]*\n\s+def (\w+)\(", builder)

    assert len(tasks) > 1
    assert set(tasks) <= headings(ROOT / "docs" / "operations.md")


@pytest.mark.parametrize("states", STATES, ids=lambda states: states.__name__)
def test_architecture_names_every_state(states: type[records.RunState]):
    text = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")

    assert [state for state in states if f"`{state}`" not in text] == []


def test_architecture_names_every_table():
    text = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    tables = [path.stem.removeprefix("create_") for path in (ROOT / "include/sql/schema").glob("create_*.sql")]

    assert len(tables) > 1
    assert [table for table in tables if f"`{table}`" not in text] == []


def runbook_statements() -> list[str]:
    text = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
    blocks = re.findall(r"```sql\n(.*?)```", text, flags=re.DOTALL)
    code = re.sub(r"--[^\n]*", "", "\n".join(blocks))
    inline = re.findall(r"`(SELECT [^`]+;)`", text)
    return [statement.strip() for statement in [*code.split(";"), *inline] if statement.strip()]


@pytest.mark.sql
@pytest.mark.parametrize("statement", runbook_statements(), ids=lambda text: " ".join(text.split())[:60])
def test_runbook_statements_run_on_a_real_schema(statement: str, connect: Callable[[], Connection]):
    with closing(connect()) as connection, connection.cursor() as cursor:
        cursor.execute(statement)
