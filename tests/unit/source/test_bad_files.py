"""The catalogue of bad input: every file, encoding, structure and value case that a file can carry.

Each id begins with the number of the case. Outcomes: `stops` = the file is refused, `quarantines` = the line is,
`normalises` = put right and counted, `accepts` = stored unchanged.
"""

from __future__ import annotations

import io
import stat
import zipfile
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from include.hubspot_sync.errors import SourceDataError, SourceUnavailableError, SyncError
from tests.unit.source.reader_support import FILE, GOOD, HEADER, gzipped, read, zipped


def rows(*lines: bytes) -> bytes:
    return HEADER + GOOD + b"".join(line + b"\n" for line in lines)


def name_row(name: str | bytes) -> bytes:
    return rows(b"1880,%b,F,5" % (name if isinstance(name, bytes) else name.encode()))


def zip_with(name: str = FILE, *, mode: int = 0, content: bytes = HEADER + GOOD) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        member = zipfile.ZipInfo(name)
        member.external_attr = mode << 16
        archive.writestr(member, content)
    return buffer.getvalue()


def encrypted_zip() -> bytes:
    """Set the encryption bit of the member in both of its headers."""
    packed = bytearray(zip_with())
    packed[packed.index(b"PK\x03\x04") + 6] |= 1
    packed[packed.index(b"PK\x01\x02") + 8] |= 1
    return bytes(packed)


def zip_with_bad_crc() -> bytes:
    packed = zipped({FILE: HEADER + GOOD}, compression=zipfile.ZIP_STORED)
    return packed.replace(b"Mary", b"Marx")


@dataclass(frozen=True)
class Stops:
    """The whole file is refused with this in the message."""

    content: bytes
    message: str
    error: type[SyncError] = SourceDataError


@dataclass(frozen=True)
class Quarantines:
    """These lines are refused; the good line stays."""

    content: bytes
    reason: str
    line_nos: tuple[int, ...] = (3,)
    column: str = ""
    key_text: str | None = None


@dataclass(frozen=True)
class Reads:
    """Every row is stored, except exact duplicates; what was normalised is counted."""

    content: bytes
    stored: tuple[str, ...]
    """Rows of the clean file without line number and key."""
    notes: dict[str, int] = field(default_factory=dict)


PLAIN = ("1880,Mary,F,7065",)
TEXT = (HEADER + GOOD).decode()

