"""The names of what was normalised in a file and of why a line was refused."""

from __future__ import annotations

import enum


class Note(enum.StrEnum):
    """Something unusual that was put right and counted; the file is still good."""

    BOM = "bom"
    UTF16 = "utf16"
    CRLF = "crlf_line_ends"
    CR = "cr_line_ends"
    NO_FINAL_NEWLINE = "no_final_newline"
    BLANK_LINES = "blank_lines"
    HEADER_REORDERED = "header_reordered"
    HEADER_SPELLING = "header_spelling"
    EXTRA_COLUMNS = "extra_columns"
    TRIMMED = "trimmed"
    NFC = "nfc"
    INTEGER_FORM = "integer_form"
    CHOICE_MAPPED = "choice_mapped"
    DUPLICATE_ROWS = "duplicate_rows_dropped"


class Reason(enum.StrEnum):
    """Why a line is quarantined; the stable code in `rejected_record.reason`."""

    NOT_UTF8 = "not_utf8"
    CONTROL_CHARACTER = "control_character"
    INVISIBLE_CHARACTER = "invisible_character"
    BIDI_CONTROL = "bidi_control"
    EMPTY = "empty"
    NOT_AN_INTEGER = "not_an_integer"
    OUT_OF_RANGE = "out_of_range"
    TOO_LONG = "too_long"
    HAS_DIGIT = "has_digit"
    FORMULA_START = "formula_start"
    NOT_A_CHOICE = "not_a_choice"
    SHORT_ROW = "short_row"
    LONG_ROW = "long_row"
    COMMENT = "comment"
    REPEATED_HEADER = "repeated_header"
    FIELD_TOO_LARGE = "field_too_large"
    STRAY_QUOTE = "stray_quote"
    KEY_TOO_LONG = "key_too_long"
    DUPLICATE_KEY = "duplicate_key"
    KEY_COLLISION = "key_collision"
