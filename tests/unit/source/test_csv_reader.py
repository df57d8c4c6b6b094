"""The reader beyond the catalogue of `test_bad_inputs.py`: counts, duplicates, limits, other definitions, memory."""

from __future__ import annotations

import csv
import hashlib
import io
import os
import resource
import time
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from include.hubspot_sync.config import Column, ColumnType, Record, Source
from include.hubspot_sync.errors import SourceDataError
from include.hubspot_sync.records import RejectedLine
from include.hubspot_sync.source import duplicates, line_blocks
from include.hubspot_sync.source.clean_rows import CleanRows
from include.hubspot_sync.source.csv_reader import FileCheck, check_beginning, utc_today, validate_file
from tests.unit.source.reader_support import GOOD, HEADER, RECORD, SOURCE, Reading, read, read_path


def rows(*lines: str) -> bytes:
    return HEADER + "".join(f"{line}\n" for line in lines).encode()


def test_clean_file_and_counts_of_a_good_file(tmp_path: Path):
    content = rows("1880,Mary,F,7065", "1880,Anna,F,2604", "1881,Mary,F,6919")

    reading = read(content, tmp_path)

    assert reading.lines == [
        "2,mary-f,1880,Mary,F,7065",
        "3,anna-f,1880,Anna,F,2604",
        "4,mary-f,1881,Mary,F,6919",
    ]
    assert reading.check == FileCheck(
        rows=3,
        source_rows=3,
        sums={"year_of_birth": 5641, "number": 16588},
        distinct_records=2,
        rejected_lines=0,
        withheld_keys=frozenset(),
        unreadable_key_lines=0,
        sha256=hashlib.sha256(content).hexdigest(),
        size_bytes=len(content),
        notes={},
    )


def test_clean_file_is_in_definition_order_whatever_the_header(tmp_path: Path):
    reading = read(b"Sex,Extra,Number,Name,YearOfBirth\nF,x,5,Anna,1880\nM,,7,Al,1881\n", tmp_path)

    assert reading.lines == ["2,anna-f,1880,Anna,F,5", "3,al-m,1881,Al,M,7"]


def test_line_numbers_are_those_of_the_file(tmp_path: Path):
    content = rows("1880,Ann,F,1", "", '1880,"Ma\nry",F,2', "1880,Bea,F,x", "1880,Cid,M,3")

    reading = read(content, tmp_path)

    assert [line.split(",")[0] for line in reading.lines if line[0].isdigit()] == ["2", "4", "7"]
    assert [line.line_no for line in reading.rejected] == [6]


def test_rejected_line_keeps_its_text_and_says_why(tmp_path: Path):
    reading = read(HEADER + GOOD + b"1880,Anna,F,ten\n", tmp_path)

    assert reading.rejected == [
        RejectedLine(
            line_no=3,
            column="Number",
            reason="not_an_integer",
            reason_text="'ten' is not a whole number",
            raw="1880,Anna,F,ten",
            key_text="anna-f",
        )
    ]


def test_key_text_is_composed_and_without_case(tmp_path: Path):
    reading = read(rows("1880,E\u0301va,F,1", "1880,\u0130da,F,1"), tmp_path)

    assert [line.split(",")[1] for line in reading.lines] == ["\u00e9va-f", "i\u0307da-f"]


def test_more_rejected_lines_than_allowed_stop_and_show_the_first(tmp_path: Path):
    content = rows("1880,Mary,F,7", *["1880,Anna,X,5"] * 4)

    with pytest.raises(
        SourceDataError,
        match=r"more than 3 lines are refused, the first are line 3 Sex not_a_choice; line 4 .* line 5 ",
    ):
        read(content, tmp_path, max_rejects=3)

    assert not (tmp_path / "clean.csv").exists()


def test_duplicates_count_as_rejected_lines_too(tmp_path: Path):
    content = rows("1880,Mary,F,7", "1881,Anna,F,5", "1881,Anna,F,6", "1881,Anna,F,7")

    with pytest.raises(SourceDataError, match="more than 2 lines are refused"):
        read(content, tmp_path, max_rejects=2)

    assert sorted(path.name for path in tmp_path.iterdir()) == ["download"]


