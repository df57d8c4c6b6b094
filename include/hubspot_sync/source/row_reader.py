"""Leads the lines of one file to where they belong: plain ones in blocks, all others one by one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from include.hubspot_sync.config import ColumnType, Source
from include.hubspot_sync.source.clean_rows import CleanRows
from include.hubspot_sync.source.header import Layout, read_header
from include.hubspot_sync.source.line_blocks import Block
from include.hubspot_sync.source.line_classifier import Accepted, EncodingEvidence, LineClassifier
from include.hubspot_sync.source.line_pattern import NEVER_MATCHES, compile_line_pattern
from include.hubspot_sync.source.notes import Note
from include.hubspot_sync.source.record_assembler import Fields, RecordAssembler
from include.hubspot_sync.source.rejects import Rejects
from include.hubspot_sync.source.values import ValueRules

Row = tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class RowSinks:
    """Where the lines of a file go."""

    rows: CleanRows
    rejects: Rejects
    notes: Counter[Note]


class RowReader:
    """Reads the data lines of one file; made from its header line."""

    def __init__(self, header: bytes, source: Source, rules: tuple[ValueRules, ...], sinks: RowSinks) -> None:
        self.source_rows = 0
        self._rules = rules
        self._rows = sinks.rows
        self._rejects = sinks.rejects
        self._layout = read_header(header, source, sinks.notes)
        self._order = _group_order(self._layout)
        plain = compile_line_pattern(self._layout, rules)
        # keys that may be too long or need quotes in the clean file are judged one by one
        is_fast = self._rows.fits_columns([_longest(rule) for rule in rules])
        self._pattern = plain if is_fast else NEVER_MATCHES
        self._classifier = LineClassifier(source, self._layout, rules, sinks.rows.shape.key, sinks.notes)
        self._assembler = RecordAssembler(source.file, plain, self._take_record, sinks.notes)

    @property
    def encoding(self) -> EncodingEvidence:
        """Return what is known about the encoding of the file."""
        return self._classifier.encoding

    def take_block(self, block: Block) -> None:
        """Take all lines at once when all are plain, else line by line.

        Raises:
            SourceDataError: the file cannot be what the definition says.
        """
        rows = _as_tuples(self._pattern.findall(block.content))
        is_all_plain = len(rows) == block.content.count(b"\n") and block.content.endswith(b"\n")
        if not (is_all_plain and not self._assembler.is_open and self._take_rows(block.first_line, rows)):
            self._take_lines(block)

    def finish(self) -> None:
        """Settle what is open at the end of the file.

        Raises:
            SourceDataError: a quote is still open.
        """
        self._assembler.finish()

    def _take_rows(self, first_line: int, rows: Sequence[Row]) -> bool:
        """Add plain rows of consecutive lines; do nothing when a number is out of range."""
        if not rows:
            return True
        in_file_order = list(zip(*rows, strict=True))
        columns = [in_file_order[index] for index in self._order]
        numbers = [list(map(int, columns[index])) for index in self._rows.shape.integers]
        for index, values in zip(self._rows.shape.integers, numbers, strict=True):
            rule = self._rules[index]
            if not (rule.in_range(min(values)) and rule.in_range(max(values))):
                return False
        self._rows.add_columns(first_line, columns, numbers)
        self.source_rows += len(rows)
        return True

    def _take_lines(self, block: Block) -> None:
        """Take runs of plain lines together and all other lines one by one."""
        run: list[Row] = []
        lines = block.content.split(b"\n")
        unterminated = lines.pop()
        for line_no, line in enumerate(lines, block.first_line):
            row = self._plain_row(line)
            if row is not None:
                run.append(row)
                continue
            self._take_rows(line_no - len(run), run)
            run = []
            self._assembler.take(line_no, line)
        end = block.first_line + len(lines)
        self._take_rows(end - len(run), run)
        if unterminated:
            self._assembler.take_unterminated(end, unterminated, self._layout.field_count)

    def _plain_row(self, line: bytes) -> Row | None:
        """Return the row of a plain line; None when the line has to be judged."""
        match = None if self._assembler.is_open else self._pattern.fullmatch(line + b"\n")
        if match is None:
            return None
        row: Row = match.groups()
        in_range = (self._rules[index].in_range(int(row[self._order[index]])) for index in self._rows.shape.integers)
        return row if all(in_range) else None

    def _take_record(self, line_no: int, record: bytes, fields: Fields) -> None:
        """Judge one record and store or refuse it."""
        self.source_rows += 1
        verdict = self._classifier.judge(record, fields, line_no)
        if isinstance(verdict, Accepted):
            values = [value.encode() for value in verdict.values]
            self._rows.add(line_no, verdict.key_text.encode(), values)
        else:
            self._rejects.add(line_no, verdict.column, verdict.problem, raw=record, key_text=verdict.key_text)


def _as_tuples(rows: list[Row] | list[bytes]) -> list[Row]:
    """`findall` gives bare values when there is only one group."""
    return [row if isinstance(row, tuple) else (row,) for row in rows] if _is_bare(rows) else rows  # type: ignore[return-value]


def _is_bare(rows: list[Row] | list[bytes]) -> bool:
    return bool(rows) and isinstance(rows[0], bytes)


def _group_order(layout: Layout) -> tuple[int, ...]:
    """Return, for each column of the definition, its group in the pattern."""
    in_file_order = sorted(layout.positions)
    return tuple(in_file_order.index(position) for position in layout.positions)


def _longest(rule: ValueRules) -> int:
    """Return the most characters that a plain value of this column can have."""
    column = rule.column
    match column.type:
        case ColumnType.INTEGER:
            return len(str(max(abs(column.min), abs(rule.max_value)))) + 1
        case ColumnType.CHOICE:
            return max(map(len, column.choices.values()))
        case ColumnType.TEXT:
            return column.max_length