STOPS = {
    "001-zero-bytes": Stops(b"", "the file is empty"),
    "002-header-only": Stops(HEADER, "never means that everything was removed"),
    "003-html-login-page": Stops(b"\n<!DOCTYPE html><html>", "got HTML instead of CSV: check the kaggle"),
    "004-json-error-body": Stops(b'{"code":403,"message":"no"}', "got JSON instead of CSV"),
    "007-zip-member-has-another-name": Stops(zipped({"other.csv": GOOD}), "holds 1: 'other.csv'"),
    "008-two-files-in-zip": Stops(zipped({FILE: GOOD, "b.csv": GOOD}), "holds 2:"),
    "008-empty-zip": Stops(zipped({}), "holds 0: nothing"),
    "009-zip-bomb": Stops(zipped({FILE: b"0" * (4 << 20)}), "refused as a zip bomb"),
    "009-gzip-bomb": Stops(gzipped(b"0" * (4 << 20)), "refused as a zip bomb"),
    "010-nested-zip": Stops(zipped({FILE: zipped({FILE: GOOD})}), "archive inside the archive"),
    "010-zip-in-gzip": Stops(gzipped(zipped({FILE: GOOD})), "archive inside the archive"),
    "011-zip-path-goes-up": Stops(zipped({"../../etc/x": GOOD}), "'../../etc/x'"),
    "012-zip-path-is-absolute": Stops(zipped({f"/etc/{FILE}": GOOD}), "must hold exactly this file"),
    "013-symlink-in-zip": Stops(zip_with(mode=stat.S_IFLNK | 0o777), "is no regular file"),
    "014-encrypted-zip": Stops(encrypted_zip(), "is encrypted"),
    "015-zip-with-bad-crc": Stops(zip_with_bad_crc(), "the zip is damaged"),
    "016-zip-is-cut": Stops(zip_with()[:-30], "the zip is cut", SourceUnavailableError),
    "016-gzip-is-cut": Stops(gzipped(TEXT.encode())[:-9], "the gzip is cut", SourceUnavailableError),
    "017-last-line-is-cut": Stops(HEADER + GOOD + b"1880,An", "line 3: the last line is cut"),
    "017-last-number-is-missing": Stops(HEADER + GOOD + b"1880,Anna,F,", "line 3: the last line is cut"),
    "032-utf16-without-bom": Stops(TEXT.encode("utf-16-le"), "UTF-16 without a byte order mark"),
    "032-utf16-be-without-bom": Stops(TEXT.encode("utf-16-be"), "UTF-16 without a byte order mark"),
    "032-utf16-is-cut": Stops(TEXT.encode("utf-16")[:-1], "ends inside a character"),
    "032-utf32": Stops(TEXT.encode("utf-32"), "the header is not UTF-8"),
    "033-latin1": Stops(name_row(b"Ren\xe9e"), "line 3 byte 9: the file is not UTF-8, it looks like Latin-1"),
    "038-nul-bytes-only": Stops(b"\x00" * 5000, "consists of NUL bytes"),
    "056-unclosed-quote": Stops(rows(b'1880,"Anna,F,5', b"1880,Ida,F,4"), "line 3: a quote"),
    "056-unclosed-quote-at-the-end": Stops(rows(b'1880,Anna,F,"5'), "line 3: a quote"),
    "056-unclosed-quote-meets-a-quoted-row": Stops(rows(b'1880,"Anna,F,5', b'1880,"Ida",F,4'), "line 3: a quote"),
    "056-unclosed-quote-without-end": Stops(rows(b'1880,"Anna', *[b"x" * 500] * 200), "line 3: a quote"),
    "059-semicolons": Stops(HEADER.replace(b",", b";") + b"1880;Mary;F;7\n", "the delimiter is a semicolon"),
    "059-tabs": Stops(HEADER.replace(b",", b"\t") + b"1880\tMary\tF\t7\n", "the delimiter is a tab"),
    "064-header-missing": Stops(GOOD * 2, "line 1: the header is missing"),
    "064-header-with-an-open-quote": Stops(b'"YearOfBirth,Name\n', "line 1: the header has an unclosed"),
    "056-text-after-the-end-of-a-long-value": Stops(rows(b'1880,"An', b'na"x,F,5'), "line 3: a quote"),
    "066-column-twice": Stops(b"YearOfBirth,Name,Sex,Number,name\n", "column Name is there twice"),
    "068-column-missing": Stops(b"YearOfBirth,Name,Number\n1880,Mary,7\n", "the column Sex is missing"),
    "072-line-of-10-mb": Stops(rows(b"1880," + b"a" * (10 << 20) + b",F,5"), "line 3: longer than"),
    "073-million-columns": Stops(b"a," * 500_000 + b"\n", "at most 1000 are allowed"),
    "073-thousands-of-fields": Stops(rows(b"," * 5000), "line 3: 5001 fields"),
}