def test_file_of_bad_lines_only_is_refused(tmp_path: Path):
    with pytest.raises(SourceDataError, match="none of the 2 rows is valid"):
        read(rows("1880,Anna,X,5", "1880,Anna,F,x"), tmp_path)


@pytest.mark.parametrize("difference", [-1, 1])
def test_other_size_than_expected_is_refused(tmp_path: Path, difference: int):
    content = HEADER + GOOD

    with pytest.raises(SourceDataError, match="was cut or changed while it was read"):
        read(content, tmp_path, expected_bytes=len(content) + difference)


def test_expected_size_is_accepted(tmp_path: Path):
    assert read(HEADER + GOOD, tmp_path, expected_bytes=len(HEADER + GOOD)).check.rows == 1


def test_error_of_the_callback_passes_and_leaves_no_clean_file(tmp_path: Path):
    def refuse(line: RejectedLine) -> None:
        raise ConnectionResetError("the store is gone")

    path = tmp_path / "download"
    path.write_bytes(rows("1880,Anna,X,5"))

    with pytest.raises(ConnectionResetError):
        validate_file(path, SOURCE, RECORD, tmp_path / "clean.csv", refuse)

    assert not (tmp_path / "clean.csv").exists()


def test_current_year_is_allowed_by_default(tmp_path: Path):
    path = tmp_path / "download"
    path.write_bytes(rows(f"{utc_today().year},Anna,F,5", f"{utc_today().year + 1},Anna,F,5"))
    rejected: list[RejectedLine] = []

    check = validate_file(path, SOURCE, RECORD, tmp_path / "clean.csv", rejected.append)

    assert check.rows == 1
    assert [line.reason for line in rejected] == ["out_of_range"]


