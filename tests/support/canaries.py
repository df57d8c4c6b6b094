"""Look for secrets in whatever a program writes, in every form in which a person could read them.

It shares nothing with the product's own redaction: a form that both forget would hide itself.
"""

from __future__ import annotations

import base64
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote


@dataclass(frozen=True, slots=True)
class Leak:
    """A secret that can be read somewhere."""

    secret: str
    """Its name, not its value."""
    form: str
    sink: str


def encodings(value: str) -> dict[str, bytes]:
    """Return what to search for, by form."""
    content = value.encode()
    shifted = {}
    for shift in range(3):
        whole = base64.b64encode(b" " * shift + content).decode()
        # what is left depends on no byte in front of the secret or behind it
        shifted[f"base64_{shift}"] = whole[(shift * 8 + 5) // 6 : (shift + len(content)) * 8 // 6].encode()
    return {
        "raw": content,
        "quoted": quote(value, safe="").encode(),
        "hex": content.hex().encode(),
        "reversed": content[::-1],
        **shifted,
    }


def find_leaks(secrets: Mapping[str, str], sinks: Iterable[tuple[str, bytes]]) -> set[Leak]:
    """Return every secret that can be read in a sink."""
    wanted = [(name, form, text) for name, value in secrets.items() for form, text in encodings(value).items()]
    return {Leak(name, form, sink) for sink, content in sinks for name, form, text in wanted if text in content}


def files_below(folder: Path, sink: str) -> Iterator[tuple[str, bytes]]:
    """Yield every file below a folder."""
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            yield f"{sink}/{path.relative_to(folder)}", path.read_bytes()