QUARANTINES = {
    "034-mixed-encodings": Quarantines(rows(b"1880,Ren\xe9e,F,5", "1880,Zoë,F,5".encode()), "not_utf8", column="Name"),
    "035-overlong-utf8": Quarantines(name_row(b"Ma\xc0\xafry"), "not_utf8", column="Name"),
    "035-continuation-byte": Quarantines(name_row(b"Ma\x80ry"), "not_utf8", column="Name"),
    "036-lone-surrogate": Quarantines(name_row(b"Ma\xed\xa0\x80ry"), "not_utf8", column="Name"),
    "036-lone-surrogate-in-utf16": Quarantines(
        name_row("Ma#ry").decode().encode("utf-16").replace("#".encode("utf-16-le"), b"\x00\xd8"),
        "not_utf8",
        column="Name",
    ),
    "037-nul-in-a-field": Quarantines(name_row(b"Ma\x00ry"), "control_character", column="Name"),
    "039-control-character": Quarantines(name_row("Ma\x01ry"), "control_character", column="Name"),
    "042-right-to-left-mark": Quarantines(name_row("Ma\u200fry"), "bidi_control", column="Name"),
    "042-bidi-override": Quarantines(name_row("Ma\u202ery"), "bidi_control", column="Name"),
    "043-zero-width-joiner": Quarantines(name_row("Ma\u200dry"), "invisible_character", column="Name"),
    "045-keys-differ-in-case-only": Quarantines(
        HEADER + GOOD + b"1881,Anna,F,3\n1881,ANNA,F,4\n", "key_collision", (3, 4), key_text="anna-f"
    ),
    "047-sharp-s-and-ss": Quarantines(
        HEADER + GOOD + "1881,Heß,F,3\n1881,Hess,F,4\n".encode(), "key_collision", (3, 4), key_text="hess-f"
    ),
    "060-short-row": Quarantines(rows(b"1880,Anna,F"), "short_row"),
    "061-long-row": Quarantines(rows(b"1880,Anna,F,5,"), "long_row"),
    "063-comment": Quarantines(rows(b"# made by hand"), "comment"),
    "070-header-again": Quarantines(rows(HEADER.strip()), "repeated_header"),
    "071-field-over-64-kb": Quarantines(name_row(b"a" * 70_000), "field_too_large"),
    "071-quoted-field-over-64-kb": Quarantines(name_row(b'"' + b"a" * 70_000 + b'"'), "field_too_large"),
    "075-formula-equals": Quarantines(name_row("=CMD()"), "formula_start", column="Name"),
    "075-formula-plus": Quarantines(name_row("+Mary"), "formula_start", column="Name"),
    "075-formula-minus": Quarantines(name_row("-Mary"), "formula_start", column="Name"),
    "075-formula-at": Quarantines(name_row(" @Mary"), "formula_start", column="Name"),
    "075-tab-start": Quarantines(name_row("\tMary"), "control_character", column="Name"),
    "075-cr-start": Quarantines(name_row('"\rMary"'), "control_character", column="Name"),
    "076-year-empty": Quarantines(rows(b",Anna,F,5"), "empty", column="YearOfBirth", key_text="anna-f"),
    "078-year-with-letter": Quarantines(
        rows(b"188O,Anna,F,5"), "not_an_integer", column="YearOfBirth", key_text="anna-f"
    ),
    "079-year-0": Quarantines(rows(b"0,Anna,F,5"), "out_of_range", column="YearOfBirth", key_text="anna-f"),
    "079-year-1700": Quarantines(rows(b"1700,Anna,F,5"), "out_of_range", column="YearOfBirth", key_text="anna-f"),
    "079-year-2999": Quarantines(rows(b"2999,Anna,F,5"), "out_of_range", column="YearOfBirth", key_text="anna-f"),
    "079-next-year": Quarantines(rows(b"2027,Anna,F,5"), "out_of_range", column="YearOfBirth", key_text="anna-f"),
    "080-year-negative": Quarantines(rows(b"-1880,Anna,F,5"), "out_of_range", column="YearOfBirth", key_text="anna-f"),
    "081-year-scientific": Quarantines(
        rows(b"1e3,Anna,F,5"), "not_an_integer", column="YearOfBirth", key_text="anna-f"
    ),
    "082-name-empty": Quarantines(name_row(""), "empty", column="Name"),
    "083-name-blank": Quarantines(name_row(" \u00a0 "), "empty", column="Name"),
    "087-name-too-long": Quarantines(name_row("a" * 256), "too_long", column="Name"),
    "087-name-over-the-limit": Quarantines(name_row("a" * 65), "too_long", column="Name"),
    "088-name-with-digit": Quarantines(name_row("M4ry"), "has_digit", column="Name"),
    "094-sex-x": Quarantines(rows(b"1880,Anna,X,5"), "not_a_choice", column="Sex"),
    "094-sex-empty": Quarantines(rows(b"1880,Anna,,5"), "empty", column="Sex"),
    "094-sex-in-capitals": Quarantines(rows(b"1880,Anna,MALE,5"), "not_a_choice", column="Sex"),
    "095-number-empty": Quarantines(rows(b"1880,Anna,F,"), "empty", column="Number", key_text="anna-f"),
    "096-number-0": Quarantines(rows(b"1880,Anna,F,0"), "out_of_range", column="Number", key_text="anna-f"),
    "096-number-negative": Quarantines(rows(b"1880,Anna,F,-4"), "out_of_range", column="Number", key_text="anna-f"),
    "097-number-with-thousands-comma": Quarantines(
        rows(b'1880,Anna,F,"1,234"'), "not_an_integer", column="Number", key_text="anna-f"
    ),
    "098-number-with-fraction": Quarantines(
        rows(b"1880,Anna,F,3.7"), "not_an_integer", column="Number", key_text="anna-f"
    ),
    "099-number-over-int": Quarantines(
        rows(b"1880,Anna,F,2147483648"), "out_of_range", column="Number", key_text="anna-f"
    ),
    "099-number-2-to-63": Quarantines(
        rows(b"1880,Anna,F,9223372036854775808"), "out_of_range", column="Number", key_text="anna-f"
    ),
    "099-number-of-5000-digits": Quarantines(
        rows(b"1880,Anna,F," + b"9" * 5000), "out_of_range", column="Number", key_text="anna-f"
    ),
    "100-number-nan": Quarantines(rows(b"1880,Anna,F,NaN"), "not_an_integer", column="Number", key_text="anna-f"),
    "100-number-inf": Quarantines(rows(b"1880,Anna,F,inf"), "not_an_integer", column="Number", key_text="anna-f"),
    "102-full-width-digits": Quarantines(
        rows("1880,Anna,F,\uff11\uff12".encode()), "not_an_integer", column="Number", key_text="anna-f"
    ),
    "104-same-row-other-value": Quarantines(
        HEADER + GOOD + b"1881,Anna,F,3\n1881,Anna,F,4\n", "duplicate_key", (3, 4), key_text="anna-f"
    ),
    "stray-quote": Quarantines(name_row('Id"a'), "stray_quote"),
    "text-after-a-closing-quote": Quarantines(name_row('"Id"a'), "stray_quote"),
}