class TestDuplicates:
    def test_first_of_equal_rows_stays(self, tmp_path: Path):
        reading = read(rows("1880,Ann,F,5", "1880,Bea,F,6", "1880,Ann,F,5", "1880,Ann,F,5"), tmp_path)

        assert [line.split(",")[0] for line in reading.lines] == ["2", "3"]
        assert reading.check.notes == {"duplicate_rows_dropped": 2}
        assert reading.check.sums == {"year_of_birth": 3760, "number": 11}
        assert (reading.check.rows, reading.check.source_rows, reading.check.distinct_records) == (2, 4, 2)

    def test_contradicting_rows_are_all_refused(self, tmp_path: Path):
        reading = read(rows("1880,Ann,F,5", "1881,Ann,F,9", "1880,Ann,F,5", "1880,Ann,F,6"), tmp_path)

        assert reading.lines == ["3,ann-f,1881,Ann,F,9"]
        assert [(line.line_no, line.reason, line.key_text) for line in reading.rejected] == [
            (2, "duplicate_key", "ann-f"),
            (4, "duplicate_key", "ann-f"),
            (5, "duplicate_key", "ann-f"),
        ]
        assert reading.check.withheld_keys == {"ann-f"}

    def test_every_line_of_a_collision_is_refused(self, tmp_path: Path):
        reading = read(rows("1880,Ann,F,5", "1881,ANN,F,6", "1882,Ann,F,7", "1882,Ann,F,7", "1880,Ann,M,8"), tmp_path)

        assert reading.lines == ["6,ann-m,1880,Ann,M,8"]
        assert [line.line_no for line in reading.rejected] == [2, 3, 4]
        assert set(reading.reasons) == {"key_collision"}
        assert reading.check.distinct_records == 1
        assert reading.check.notes == {"duplicate_rows_dropped": 1}

    def test_rows_with_quotes_and_line_breaks_are_told_apart(self, tmp_path: Path):
        content = rows('1880,"A,\nn",F,5', '1880,"A,\nn",F,5', '1880,"A,\nm",F,6', '1880,"q""q",F,6')

        reading = read(content, tmp_path)

        assert reading.check.notes == {"duplicate_rows_dropped": 1}
        stored = list(csv.reader(io.StringIO(reading.clean.decode(), newline="")))
        assert [row[3] for row in stored] == ["A,\nn", "A,\nm", 'q"q']

    def test_doubled_file_is_settled_in_portions(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
        monkeypatch.setattr(duplicates, "PORTION_ROWS", 50)
        names = [f"{first}{second}" for first in "ABCDEFGHIJKL" for second in "abcdefghijkl"]
        lines = [f"1880,{name},F,5" for name in names]

        reading = read(rows(*lines, *lines, "1880,Aa,F,6"), tmp_path)

        assert reading.check.notes == {"duplicate_rows_dropped": len(lines) - 1}
        assert reading.check.rows == len(lines) - 1
        assert [line.line_no for line in reading.rejected] == [2, len(lines) + 2, 2 * len(lines) + 2]

    def test_equal_hashes_of_different_rows_change_nothing(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
        """With every hash the same, only the exact comparison can tell rows apart."""
        monkeypatch.setattr("include.hubspot_sync.source.clean_rows.hash", lambda value: 7, raising=False)
        monkeypatch.setattr(duplicates, "_count_distinct", lambda hashes: 0)

        reading = read(rows("1880,Ann,F,5", "1880,Bea,F,6", "1880,Ann,F,5"), tmp_path)

        assert [line.split(",")[0] for line in reading.lines] == ["2", "3"]
        assert reading.rejected == []


class TestOpenQuotes:
    def test_quote_is_still_open_at_the_end(self, tmp_path: Path):
        with pytest.raises(SourceDataError, match=r"line 3: a quote \(\"\) is opened and not closed"):
            read(HEADER + GOOD + b'1880,"Anna\n', tmp_path)

    def test_plain_line_inside_quotes_shows_the_mistake_at_once(self, tmp_path: Path):
        content = HEADER + b'1880,"Anna,F,5\n' + GOOD * 10 + b'1880,B",F,3\n'

        with pytest.raises(SourceDataError, match="line 2: a quote"):
            read(content, tmp_path)

    def test_last_line_that_would_be_plain_without_its_quote_is_the_mistake(self, tmp_path: Path):
        with pytest.raises(SourceDataError, match="line 2: a quote"):
            read(rows('1880,"Anna', '1880,B",F,3'), tmp_path)

    def test_long_line_with_an_open_quote(self, tmp_path: Path):
        with pytest.raises(SourceDataError, match="line 2: a quote"):
            read(HEADER + b'1880,"' + b"a" * 70_000 + b"\n", tmp_path)

    def test_value_of_several_lines_goes_over_the_end_of_a_block(self, tmp_path: Path, monkeypatch):
        monkeypatch.setattr(line_blocks, "BLOCK_BYTES", 5)

        reading = read(rows('1880,"a\nb\nc",F,3', "1880,Ann,F,5"), tmp_path)

        assert reading.check.rows == 2
        assert "5,ann-f,1880,Ann,F,5" in reading.lines


class TestPaths:
    @pytest.mark.parametrize("kind", ["symlink", "directory", "fifo", "missing"])
    def test_only_regular_files_are_read(self, tmp_path: Path, kind: str):
        path = tmp_path / "source"
        match kind:
            case "symlink":
                (tmp_path / "real").write_bytes(HEADER + GOOD)
                path.symlink_to(tmp_path / "real")
            case "directory":
                path.mkdir()
            case "fifo":
                os.mkfifo(path)

        with pytest.raises(SourceDataError, match=r"cannot be opened|is not a regular file"):
            validate_file(path, SOURCE, RECORD, tmp_path / "clean.csv", print)

    def test_device_is_refused(self, tmp_path: Path):
        with pytest.raises(SourceDataError, match="/dev/null is not a regular file"):
            validate_file(Path("/dev/null"), SOURCE, RECORD, tmp_path / "clean.csv", print)

    def test_denied_permission_is_named(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
        """Root may read everything, so the refusal is made up."""

        def refuse(path: object, flags: int) -> int:
            raise PermissionError(13, "Permission denied")

        monkeypatch.setattr(line_blocks.os, "open", refuse)

        with pytest.raises(SourceDataError, match=r"cannot be opened \(Permission denied\)"):
            validate_file(tmp_path / "source", SOURCE, RECORD, tmp_path / "clean.csv", print)

    def test_full_disk_is_named_and_nothing_stays(self, tmp_path: Path):
        path = tmp_path / "download"
        path.write_bytes(HEADER + b"".join(b"%d,Mary,F,5\n" % year for year in range(1880, 2020)))
        limit = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (1024, limit[1]))
        try:
            with pytest.raises(SourceDataError, match=r"clean\.csv cannot be written \(File too large\)"):
                read_path(path, tmp_path)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, limit)

        assert [path.name for path in tmp_path.iterdir()] == ["download"]

    def test_missing_folder_for_the_clean_file_is_named(self, tmp_path: Path):
        path = tmp_path / "download"
        path.write_bytes(HEADER + GOOD)

        with pytest.raises(SourceDataError, match="check space and permissions"):
            validate_file(path, SOURCE, RECORD, tmp_path / "missing" / "clean.csv", print)


class TestOtherDefinitions:
    def test_source_with_one_column(self, tmp_path: Path):
        source = Source(
            dataset="a/b",
            file="words.csv",
            columns=(Column(header="Word", name="word", type=ColumnType.TEXT),),
            unique=("word",),
        )
        record = Record(grain=("word",), key="w:{word}", select="snapshot/select_baby_names.sql")

        reading = read(b"Word\nAnt\nBee\nAnt\n", tmp_path, source=source, record=record)

        assert reading.lines == ["2,w:ant,Ant", "3,w:bee,Bee"]
        assert reading.check.sums == {}

    def test_negative_integers_and_choices_with_odd_texts(self, tmp_path: Path):
        source = Source(
            dataset="a/b",
            file="odd.csv",
            columns=(
                Column(header="Place", name="place", type=ColumnType.TEXT),
                Column(header="Level", name="level", type=ColumnType.INTEGER, min=-10, max=10),
                Column(header="Kind", name="kind", type=ColumnType.CHOICE, choices={"a,b": "a,b", "ü": "u"}),
            ),
            unique=("place",),
        )
        record = Record(grain=("place",), key="{place}, {kind}", select="snapshot/select_baby_names.sql")
        content = 'Place,Level,Kind\nRim,-5,"a,b"\nTop,10,ü\nPit,-11,ü\nZero,-0,ü\n'.encode()

        reading = read(content, tmp_path, source=source, record=record)

        assert reading.lines == [
            '2,"rim, a,b",Rim,-5,"a,b"',
            '3,"top, u",Top,10,u',
            '5,"zero, u",Zero,0,u',
        ]
        assert reading.reasons == ["out_of_range"]

    def test_key_beyond_the_width_of_its_column_is_refused(self, tmp_path: Path):
        columns = (
            Column(header="A", name="a", type=ColumnType.TEXT, max_length=255),
            Column(header="B", name="b", type=ColumnType.TEXT, max_length=255),
        )
        source = Source(dataset="a/b", file="long.csv", columns=columns, unique=("a", "b"))
        record = Record(grain=("a", "b"), key="{a}-{b}", select="snapshot/select_baby_names.sql")
        content = f"A,B\n{'a' * 200},{'b' * 200}\nx,y\n".encode()

        reading = read(content, tmp_path, source=source, record=record)

        assert reading.lines == ["3,x-y,x,y"]
        assert reading.reasons == ["key_too_long"]

    def test_key_that_does_not_follow_the_grain_is_watched_too(self, tmp_path: Path):
        record = RECORD.model_copy(update={"grain": ("name",)})

        reading = read(rows("1880,Ann,F,1", "1881,ANN,F,1", "1881,Bea,M,2"), tmp_path, record=record)

        assert reading.reasons == ["key_collision", "key_collision"]
        assert reading.lines == ["4,bea-m,1881,Bea,M,2"]


LINES = st.one_of(
    st.builds(
        lambda year, name, sex, number: f"{year},{name},{sex},{number}",
        st.sampled_from(["1880", "1881", "01882", "1883.0", "1700", "2027", "x", ""]),
        st.sampled_from(
            [
                "Ann",
                "ANN",
                "Bea",
                " Cid ",
                "Zo\u00eb",
                "Zoe\u0308",
                "NULL",
                "a\\b",
                '"q""q"',
                '"x,\ny"',
                "M4",
                "=x",
                "e\u200d",
            ]
        ),
        st.sampled_from(["F", "M", "f", "Male", "X"]),
        st.sampled_from(["1", "007", "2147483647", "2147483648", "-1", "1.5", " 5"]),
    ),
    st.sampled_from(["", "  ", "# note", "1880,Ann,F", "1880,Ann,F,1,2", "YearOfBirth,Name,Sex,Number", 'I"d,Ann,F,1']),
)
ENDS = st.sampled_from(["\n", "\r\n"])


def outcome(content: bytes, folder: Path) -> Reading | str:
    try:
        return read(content, folder, max_rejects=1000)
    except SourceDataError as error:
        return str(error)
    finally:
        for path in folder.iterdir():
            path.unlink()


@given(
    st.lists(st.tuples(LINES, ENDS), max_size=25), st.sampled_from([3, 17, 64]), st.sampled_from(["", "1884,Dora,F,3"])
)
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_result_depends_neither_on_block_size_nor_on_the_fast_path(
    tmp_path: Path, lines: list[tuple[str, str]], block_bytes: int, last_line: str
):
    content = ("YearOfBirth,Name,Sex,Number\n" + "".join(line + end for line, end in lines) + last_line).encode()
    expected = outcome(content, tmp_path)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(line_blocks, "BLOCK_BYTES", block_bytes)
        assert outcome(content, tmp_path) == expected
        patch.setattr(CleanRows, "fits_columns", lambda rows, max_lengths: False)
        assert outcome(content, tmp_path) == expected

    if isinstance(expected, Reading):
        check = expected.check
        dropped = check.notes.get("duplicate_rows_dropped", 0)
        assert check.source_rows == check.rows + check.rejected_lines + dropped
        stored = list(csv.reader(io.StringIO(expected.clean.decode(), newline=""), strict=True))
        assert len(stored) == check.rows
        assert sum(int(row[5]) for row in stored) == check.sums["number"]
        assert len({(row[3], row[4]) for row in stored}) == check.distinct_records
        assert len({row[1] for row in stored}) == check.distinct_records


def write_rows(path: Path, count: int, name_of: Callable[[int], str]) -> None:
    with path.open("w") as stream:
        stream.write(HEADER.decode())
        for index in range(count):
            stream.write(f"{1880 + index % 140},{name_of(index)},F,{index % 90 + 5}\n")


def letters(number: int) -> str:
    text = "A"
    while number:
        number, digit = divmod(number, 26)
        text += "abcdefghijklmnopqrstuvwxyz"[digit]
    return text


def test_memory_stays_small_for_many_distinct_records(tmp_path: Path):
    """24 bytes per row for the hashes and one sorted copy of a third of them; the rest does not grow."""
    count = 120_000
    write_rows(tmp_path / "download", count, letters)
    tracemalloc.start()

    check = validate_file(tmp_path / "download", SOURCE, RECORD, tmp_path / "clean.csv", print)

    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert (check.rows, check.distinct_records) == (count, count)
    assert peak < 12 << 20


def test_plain_lines_are_read_fast(tmp_path: Path):
    """2.1 million lines take about 3.7 s; the bound leaves room for a busy machine."""
    count = 100_000
    write_rows(tmp_path / "download", count, letters)
    started = time.perf_counter()

    validate_file(tmp_path / "download", SOURCE, RECORD, tmp_path / "clean.csv", print)

    assert (time.perf_counter() - started) / count < 12e-6


@pytest.mark.parametrize(
    ("content", "message"),
    [
        pytest.param(b"<!doctype html><html></html>\n", "HTML instead of CSV", id="web page"),
        pytest.param(b"", "empty", id="empty"),
        pytest.param(b"YearOfBirth,Name,Sex,Number\n", "there are no rows", id="header only"),
        pytest.param(b"YearOfBirth,Name,Number\n1880,Mary,5\n", "the column Sex is missing", id="missing column"),
    ],
)
def test_beginning_tells_what_is_no_such_file(tmp_path: Path, content: bytes, message: str):
    path = tmp_path / "file.csv"
    path.write_bytes(content)

    with pytest.raises(SourceDataError, match=message):
        check_beginning(path, SOURCE)


def test_beginning_of_a_good_file_passes(tmp_path: Path):
    path = tmp_path / "file.csv"
    path.write_bytes(b"YearOfBirth,Name,Sex,Number\n1880,Mary,F,5\n")

    check_beginning(path, SOURCE)
