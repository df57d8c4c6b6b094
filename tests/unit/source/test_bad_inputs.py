"""The catalogue of bad input: every file of the table through the real unpacking and validation."""

from __future__ import annotations

import gzip
import json
import re
import subprocess
import sys
import zipfile
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from include.hubspot_sync.config import load_definition
from include.hubspot_sync.errors import ConfigError, SyncError
from include.hubspot_sync.source.archive import Packing
from tests.support.bad_files import CONTENT, HEADER, zip_with_long_directory, zip_with_many_members, zipped
from tests.support.bad_inputs import (
    CASES,
    SECTIONS,
    Acts,
    Example,
    Quarantines,
    Reads,
    Stops,
    examples_of,
    stored_rows,
)
from tests.support.bad_surroundings import edited_definition
from tests.support.outcomes import Outcome, outcome_of
from tests.unit.source.reader_support import FILE, Reading, read
from tools.docs import bad_input

ADVICE = re.compile(
    r"\b(check|fix|correct|download|upload|pack|raise|save|export|close|land|give|restore|it is cut|expected \d)\b"
)
"""What a message has to hold beside the cause; for some damage the cause says it all."""


def parameters(*kinds: type) -> pytest.MarkDecorator:
    examples = examples_of(*kinds)
    return pytest.mark.parametrize("example", examples.values(), ids=list(examples))


def observed(reading: Reading) -> Outcome:
    """Return the letter of what really became of a file that was not refused."""
    if reading.rejected:
        return Outcome.QUARANTINE
    is_changed = reading.check.notes or reading.packing is not Packing.PLAIN
    return Outcome.NORMALISE if is_changed else Outcome.ACCEPT


def test_table_has_the_numbers_1_to_112_each_once():
    assert [case.number for case in CASES] == list(range(1, 113))
    assert all(case.examples for case in CASES)


def test_every_example_has_an_id_of_its_own():
    assert len(examples_of(object)) == sum(len(case.examples) for case in CASES)


def test_sections_cover_the_table():
    assert min(SECTIONS) == 1
    assert all(start < following for start, following in pairwise([*SECTIONS, 113]))


@parameters(Stops)
def test_bad_file_is_refused_with_place_and_advice(example: Stops, tmp_path: Path):
    with pytest.raises(SyncError) as caught:
        read(example.content, tmp_path)

    message = str(caught.value)
    assert outcome_of(caught.value) is example.outcome
    for words in example.words:
        assert words in message
    assert message.startswith(FILE)
    assert ADVICE.search(message)
    assert "\n" not in message
    assert {path.name for path in tmp_path.iterdir()} <= {"download", "unpacked.csv"}


@parameters(Quarantines)
def test_bad_line_is_quarantined_and_the_rest_goes_on(example: Quarantines, tmp_path: Path):
    reading = read(example.content, tmp_path)

    assert observed(reading) is example.outcome
    found = [(line.line_no, line.reason, line.column, line.key_text) for line in reading.rejected]
    assert found == [(line_no, example.reason, example.column, example.key_text) for line_no in example.line_nos]
    assert "2,mary-f,1880,Mary,F,7065" in reading.lines
    assert reading.check.withheld_keys == ({example.key_text} if example.key_text else set())
    assert reading.check.unreadable_key_lines == (0 if example.key_text else len(example.line_nos))
    assert reading.check.source_rows == reading.check.rows + len(example.line_nos)
    assert all(len(line.raw) <= 1000 and line.reason_text for line in reading.rejected)


@parameters(Reads)
def test_unusual_file_is_read(example: Reads, tmp_path: Path):
    reading = read(example.content, tmp_path)

    assert observed(reading) is example.outcome
    stored = reading.clean.decode()
    for row in stored_rows(example):
        assert row in stored
    assert (reading.check.notes, reading.packing) == (example.notes, example.packing)
    dropped = example.notes.get("duplicate_rows_dropped", 0)
    assert reading.check.rows == reading.check.source_rows - dropped


@parameters(Acts)
def test_bad_surroundings_have_their_outcome(example: Acts, tmp_path: Path):
    seen = example.act(tmp_path)

    assert seen.outcome is example.outcome, seen.text
    for words in example.words:
        assert words in seen.text
    assert "\n" not in seen.text


def test_table_notices_another_outcome(tmp_path: Path):
    """The letters are compared with what happens, so a wrong one in the table is found."""
    example = examples_of(Reads)["053-line-separator"]
    assert isinstance(example, Reads)

    wrong: Example = replace(example, notes={"crlf_line_ends": 1})

    assert observed(read(wrong.content, tmp_path)) is not wrong.outcome


def test_page_of_bad_input_is_current():
    assert bad_input.PAGE.read_text(encoding="utf-8") == bad_input.render(), "run `python -m tools.docs.bad_input`"


MEMORY_LIMIT_BYTES = 100 << 20
MEGABYTE = 1 << 20
CHILD = """
import json, sys
from pathlib import Path
from include.hubspot_sync.config import SYNCS_DIR, load_definition
from include.hubspot_sync.errors import SyncError
from include.hubspot_sync.source.archive import unpack
from include.hubspot_sync.source.csv_reader import validate_file

def attack(path, definition):
    if path.suffix == ".yaml":
        load_definition(path)
    unpacked = unpack(path, definition.source, path.parent / "work")
    clean = path.parent / "work" / "clean"
    validate_file(unpacked.path, definition.source, definition.record, clean, lambda line: None)

def peak_bytes():
    # getrusage() would count the parent as well, whose memory a child shares until it starts its program
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) * 1024

path, definition = Path(sys.argv[1]), load_definition(SYNCS_DIR / "baby_names.yaml")
try:
    attack(path, definition)
except SyncError as error:
    print(json.dumps({"message": str(error), "peak_bytes": peak_bytes()}))
"""