READS = {
    "005-gzip-named-csv": Reads(gzipped(HEADER + GOOD), PLAIN),
    "006-zip-named-csv": Reads(zipped({FILE: HEADER + GOOD}), PLAIN),
    "017-last-line-complete-without-newline": Reads((HEADER + GOOD).rstrip(), PLAIN, {"no_final_newline": 1}),
    "031-utf8-bom": Reads(b"\xef\xbb\xbf" + HEADER + GOOD, PLAIN, {"bom": 1}),
    "032-utf16-le": Reads(b"\xff\xfe" + TEXT.encode("utf-16-le"), PLAIN, {"utf16": 1}),
    "032-utf16-be": Reads(b"\xfe\xff" + TEXT.encode("utf-16-be"), PLAIN, {"utf16": 1}),
    "040-emoji": Reads(name_row("Mary🙂"), (*PLAIN, "1880,Mary🙂,F,5")),
    "041-decomposed-accent": Reads(name_row("Rene\u0301e"), (*PLAIN, "1880,Ren\u00e9e,F,5"), {"nfc": 1}),
    "044-homoglyph": Reads(name_row("M\u0430ry"), (*PLAIN, "1880,M\u0430ry,F,5")),
    "046-trailing-space": Reads(name_row("Anna "), (*PLAIN, "1880,Anna,F,5"), {"trimmed": 1}),
    "048-turkish-i": Reads(
        rows("1880,İsa,F,5".encode(), "1880,\u0131sa,F,5".encode(), b"1880,Isa,F,5"),
        (*PLAIN, "1880,İsa,F,5", "1880,\u0131sa,F,5", "1880,Isa,F,5"),
    ),
    "049-non-breaking-space": Reads(name_row("\u00a0Anna\u00a0"), (*PLAIN, "1880,Anna,F,5"), {"trimmed": 1}),
    "050-crlf": Reads((HEADER + GOOD).replace(b"\n", b"\r\n"), PLAIN, {"crlf_line_ends": 2}),
    "051-cr": Reads((HEADER + GOOD).replace(b"\n", b"\r"), PLAIN, {"cr_line_ends": 2}),
    "052-mixed-line-ends": Reads(
        HEADER + GOOD.strip() + b"\r\n1881,Mary,F,5\r1882,Mary,F,5\n",
        (*PLAIN, "1881,Mary,F,5", "1882,Mary,F,5"),
        {"crlf_line_ends": 1, "cr_line_ends": 1},
    ),
    "053-line-separator-in-a-field": Reads(name_row("Ma\u2028ry"), (*PLAIN, "1880,Ma\u2028ry,F,5")),
    "054-comma-in-quotes": Reads(name_row('"Ma,ry"'), (*PLAIN, '1880,"Ma,ry",F,5')),
    "055-newline-in-quotes": Reads(name_row('"Ma\nry"'), (*PLAIN, '1880,"Ma', 'ry",F,5')),
    "057-doubled-quotes": Reads(name_row('"Ma""ry"'), (*PLAIN, '1880,"Ma""ry",F,5')),
    "058-backslash": Reads(name_row("Ma\\ry"), (*PLAIN, '1880,"Ma\\ry",F,5')),
    "062-blank-lines": Reads(rows(b"", b"  ", b"1881,Mary,F,5"), (*PLAIN, "1881,Mary,F,5"), {"blank_lines": 2}),
    "065-header-reordered": Reads(b"Number,Sex,Name,YearOfBirth\n7065,F,Mary,1880\n", PLAIN, {"header_reordered": 1}),
    "067-extra-column": Reads(
        b"YearOfBirth,Name,Rank,Sex,Number\n1880,Mary,x\\1,F,7065\n", PLAIN, {"extra_columns": 1}
    ),
    "069-header-spelling": Reads(b" yearofbirth ,NAME,Sex,Number\n" + GOOD, PLAIN, {"header_spelling": 2}),
    "074-leading-index-column": Reads(b",YearOfBirth,Name,Sex,Number\n0," + GOOD, PLAIN, {"extra_columns": 1}),
    "077-year-with-decimal-zero": Reads(rows(b"1880.0,Anna,F,5"), (*PLAIN, "1880,Anna,F,5"), {"integer_form": 1}),
    "084-names-like-null": Reads(
        rows(*(f"1880,{name},F,5".encode() for name in ("NA", "null", "None", "Nan", "Nil", "Infinity"))),
        (*PLAIN, *(f"1880,{name},F,5" for name in ("NA", "null", "None", "Nan", "Nil", "Infinity"))),
    ),
    "084-name-null-in-capitals": Reads(name_row("NULL"), (*PLAIN, '1880,"NULL",F,5')),
    "085-name-true": Reads(name_row("True"), (*PLAIN, "1880,True,F,5")),
    "086-name-of-one-character": Reads(name_row("A"), (*PLAIN, "1880,A,F,5")),
    "089-markup": Reads(name_row("<script>"), (*PLAIN, "1880,<script>,F,5")),
    "090-sql": Reads(name_row("'; DROP TABLE"), (*PLAIN, "1880,'; DROP TABLE,F,5")),
    "091-template": Reads(name_row("{{ var.value.x }}"), (*PLAIN, "1880,{{ var.value.x }},F,5")),
    "092-sex-lower-case": Reads(rows(b"1880,Anna,f,5"), (*PLAIN, "1880,Anna,F,5"), {"choice_mapped": 1}),
    "093-sex-word": Reads(rows(b"1880,Al,Male,5"), (*PLAIN, "1880,Al,M,5"), {"choice_mapped": 1}),
    "101-leading-zeros": Reads(rows(b"01880,Anna,F,005"), (*PLAIN, "1880,Anna,F,5"), {"integer_form": 2}),
    "103-exact-duplicate": Reads(rows(GOOD.strip()), PLAIN, {"duplicate_rows_dropped": 1}),
}


