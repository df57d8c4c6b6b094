"""Blocks of Terraform files, read by their indentation: `terraform fmt` keeps it, and a test demands `fmt`."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

AWS = Path(__file__).parents[2] / "deploy" / "aws"


@dataclass(frozen=True, slots=True)
class Block:
    """One block: its words, e.g. `("resource", "aws_vpc", "this")`, and its lines, one level less indented."""

    words: tuple[str, ...]
    body: str
    path: Path

    @property
    def name(self) -> str:
        return f"{self.path.relative_to(AWS)}: {' '.join(self.words)}"

    def inner(self, word: str) -> list[Block]:
        """Return the blocks of this kind at any depth."""
        found = []
        for block in blocks_of(self.body, self.path):
            found += [block, *block.inner(word)] if block.words[0] == word else block.inner(word)
        return found

    def value(self, key: str) -> str | None:
        """Return what is assigned to a key of this block, lists with their lines."""
        found = re.search(rf"^{key}\s+= (\[\n.*?^\]|\{{\n.*?^\}}|[^\n]*)", self.body, re.MULTILINE | re.DOTALL)
        return found[1].strip() if found else None

    def texts(self, key: str) -> list[str]:
        """Return the items of a list without their quotes; expressions as they stand."""
        listed = (self.value(key) or "").strip("[]")
        return [item.strip().strip('"') for item in re.split(r",|\n", listed) if item.strip().strip('"')]


def blocks_of(text: str, path: Path) -> list[Block]:
    """Return the blocks at the outermost level of a text."""
    pattern = re.compile(r'^([a-z_]+(?: "[^"]+")*) \{\n(.*?)^\}', re.MULTILINE | re.DOTALL)
    return [
        Block(
            tuple(word.strip('"') for word in found[1].split()),
            re.sub(r"^  ", "", found[2], flags=re.MULTILINE),
            path,
        )
        for found in pattern.finditer(text)
    ]


def all_blocks(*words: str) -> list[Block]:
    """Return the blocks of all files whose words begin with these."""
    paths = (path for path in sorted(AWS.rglob("*.tf")) if ".terraform" not in path.parts)
    blocks = [block for path in paths for block in blocks_of(path.read_text(encoding="utf-8"), path)]
    return [block for block in blocks if block.words[: len(words)] == words]