def repeated(content: bytes, megabytes: int, *, start: bytes = b"") -> Callable[[Path], None]:
    """Return a writer of a file that repeats some bytes."""

    def write(path: Path) -> None:
        block = content * (MEGABYTE // len(content))
        with path.open("wb") as output:
            output.write(start)
            for _ in range(megabytes):
                output.write(block)

    return write


def zip_bomb(path: Path) -> None:
    with (
        zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive,
        archive.open(FILE, "w") as member,
    ):
        for _ in range(256):
            member.write(b"0" * MEGABYTE)


def gzip_bomb(path: Path) -> None:
    with gzip.open(path, "wb", compresslevel=1) as output:
        for _ in range(256):
            output.write(b"0" * MEGABYTE)


def zip_in_zip(path: Path) -> None:
    path.write_bytes(zipped({FILE: zipped({FILE: b"0" * (64 * MEGABYTE)})}))


def nul_bytes(path: Path) -> None:
    with path.open("wb") as output:
        output.truncate(512 * MEGABYTE)


def aliases_of_aliases(path: Path) -> None:
    lines = ["a: &a [x, x, x, x, x, x, x, x, x]"]
    lines += [f"{new}: &{new} [{', '.join([f'*{old}'] * 9)}]" for old, new in pairwise("abcdefghi")]
    path.write_text("\n".join([*lines, "name: *i", "tags: *i"]), encoding="utf-8")


ATTACKS: dict[str, tuple[str, Callable[[Path], Any]]] = {
    "zip-bomb": ("zip bomb", zip_bomb),
    "gzip-bomb": ("zip bomb", gzip_bomb),
    "zip-in-zip": ("archive inside the archive", zip_in_zip),
    "claimed-directory": ("list of members", lambda path: path.write_bytes(zip_with_long_directory())),
    "real-directory": ("list of members", lambda path: path.write_bytes(zip_with_many_members(20_000))),
    "path-that-goes-up": ("exactly this file", lambda path: path.write_bytes(zipped({"../" * 20_000: CONTENT}))),
    "line-without-end": ("line 2: longer than", repeated(b"a", 200, start=HEADER)),
    "header-without-end": ("longer than", repeated(b"a", 200)),
    "columns-without-end": ("at most 1000", lambda path: path.write_bytes(b"a," * 500_000 + b"\n" + CONTENT)),
    "fields-without-end": ("fields, expected 4", lambda path: path.write_bytes(CONTENT + b"," * MEGABYTE + b"\n")),
    "quote-without-end": ("a quote", repeated(b"x\n", 200, start=CONTENT + b'1880,"')),
    "doubled-quotes-without-end": ("a quote", repeated(b'""\n\n', 20, start=CONTENT + b'1880,"')),
    "quotes-only": ("", repeated(b'"', 200, start=CONTENT)),
    "bad-lines-only": ("more than 10000 lines are refused", repeated(b"1880,Anna,F,x\n", 100, start=CONTENT)),
    "nul-bytes": ("NUL bytes", nul_bytes),
    "utf-16-without-end": ("longer than", repeated(b"a\x00", 100, start=b"\xff\xfe")),
    "aliases-of-aliases.yaml": ("", aliases_of_aliases),
}


@pytest.mark.parametrize(("words", "write"), ATTACKS.values(), ids=list(ATTACKS))
def test_attack_is_refused_within_100_mb_of_memory(
    words: str, write: Callable[[Path], Any], tmp_path: Path, request: pytest.FixtureRequest
):
    path = tmp_path / request.node.callspec.id
    write(path)
    (tmp_path / "work").mkdir()

    done = subprocess.run(
        [sys.executable, "-c", CHILD, str(path)], capture_output=True, text=True, timeout=60, check=True
    )

    told = json.loads(done.stdout)
    assert words in told["message"]
    assert len(told["message"]) < 1_000
    assert told["peak_bytes"] < MEMORY_LIMIT_BYTES
    assert list((tmp_path / "work").iterdir()) == []


HOSTILE_IDENTIFIERS = (
    "", " ", "a b", "a-b", "a.b", "a,b", "a;b", "a'b", 'a"b', "a`b", "a\\b", "a/b", "a%b", "a{b}", "a(b)", "a=b",
    "a\nb", "a\x00b", "a\u200bb", "n\u0430me", "\uff4eame", "na\u00efve", "Name", "1a", "_a", "-- a", "a/*b*/",
    "a`; DROP TABLE ledger; --", "%(run_id)s", "a" * 64, "x" * 10_000,
)  # fmt: skip
PLACES: dict[str, Callable[[dict[str, Any], str], Any]] = {
    "name": lambda content, value: content.update(name=value),
    "source.columns.1.name": lambda content, value: content["source"]["columns"][1].update(name=value),
    "destination.key_property": lambda content, value: content["destination"].update(key_property=value),
    "destination.properties.0.name": lambda content, value: content["destination"]["properties"][0].update(name=value),
}


@pytest.mark.parametrize("hostile", HOSTILE_IDENTIFIERS, ids=lambda value: ascii(value[:20]))
def test_hostile_identifier_is_refused_with_its_place(hostile: str, tmp_path: Path):
    for place, put in PLACES.items():
        path = edited_definition(tmp_path, lambda content, put=put: put(content, hostile))

        with pytest.raises(ConfigError, match=rf"baby_names\.yaml: {re.escape(place)}: ") as caught:
            load_definition(path)

        assert len(str(caught.value)) < 300