@pytest.mark.parametrize("case", STOPS.values(), ids=STOPS)
def test_bad_file_is_refused_with_a_clear_message(case: Stops, tmp_path: Path) -> None:
    with pytest.raises(case.error) as caught:
        read(case.content, tmp_path)

    message = str(caught.value)
    assert case.message in message
    assert message.startswith(FILE)
    assert "\n" not in message
    assert {path.name for path in tmp_path.iterdir()} <= {"download", "unpacked.csv"}


@pytest.mark.parametrize("case", QUARANTINES.values(), ids=QUARANTINES)
def test_bad_line_is_quarantined_and_the_rest_goes_on(case: Quarantines, tmp_path: Path) -> None:
    reading = read(case.content, tmp_path)

    found = [(line.line_no, line.reason, line.column, line.key_text) for line in reading.rejected]
    assert found == [(line_no, case.reason, case.column, case.key_text) for line_no in case.line_nos]
    assert "2,mary-f,1880,Mary,F,7065" in reading.lines
    assert reading.check.rejected_lines == len(case.line_nos)
    assert reading.check.withheld_keys == ({case.key_text} if case.key_text else set())
    assert reading.check.unreadable_key_lines == (0 if case.key_text else len(case.line_nos))
    assert reading.check.source_rows == reading.check.rows + len(case.line_nos)
    assert all(len(line.raw) <= 1000 and line.reason_text for line in reading.rejected)


@pytest.mark.parametrize("case", READS.values(), ids=READS)
def test_unusual_file_is_read(case: Reads, tmp_path: Path) -> None:
    reading = read(case.content, tmp_path)

    stored = reading.clean.decode()
    for row in case.stored:
        assert row in stored
    assert reading.check.rejected_lines == 0
    assert reading.check.notes == case.notes
    dropped = case.notes.get("duplicate_rows_dropped", 0)
    assert reading.check.rows == reading.check.source_rows - dropped
