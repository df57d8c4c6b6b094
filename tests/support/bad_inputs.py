"""The one table of bad input: 112 numbered cases, each with what has to become of it and the inputs that prove it.

Files go through the real unpacking and validation (`tests/unit/source/test_bad_inputs.py`); what concerns Kaggle, S3,
HubSpot, MySQL and Airflow through real servers and the real DAG (`tests/integration/test_bad_inputs.py`).
`docs/bad-input.md` is made from this table.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from include.hubspot_sync.source.archive import Packing
from tests.support import bad_files as files
from tests.support import bad_mysql as mysql
from tests.support import bad_surroundings as around
from tests.support import bad_systems as systems
from tests.support.bad_files import CONTENT, FILE, GOOD, HEADER, STORED, TEXT, gzipped, name_row, rows, zipped
from tests.support.bad_systems import Bench
from tests.support.outcomes import Outcome, Seen

STOP, QUARANTINE, NORMALISE, RETRY, ACCEPT = Outcome


@dataclass(frozen=True, slots=True)
class Stops:
    """A file that is refused as a whole."""

    name: str
    content: bytes
    words: tuple[str, ...]
    outcome: Outcome = STOP


@dataclass(frozen=True, slots=True)
class Quarantines:
    """A file of which these lines are refused; the good row stays."""

    name: str
    content: bytes
    reason: str
    column: str = ""
    key_text: str | None = None
    line_nos: tuple[int, ...] = (3,)
    outcome: Outcome = QUARANTINE


@dataclass(frozen=True, slots=True)
class Reads:
    """A file of which every row is stored, exact duplicates apart; what was put right is counted."""

    name: str
    content: bytes
    stored: tuple[str, ...] = ()
    """Rows of the clean file beside the good one."""
    notes: dict[str, int] = field(default_factory=dict)
    packing: Packing = Packing.PLAIN

    @property
    def outcome(self) -> Outcome:
        """Return N when something was unpacked or put right, else P."""
        return NORMALISE if self.notes or self.packing is not Packing.PLAIN else ACCEPT


@dataclass(frozen=True, slots=True)
class Acts:
    """Something is done with real parts in an empty folder, without a server."""

    act: Callable[[Path], Seen]
    outcome: Outcome
    words: tuple[str, ...]
    label: str = ""

    @property
    def name(self) -> str:
        """Return a readable id."""
        return (self.label or self.act.__name__).replace("_", "-")


@dataclass(frozen=True, slots=True)
class OnServers:
    """Something is done on real servers."""

    act: Callable[[Bench], Seen]
    outcome: Outcome
    words: tuple[str, ...]
    label: str = ""
    after_load: bool = False
    """Whether version 1 has to be accepted before."""
    is_first_run: bool = False
    """Whether it runs a whole first load, on a schema of its own."""

    @property
    def name(self) -> str:
        """Return a readable id."""
        return (self.label or self.act.__name__).replace("_", "-")


@dataclass(frozen=True, slots=True)
class InDag:
    """A run of the real DAG: this task fails with one line, and nothing was written to HubSpot."""

    arrange: Callable[[Bench], None]
    task: str
    words: tuple[str, ...]
    outcome: Outcome = STOP
    label: str = ""
    after_load: bool = False
    """Whether version 1 has to be accepted before."""

    @property
    def name(self) -> str:
        """Return a readable id."""
        return (self.label or self.arrange.__name__).replace("_", "-")


Example = Stops | Quarantines | Reads | Acts | OnServers | InDag


@dataclass(frozen=True, slots=True)
class Case:
    """One numbered case."""

    number: int
    what: str
    examples: tuple[Example, ...]
    remark: str = ""

    @property
    def outcomes(self) -> tuple[Outcome, ...]:
        """Return the letters of its examples, each once, in their order."""
        return tuple(dict.fromkeys(example.outcome for example in self.examples))


SECTIONS: dict[int, str] = {
    1: "File and transport",
    31: "Encoding",
    54: "CSV structure",
    76: "Values",
    106: "Configuration, credentials, systems",
}
"""First number of each section and its name."""


def _case(number: int, what: str, *examples: Example, remark: str = "") -> Case:
    return Case(number, what, examples, remark)


def _name(name: str, value: bytes | str, reason: str) -> Quarantines:
    """Return a row that is refused for its name, so that its record is not known."""
    return Quarantines(name, name_row(value), reason, "Name")


def _cell(name: str, row: bytes | str, reason: str, column: str) -> Quarantines:
    """Return a row of Anna, F that is refused for another column."""
    return Quarantines(name, rows(row), reason, column, "anna-f")


def _line(name: str, row: bytes | str, reason: str) -> Quarantines:
    """Return a row that is refused as a whole."""
    return Quarantines(name, rows(row), reason)


def _kept(name: str, value: str, stored: str = "") -> Reads:
    """Return a row whose name is stored unchanged."""
    return Reads(name, name_row(value), (f"1880,{stored or value},F,5",))


_NULL_LIKE = ("NA", "null", "None", "Nan", "Nil", "Infinity")
_DOWNLOAD_AGAIN = "download it again"
_PLAIN = CONTENT.replace(b"\n", b"\r\n")
_PREFLIGHT = "preflight"

_FILE_AND_TRANSPORT = (
    _case(1, "0-byte file", Stops("zero-bytes", b"", ("the file is empty", "check the download"))),
    _case(
        2,
        "header only",
        Stops("header-only", HEADER, ("never means that everything was removed", "check the dataset")),
        InDag(
            systems.offers(HEADER),
            "land",
            (FILE, "there are no rows", "check the dataset"),
            label="header-only-in-a-run",
        ),
    ),
    _case(
        3,
        "HTML login page served as CSV",
        Stops("login-page", b"\n<!DOCTYPE html><html>", ("got HTML instead of CSV", "check the kaggle credentials")),
    ),
    _case(
        4, "JSON error body as CSV", Stops("json", b'{"code":403}', ("got JSON instead of CSV", "check the dataset"))
    ),
    _case(5, "gzip under a .csv name", Reads("gzip", gzipped(CONTENT), packing=Packing.GZIP)),
    _case(6, "zip under a .csv name", Reads("zip", zipped({FILE: CONTENT}), packing=Packing.ZIP)),
    _case(
        7,
        "zip whose member has another name",
        Stops("other-member", zipped({"other.csv": GOOD}), ("holds 1: 'other.csv'", "fix the dataset")),
    ),
    _case(
        8,
        "two files in the zip, or none",
        Stops("two-members", zipped({FILE: GOOD, "b.csv": GOOD}), ("holds 2:", "'b.csv'")),
        Stops("no-member", zipped({}), ("holds 0: nothing",)),
    ),
    _case(
        9,
        "zip or gzip bomb",
        Stops("zip-bomb", zipped({FILE: b"0" * (4 << 20)}), ("refused as a zip bomb", "raise max_zip_ratio")),
        Stops("gzip-bomb", gzipped(b"0" * (4 << 20)), ("refused as a zip bomb", "raise max_zip_ratio")),
        Stops("endless-directory", files.zip_with_long_directory(), ("list of members is too long", "pack only")),
    ),
    _case(
        10,
        "archive inside the archive",
        Stops("zip-in-zip", zipped({FILE: zipped({FILE: GOOD})}), ("archive inside the archive", "pack it only once")),
        Stops("zip-in-gzip", gzipped(zipped({FILE: GOOD})), ("archive inside the archive", "pack it only once")),
    ),
    _case(11, "zip member `../../etc/x`", Stops("path-goes-up", zipped({"../../etc/x": GOOD}), ("'../../etc/x'",))),
    _case(
        12,
        "absolute path in the zip",
        Stops("absolute-path", zipped({f"/etc/{FILE}": GOOD}), ("must hold exactly this file", f"'/etc/{FILE}'")),
    ),
    _case(
        13, "symbolic link in the zip", Stops("link", files.zip_of_link(), ("is no regular file", "pack it plainly"))
    ),
    _case(14, "encrypted zip", Stops("encrypted", files.encrypted_zip(), ("is encrypted", "pack it plainly"))),
    _case(15, "wrong checksum in the zip", Stops("bad-crc", files.zip_with_bad_crc(), ("zip is damaged", "upload it"))),
    _case(
        16,
        "archive is cut",
        Stops("zip-is-cut", zipped({FILE: CONTENT})[:-30], ("the zip is cut", _DOWNLOAD_AGAIN), RETRY),
        Stops("gzip-is-cut", gzipped(CONTENT)[:-9], ("the gzip is cut", _DOWNLOAD_AGAIN), RETRY),
        InDag(systems.cut_gzip, "land", ("the gzip is cut", _DOWNLOAD_AGAIN), RETRY),
        remark="with the last try of the task the run fails",
    ),
    _case(
        17,
        "last line is cut",
        Stops("last-line-is-cut", CONTENT + b"1880,An", ("line 3: the last line is cut", _DOWNLOAD_AGAIN)),
        Stops("last-number-is-missing", CONTENT + b"1880,Anna,F,", ("line 3: the last line is cut", _DOWNLOAD_AGAIN)),
        Acts(around.cut_while_read, STOP, ("bytes instead of", "land it again"), "last-number-is-shorter"),
        Reads("complete-without-newline", CONTENT.rstrip(), notes={"no_final_newline": 1}),
    ),
    _case(
        18,
        "Content-Length mismatch",
        InDag(systems.kaggle_fault("truncate"), "land", (FILE, "connection kaggle"), RETRY, "truncated"),
    ),
    _case(
        19,
        "same sha256 as the last accepted file",
        OnServers(systems.same_bytes_as_a_new_version, ACCEPT, ("unchanged 200 of 200",), after_load=True),
        remark="the run ends after `land` and writes nothing",
    ),
    _case(
        20,
        "half of the rows; fewer records; more removals than usual",
        InDag(
            systems.half_the_rows,
            "stage",
            ("from 600 to 300 rows", "guards.min_row_share", "approve_guards"),
            after_load=True,
        ),
        InDag(
            systems.without_small_records,
            "stage",
            ("the file has 180 records, the last one had 200", "guards.min_record_share", "approve_guards"),
            after_load=True,
        ),
        InDag(
            systems.without_a_few_records,
            "compute_delta",
            ("8 of 200 contacts are no longer in the source", "guards.max_archive_share", "approve_guards"),
            after_load=True,
        ),
    ),
    _case(
        21,
        "ten times the rows; most contacts get other values",
        InDag(
            systems.ten_times_the_rows,
            "stage",
            ("from 600 to 6000 rows", "guards.max_row_growth", "approve_guards"),
            after_load=True,
        ),
        InDag(
            systems.with_most_values_changed,
            "compute_delta",
            ("200 of 200 contacts get other values", "guards.max_change_share", "approve_guards"),
            after_load=True,
        ),
    ),
    _case(
        22,
        "redirect to another host",
        Acts(around.redirect_to_another_host, STOP, ("attacker.example", "no kaggle storage host", "check the host")),
        remark="Kaggle's own storage hosts are followed, without credentials",
    ),
    _case(
        23,
        "429 or 503 from Kaggle",
        InDag(systems.kaggle_fault("rate429"), "land", ("kaggle", "429"), RETRY, "too-many-requests"),
        InDag(systems.kaggle_fault("err500"), "land", ("kaggle", "503"), RETRY, "server-error"),
    ),
    _case(
        24, "dataset removed", InDag(systems.kaggle_fault("json404"), "land", ("404", "source.dataset"), label="404")
    ),
    _case(
        25,
        "file renamed in the dataset",
        InDag(
            systems.kaggle_fault("renamed"),
            "land",
            (FILE, "the files there are", "correct source.file"),
            label="new-name",
        ),
    ),
    _case(
        26,
        "S3 object overwritten meanwhile",
        OnServers(
            systems.object_overwritten, STOP, ("is not the landed one", "restore its earlier version"), "other-bytes"
        ),
    ),
    _case(
        27,
        "file read while it is uploaded",
        OnServers(systems.object_half_uploaded, STOP, ("is not the landed one", "land it again"), "half-an-object"),
        Acts(around.cut_while_read, STOP, ("bytes instead of", "changed while it was read", "land it again")),
    ),
    _case(
        28,
        "symbolic link, folder, pipe or device as path",
        Acts(around.symlink_as_path, STOP, ("cannot be opened", "check the path")),
        Acts(around.folder_as_path, STOP, ("is not a regular file", "give the path of a file")),
        Acts(around.pipe_as_path, STOP, ("is not a regular file", "give the path of a file")),
        Acts(around.device_as_path, STOP, ("is not a regular file", "give the path of a file")),
    ),
    _case(
        29,
        "permission denied",
        Acts(around.unreadable_file, STOP, ("Permission denied", "check the path and its permissions")),
    ),
    _case(30, "disk full", Acts(around.full_disk, STOP, ("No space left on device", "check space"))),
)

_ENCODING = (
    _case(31, "UTF-8 byte order mark", Reads("bom", b"\xef\xbb\xbf" + CONTENT, notes={"bom": 1})),
    _case(
        32,
        "UTF-16",
        Reads("little-endian", b"\xff\xfe" + TEXT.encode("utf-16-le"), notes={"utf16": 1}),
        Reads("big-endian", b"\xfe\xff" + TEXT.encode("utf-16-be"), notes={"utf16": 1}),
        Stops("no-mark", TEXT.encode("utf-16-le"), ("UTF-16 without a byte order mark", "save it as UTF-8")),
        Stops("big-endian-no-mark", TEXT.encode("utf-16-be"), ("UTF-16 without a byte order mark", "save it as UTF-8")),
        Stops("cut", TEXT.encode("utf-16")[:-1], ("ends inside a character", "it is cut")),
        Stops("utf-32", TEXT.encode("utf-32"), ("line 1", "the header is not UTF-8", "fix the file")),
        remark="without the mark it is refused",
    ),
    _case(
        33,
        "Latin-1",
        Stops("latin-1", name_row(b"Ren\xe9e"), ("line 3 byte 9", "looks like Latin-1", "save it as UTF-8")),
    ),
    _case(
        34,
        "mixed encodings",
        Quarantines("mixed", rows(b"1880,Ren\xe9e,F,5", "1880,Zoë,F,5"), "not_utf8", "Name"),
    ),
    _case(
        35,
        "overlong or invalid UTF-8",
        _name("overlong", b"Ma\xc0\xafry", "not_utf8"),
        _name("continuation-byte", b"Ma\x80ry", "not_utf8"),
    ),
    _case(
        36,
        "lone surrogate",
        _name("in-utf-8", b"Ma\xed\xa0\x80ry", "not_utf8"),
        Quarantines("in-utf-16", files.half_a_surrogate_in_utf16(), "not_utf8", "Name"),
    ),
    _case(37, "NUL byte in a field", _name("nul", b"Ma\x00ry", "control_character")),
    _case(38, "file of NUL bytes", Stops("nul-bytes", b"\x00" * 5000, ("consists of NUL bytes", _DOWNLOAD_AGAIN))),
    _case(39, "control character", _name("control", "Ma\x01ry", "control_character")),
    _case(40, "emoji", _kept("emoji", "Mary🙂")),
    _case(
        41,
        "combining accent (NFD)",
        Reads("decomposed", name_row("Rene\u0301e"), ("1880,Ren\u00e9e,F,5",), {"nfc": 1}),
    ),
    _case(
        42,
        "right-to-left mark, bidirectional override",
        _name("mark", "Ma\u200fry", "bidi_control"),
        _name("override", "Ma\u202ery", "bidi_control"),
    ),
    _case(43, "zero-width joiner in a name", _name("joiner", "Ma\u200dry", "invisible_character")),
    _case(44, "homoglyph", _kept("cyrillic-a", "M\u0430ry")),
    _case(
        45,
        "keys that differ in case only",
        OnServers(mysql.keys_in_tables("Anna-f", "anna-f"), ACCEPT, ("2 records",), "in-the-tables"),
        Quarantines(
            "in-a-file", rows("1881,Anna,F,3", "1881,ANNA,F,4"), "key_collision", "", "anna-f", line_nos=(3, 4)
        ),
        remark="the tables keep both; names of one file are refused: HubSpot compares keys without case",
    ),
    _case(
        46,
        "keys that differ in a trailing space",
        OnServers(mysql.hashed_keys("anna-f", "anna-f "), ACCEPT, ("2 records",), "in-the-tables"),
        Reads("in-a-file", name_row("Anna "), ("1880,Anna,F,5",), {"trimmed": 1}),
    ),
    _case(
        47,
        "ß and ss",
        OnServers(mysql.keys_in_tables("heß-f", "hess-f"), ACCEPT, ("2 records",), "in-the-tables"),
        Reads("in-a-file", rows("1881,Heß,F,3", "1881,Hess,F,4"), ("heß-f,1881,Heß,F,3", "hess-f,1881,Hess,F,4")),
    ),
    _case(
        48,
        "Turkish İ and \u0131",
        Reads(
            "three-names",
            rows("1880,İsa,F,5", "1880,\u0131sa,F,5", "1880,Isa,F,5"),
            ("1880,İsa,F,5", "1880,\u0131sa,F,5", "1880,Isa,F,5"),
        ),
    ),
    _case(
        49,
        "non-breaking space at the edge",
        Reads("edge", name_row("\u00a0Anna\u00a0"), ("1880,Anna,F,5",), {"trimmed": 1}),
    ),
    _case(50, "CRLF", Reads("crlf", _PLAIN, notes={"crlf_line_ends": 2})),
    _case(51, "CR only", Reads("cr", CONTENT.replace(b"\n", b"\r"), notes={"cr_line_ends": 2})),
    _case(
        52,
        "mixed line ends",
        Reads(
            "mixed",
            CONTENT.rstrip() + b"\r\n1881,Mary,F,5\r1882,Mary,F,5\n",
            ("1881,Mary,F,5", "1882,Mary,F,5"),
            {"crlf_line_ends": 1, "cr_line_ends": 1},
        ),
    ),
    _case(53, "U+2028 inside a field", _kept("line-separator", "Ma\u2028ry")),
)

_STRUCTURE = (
    _case(54, "comma inside quotes", _kept("comma", '"Ma,ry"')),
    _case(
        55,
        "newline inside quotes",
        _kept("newline", '"Ma\nry"'),
        Quarantines("bad-record-of-two-lines", rows('1880,"An\nna",F,x'), "not_an_integer", "Number", "an\nna-f"),
        remark="an error in such a record names its first line",
    ),
    _case(
        56,
        "quote that is not closed",
        Stops("open", rows('1880,"Anna,F,5', "1880,Ida,F,4"), ("line 3: a quote", "close it or remove it")),
        Stops("open-at-the-end", rows('1880,Anna,F,"5'), ("line 3: a quote", "close it or remove it")),
        Stops("meets-a-quoted-row", rows('1880,"Anna,F,5', '1880,"Ida",F,4'), ("line 3: a quote",)),
        Stops("swallows-the-file", rows('1880,"Anna', *["x" * 500] * 200), ("line 3: a quote",)),
        Stops("text-after-the-end", rows('1880,"An', 'na"x,F,5'), ("line 3: a quote",)),
    ),
    _case(57, "doubled quotes", _kept("doubled", '"Ma""ry"')),
    _case(58, "backslash escapes", _kept("backslash", "Ma\\ry", '"Ma\\ry"')),
    _case(
        59,
        "semicolon or tab as delimiter",
        Stops("semicolon", CONTENT.replace(b",", b";"), ("line 1: the delimiter is a semicolon", "export the file")),
        Stops("tab", CONTENT.replace(b",", b"\t"), ("line 1: the delimiter is a tab", "export the file")),
    ),
    _case(60, "short row", _line("three-fields", "1880,Anna,F", "short_row")),
    _case(61, "long row", _line("five-fields", "1880,Anna,F,5,", "long_row")),
    _case(62, "blank lines", Reads("blank", rows("", "  ", "1881,Mary,F,5"), ("1881,Mary,F,5",), {"blank_lines": 2})),
    _case(63, "comment line", _line("comment", "# made by hand", "comment")),
    _case(
        64,
        "header missing",
        Stops("no-header", GOOD * 2, ("line 1: the header is missing", "expected YearOfBirth", "fix the file")),
        Stops("open-quote", b'"YearOfBirth,Name\n', ("line 1: the header has an unclosed", "fix the file")),
    ),
    _case(
        65,
        "header reordered",
        Reads("reordered", b"Number,Sex,Name,YearOfBirth\n7065,F,Mary,1880\n", notes={"header_reordered": 1}),
    ),
    _case(
        66,
        "column twice in the header",
        Stops(
            "twice", b"YearOfBirth,Name,Sex,Number,name\n", ("line 1: the column Name is there twice", "fix the file")
        ),
    ),
    _case(
        67,
        "extra column",
        Reads("extra", b"YearOfBirth,Name,Rank,Sex,Number\n1880,Mary,x\\1,F,7065\n", notes={"extra_columns": 1}),
    ),
    _case(
        68,
        "missing column",
        Stops(
            "no-sex", b"YearOfBirth,Name,Number\n1880,Mary,7\n", ("line 1: the column Sex is missing", "fix the file")
        ),
    ),
    _case(
        69,
        "header in other case or with spaces",
        Reads("spelling", b" yearofbirth ,NAME,Sex,Number\n" + GOOD, notes={"header_spelling": 2}),
    ),
    _case(70, "header repeated in mid-file", _line("again", HEADER.strip(), "repeated_header")),
    _case(
        71,
        "field over 64 KB",
        _line("bare", b"1880," + b"a" * 70_000 + b",F,5", "field_too_large"),
        _line("quoted", b'1880,"' + b"a" * 70_000 + b'",F,5', "field_too_large"),
    ),
    _case(
        72,
        "field of 10 MB",
        Stops("ten-megabytes", rows(b"1880," + b"a" * (10 << 20) + b",F,5"), ("line 3: longer than", "fix the file")),
    ),
    _case(
        73,
        "a million columns",
        Stops("in-the-header", b"a," * 500_000 + b"\n", ("line 1", "at most 1000 are allowed", "fix the file")),
        Stops("in-a-row", rows(b"," * 5000), ("line 3: 5001 fields", "expected 4")),
    ),
    _case(
        74,
        "leading index column",
        Reads("index", b",YearOfBirth,Name,Sex,Number\n0," + GOOD, notes={"extra_columns": 1}),
    ),
    _case(
        75,
        "name that starts like a spreadsheet formula",
        _name("equals", "=CMD()", "formula_start"),
        _name("plus", "+Mary", "formula_start"),
        _name("minus", "-Mary", "formula_start"),
        _name("at", " @Mary", "formula_start"),
        _name("tab", "\tMary", "control_character"),
        _name("carriage-return", '"\rMary"', "control_character"),
    ),
)

_YEAR, _NUMBER, _SEX = "YearOfBirth", "Number", "Sex"
_VALUES = (
    _case(76, "year empty", _cell("empty", ",Anna,F,5", "empty", _YEAR)),
    _case(77, "year `1880.0`", Reads("decimal", rows("1880.0,Anna,F,5"), ("1880,Anna,F,5",), {"integer_form": 1})),
    _case(78, "year `188O` with a letter", _cell("letter", "188O,Anna,F,5", "not_an_integer", _YEAR)),
    _case(
        79,
        "year 0, 1700, 2999, next year",
        _cell("zero", "0,Anna,F,5", "out_of_range", _YEAR),
        _cell("1700", "1700,Anna,F,5", "out_of_range", _YEAR),
        _cell("2999", "2999,Anna,F,5", "out_of_range", _YEAR),
        _cell("next-year", "2027,Anna,F,5", "out_of_range", _YEAR),
    ),
    _case(80, "negative year", _cell("negative", "-1880,Anna,F,5", "out_of_range", _YEAR)),
    _case(81, "year `1e3`", _cell("scientific", "1e3,Anna,F,5", "not_an_integer", _YEAR)),
    _case(82, "name empty", _name("empty", "", "empty")),
    _case(83, "name of blanks only", _name("blanks", " \u00a0 ", "empty")),
    _case(
        84,
        "names like `NA`, `null`, `None`, `Nan`, `Nil`",
        Reads(
            "null-like", rows(*(f"1880,{name},F,5" for name in _NULL_LIKE)), tuple(f"1880,{n},F,5" for n in _NULL_LIKE)
        ),
        _kept("null-in-capitals", "NULL", '"NULL"'),
    ),
    _case(85, "name `True`", _kept("true", "True")),
    _case(86, "name of one character", _kept("one-character", "A")),
    _case(
        87,
        "name over 255 characters, or over `max_length`",
        _name("over-255", "a" * 256, "too_long"),
        _name("over-the-limit", "a" * 65, "too_long"),
    ),
    _case(88, "name with digits", _name("digit", "M4ry", "has_digit")),
    _case(89, "name `<script>`", _kept("markup", "<script>")),
    _case(90, "name `'; DROP TABLE`", _kept("sql", "'; DROP TABLE")),
    _case(91, "name `{{ var.value.x }}`", _kept("template", "{{ var.value.x }}")),
    _case(92, "sex `m` or `f`", Reads("lower", rows("1880,Anna,f,5"), ("1880,Anna,F,5",), {"choice_mapped": 1})),
    _case(93, "sex `Male`", Reads("word", rows("1880,Al,Male,5"), ("1880,Al,M,5",), {"choice_mapped": 1})),
    _case(
        94,
        "sex `X`, `U`, `MALE` or empty",
        Quarantines("x", rows("1880,Anna,X,5"), "not_a_choice", _SEX),
        Quarantines("u", rows("1880,Anna,U,5"), "not_a_choice", _SEX),
        Quarantines("capitals", rows("1880,Anna,MALE,5"), "not_a_choice", _SEX),
        Quarantines("empty", rows("1880,Anna,,5"), "empty", _SEX),
    ),
    _case(95, "number empty", _cell("empty", "1880,Anna,F,", "empty", _NUMBER)),
    _case(
        96,
        "number 0 or negative",
        _cell("zero", "1880,Anna,F,0", "out_of_range", _NUMBER),
        _cell("negative", "1880,Anna,F,-4", "out_of_range", _NUMBER),
    ),
    _case(97, "number `1,234`", _cell("thousands", '1880,Anna,F,"1,234"', "not_an_integer", _NUMBER)),
    _case(98, "number 3.7", _cell("fraction", "1880,Anna,F,3.7", "not_an_integer", _NUMBER)),
    _case(
        99,
        "number over the INT maximum, 2^63, 5,000 digits",
        _cell("over-int", "1880,Anna,F,2147483648", "out_of_range", _NUMBER),
        _cell("two-to-63", "1880,Anna,F,9223372036854775808", "out_of_range", _NUMBER),
        _cell("5000-digits", b"1880,Anna,F," + b"9" * 5000, "out_of_range", _NUMBER),
    ),
    _case(
        100,
        "number NaN, inf",
        _cell("nan", "1880,Anna,F,NaN", "not_an_integer", _NUMBER),
        _cell("inf", "1880,Anna,F,inf", "not_an_integer", _NUMBER),
    ),
    _case(101, "leading zeros", Reads("zeros", rows("01880,Anna,F,005"), ("1880,Anna,F,5",), {"integer_form": 2})),
    _case(102, "full-width digits", _cell("full-width", "1880,Anna,F,\uff11\uff12", "not_an_integer", _NUMBER)),
    _case(103, "exact duplicate row", Reads("twice", rows(GOOD.strip()), notes={"duplicate_rows_dropped": 1})),
    _case(
        104,
        "same key, other value",
        Quarantines(
            "both-lines", rows("1881,Anna,F,3", "1881,Anna,F,4"), "duplicate_key", "", "anna-f", line_nos=(3, 4)
        ),
    ),
    _case(
        105,
        "sum differs much from the file before",
        OnServers(
            systems.every_number_doubled,
            NORMALISE,
            ("the sum of number went from", "guards.warn_sum_change", "compare"),
            after_load=True,
        ),
        remark="a warning in the log of `stage`; nothing stops",
    ),
)

_SYSTEMS = (
    _case(
        106,
        "sync definition: unknown key, wrong type, no workers, batch over 100, property mapped twice, hostile name",
        Acts(
            around.definition_with(lambda c: c.update(delivery={"btach_size": 50})),
            STOP,
            ("unknown key delivery.btach_size; did you mean batch_size?",),
            "typo",
        ),
        Acts(
            around.definition_with(lambda c: c["source"].update(file=3)),
            STOP,
            ("source.file: input should be a valid string",),
            "type",
        ),
        Acts(
            around.definition_with(lambda c: c.update(delivery={"in_flight": 0})),
            STOP,
            ("delivery.in_flight", "greater than or equal to 1"),
            "no-workers",
        ),
        Acts(
            around.definition_with(lambda c: c.update(delivery={"batch_size": 101})),
            STOP,
            ("delivery.batch_size", "less than or equal to 100"),
            "large-batch",
        ),
        Acts(
            around.definition_with(lambda c: c["destination"]["properties"].append(c["destination"]["properties"][0])),
            STOP,
            ("property firstname is defined twice",),
            "mapped-twice",
        ),
        Acts(
            around.definition_with(lambda c: c["source"]["columns"][1].update(name="x`; DROP TABLE ledger")),
            STOP,
            ("source.columns.1.name", "should match pattern"),
            "hostile-name",
        ),
        OnServers(systems.unknown_key_in_airflow, STOP, ("did you mean batch_size?",), "typo-in-airflow"),
    ),
    _case(
        107,
        "credential of Kaggle, AWS, HubSpot: missing, wrong, expired, with blanks, without a scope, refused in mid-run",
        InDag(
            systems.with_password("hubspot", ""),
            _PREFLIGHT,
            ("connection hubspot has no password",),
            label="no-hubspot",
        ),
        InDag(
            systems.with_password("hubspot", systems.WRONG_SECRET),
            _PREFLIGHT,
            ("401", "token of connection hubspot"),
            label="wrong-hubspot",
        ),
        InDag(
            systems.with_password("hubspot", "pat-sim-expired"),
            _PREFLIGHT,
            ("token of connection hubspot", "has expired"),
            label="expired-hubspot",
        ),
        InDag(
            systems.with_password("hubspot", "pat-sim full-access"),
            _PREFLIGHT,
            ("token of connection hubspot has white space", "paste the service key again"),
            label="blank-inside-hubspot",
        ),
        InDag(
            systems.with_password("kaggle", systems.WRONG_SECRET),
            "land",
            ("kaggle answered 401", "connection kaggle", "put a valid token"),
            label="wrong-kaggle",
        ),
        InDag(
            systems.kaggle_fault("json401"),
            "land",
            ("kaggle answered 401", "connection kaggle"),
            label="replaced-kaggle",
        ),
        InDag(
            systems.kaggle_fault("json403"),
            "land",
            ("kaggle answered 403", "connection kaggle"),
            label="no-access-kaggle",
        ),
        OnServers(systems.missing_aws_credentials, STOP, ("connection aws", "no credentials", "put them into")),
        OnServers(systems.wrong_aws_key, STOP, ("connection aws", "the access key is unknown"), "wrong-aws-key"),
        OnServers(systems.wrong_aws_secret, STOP, ("connection aws", "the secret key is wrong"), "wrong-aws-secret"),
        OnServers(systems.expired_aws_token, STOP, ("connection aws", "has expired", "renew it"), "expired-aws"),
        InDag(
            systems.with_blank_around("aws"),
            "land",
            ("connection aws", "begins or ends with a blank"),
            label="blank-aws",
        ),
        InDag(
            systems.properties_missing,
            _PREFLIGHT,
            ("baby_name_key", "crm.schemas.contacts.write", "extend the token"),
            label="no-scope",
        ),
        OnServers(systems.token_expires_midway, STOP, ("token of connection hubspot",), is_first_run=True),
        remark="blanks around a token of HubSpot or Kaggle are taken off",
    ),
    _case(
        108,
        "HubSpot property: missing, of another type, read-only, without an option, over the limit, key not unique",
        InDag(
            systems.properties_missing,
            _PREFLIGHT,
            ("baby_name_key", "are missing", "create them in HubSpot or extend the token"),
            label="missing",
        ),
        InDag(
            systems.with_property("total_births"),
            _PREFLIGHT,
            ("property total_births is of type string in hubspot, not number", "change the type"),
            label="type",
        ),
        InDag(
            systems.read_only_property,
            _PREFLIGHT,
            ("property hs_object_id is read-only in hubspot", "map another property"),
        ),
        InDag(
            systems.with_property(
                "baby_sex", type="enumeration", fieldType="select", options=[{"label": "F", "value": "F"}]
            ),
            _PREFLIGHT,
            ("property baby_sex lacks the option M in hubspot", "add it there"),
            label="option",
        ),
        InDag(
            systems.property_limit_reached, _PREFLIGHT, ("property", "cannot be created", "maximum number", "make room")
        ),
        InDag(
            systems.with_property("baby_name_key"),
            _PREFLIGHT,
            ("property baby_name_key exists in hubspot without unique values", "choose another key_property"),
            label="not-unique",
        ),
        OnServers(systems.option_removed_midway, QUARANTINE, (FILE, "line 2", "INVALID_OPTION"), is_first_run=True),
        remark="a missing property is created when the token may; in mid-run only the refused record is rejected",
    ),
    _case(
        109,
        "contact limit reached, portal suspended, marketing limit",
        InDag(
            systems.contact_limit_reached,
            "compute_delta",
            ("200 new contacts do not fit", "of 50", "nothing was sent", "make room"),
        ),
        InDag(systems.portal_suspended, _PREFLIGHT, ("connection hubspot", "check the key's permissions")),
        OnServers(
            systems.suspended_midway, STOP, ("connection hubspot", "check the key's permissions"), is_first_run=True
        ),
        OnServers(systems.limit_reached_midway, STOP, ("LIMIT_EXCEEDED", "compare the property"), is_first_run=True),
        remark="open rows stay open, and the next run sends them",
    ),
    _case(
        110,
        "MySQL: character set, collation, sql_mode, packet size, local_infile, time zone tables, version, MariaDB",
        OnServers(
            mysql.table_with("snapshot", "latin1", "latin1_swedish_ci"),
            STOP,
            ("connection mysql", "snapshot must have utf8mb4_bin", "ALTER TABLE"),
            "latin1",
        ),
        OnServers(
            mysql.table_with("ledger", "utf8mb4", "utf8mb4_general_ci"),
            STOP,
            ("connection mysql", "ledger must have utf8mb4_bin", "ALTER TABLE"),
            "collation-ci",
        ),
        OnServers(mysql.lax_server, ACCEPT, ("STRICT_TRANS_TABLES",)),
        OnServers(
            mysql.server_with(max_packet_bytes=65_536),
            STOP,
            ("max_allowed_packet is 65536 bytes", "set at least"),
            "packet",
        ),
        OnServers(
            mysql.server_with(local_infile=0), STOP, ("local_infile is off", "set local_infile=ON"), "local-infile"
        ),
        OnServers(mysql.no_time_zone_tables, ACCEPT, ("session time zone +00:00",)),
        OnServers(mysql.server_with(version="5.7.44"), STOP, ("mysql 5.7.44 is too old", "use 8.0 or newer"), "old"),
        OnServers(
            mysql.server_with(version="5.7.44", local_infile=0, is_read_only=1),
            STOP,
            ("too old", "local_infile is off", "the server is read-only"),
            "everything-at-once",
        ),
        OnServers(mysql.server_with(version="10.11.6-MariaDB"), ACCEPT, ("nothing wrong",), "mariadb"),
        remark="sql_mode and time zone are set by every session, so the server's own do not matter",
    ),
    _case(
        111,
        "MySQL: read-only, failover, deadlock, gone away, disk full",
        OnServers(mysql.server_with(is_read_only=1), STOP, ("read-only", "connect to the writer"), "replica"),
        OnServers(mysql.server_error(1290), RETRY, ("mysql is not available (1290)", "check"), "read-only"),
        OnServers(mysql.failover, RETRY, ("answered 1",)),
        OnServers(mysql.deadlock, RETRY, ("done at attempt 2",)),
        OnServers(mysql.gone_away, RETRY, ("done at attempt 2",)),
        OnServers(mysql.server_error(1114), RETRY, ("no room left (1114)", "free space"), "table-full"),
        OnServers(mysql.server_error(1021), RETRY, ("no room left (1021)", "free space"), "disk-full"),
        remark="with the last try of the task the run fails",
    ),
    _case(
        112,
        "Airflow: pool or connection missing, metadata database down, unfit provider",
        OnServers(systems.pool_missing, STOP, ("non-existent pools", "hubspot_api")),
        InDag(
            systems.without_connection("hubspot"),
            _PREFLIGHT,
            ("`hubspot`", "create the connection"),
            label="no-hubspot",
        ),
        InDag(systems.without_connection("mysql"), _PREFLIGHT, ("`mysql`", "create the connection"), label="no-mysql"),
        InDag(systems.without_connection("kaggle"), "land", ("`kaggle`", "create the connection"), label="no-kaggle"),
        OnServers(systems.metadata_database_down, STOP, ("unable to open database file",)),
        Acts(
            around.unfit_provider,
            STOP,
            ("apache-airflow-providers-mysql 5.7.0 is not >=6.7,<7", "install requirements.lock"),
        ),
        remark="Airflow itself reports a missing pool, as a warning of the DAG, and its database",
    ),
)

CASES: tuple[Case, ...] = (*_FILE_AND_TRANSPORT, *_ENCODING, *_STRUCTURE, *_VALUES, *_SYSTEMS)
"""All cases, by number."""


def examples_of(*kinds: type) -> dict[str, Example]:
    """Return the examples of these kinds by a readable id, which begins with the number of the case."""
    return {
        f"{case.number:03d}-{example.name}": example
        for case in CASES
        for example in case.examples
        if isinstance(example, kinds)
    }


def stored_rows(example: Reads) -> tuple[str, ...]:
    """Return what has to stand in the clean file, the good row included."""
    return (STORED, *example.stored)
