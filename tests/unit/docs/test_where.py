"""What the documents point to is there: places in the code that docs/where.md names, and files that links lead to."""

import ast
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path

import pytest

from local.home import ROOT

INDEX = (ROOT / "docs" / "where.md").read_text("utf-8")
DOCUMENTS = sorted(
    [*(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")), *(ROOT / "docs").rglob("*.md")]
)
#: What is asked first, in this order: a word of each question.
FIRST = (
    *("new version", "deletion", "bad date", "horizon", "schedule", "manifest", "race", "compacted", "current"),
    "read of a table",
)


def targets(text: str) -> list[str]:
    """Return every place in the code that a text names: ``path/to/file.py:Name``, in backticks."""
    return re.findall(r"`([^`\s]+\.py:[^`\s]*)`", text)


def entries(text: str) -> dict[str, str]:
    """Return, for each question of the index's tables, the cell with the places that decide it."""
    rows = [[cell.strip() for cell in line.strip("| ").split(" | ")] for line in text.splitlines() if line[:2] == "| "]
    asked = [row[0] for row in rows if row[0] != "question"]
    assert not (twice := [question for question, count in Counter(asked).items() if count > 1]), twice
    return {row[0]: row[1] for row in rows if row[0] != "question"}


def problem(target: str) -> str:
    """Return why a place is not there, or ""."""
    path, _, name = target.partition(":")
    if not (ROOT / path).is_file():
        return f"there is no file {path}"
    return "" if name in names(ROOT / path) else f"{path} has no {name}"


@cache
def names(file: Path) -> frozenset[str]:
    """Return the functions, classes and constants of a module, and what its classes have, as ``Class.name``."""
    return frozenset(_names(ast.parse(file.read_text("utf-8")).body))


def _names(body: Iterable[ast.stmt], prefix: str = "") -> Iterator[str]:
    for node in body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield prefix + node.name
        if isinstance(node, ast.ClassDef):
            yield from _names(node.body, f"{prefix}{node.name}.")
        if isinstance(node, ast.Assign | ast.AnnAssign):
            for target in node.targets if isinstance(node, ast.Assign) else [node.target]:
                yield from (prefix + item.id for item in ast.walk(target) if isinstance(item, ast.Name))


def broken_links(text: str, directory: Path) -> list[str]:
    """Return the relative links of a Markdown text in `directory` that lead to no file of the repository."""
    prose = re.sub(r"^```.*?^```|`[^`\n]*`", "", text, flags=re.DOTALL | re.MULTILINE)
    links = re.findall(r"\]\(<?([^)\s>]+)>?[^)]*\)", prose) + re.findall(r"^\[[^\]]+\]:\s*(\S+)", prose, re.MULTILINE)
    relative = [link for link in links if not re.match(r"[a-z]+:|#", link)]
    return [link for link in relative if not _leads_to_a_file((directory / link.partition("#")[0]).resolve())]


def _leads_to_a_file(path: Path) -> bool:
    return path.exists() and path.is_relative_to(ROOT)


@pytest.mark.parametrize("question", entries(INDEX))
def test_every_question_is_decided_in_a_place_that_is_there(question):
    decided = entries(INDEX)[question]
    assert targets(decided), f"no place is named: {decided}"
    assert [text for target in targets(decided) if (text := problem(target))] == []


def test_every_other_place_that_the_index_names_is_there():
    assert [text for target in targets(INDEX) if (text := problem(target))] == []


def test_the_index_answers_thirty_questions_and_first_those_that_are_asked_first():
    questions = [*entries(INDEX)]
    assert len(questions) >= 30
    assert [word for word, question in zip(FIRST, questions, strict=False) if word not in question] == []
    assert all(question.endswith("?") for question in questions)


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        ("contracts/checksum.py:mix", ""),
        ("contracts/checksum.py:_POSITIVE", ""),
        ("contracts/tables/table.py:Kind.FACT", ""),
        ("contracts/tables/table.py:StarTable.partitioning", ""),
        ("contracts/checksums.py:mix", "there is no file contracts/checksums.py"),
        ("contracts/checksum.py:mixed", "contracts/checksum.py has no mixed"),
        ("contracts/checksum.py:key", "contracts/checksum.py has no key"),  # a parameter decides nothing
        ("contracts/checksum.py:", "contracts/checksum.py has no "),
        ("contracts/tables/table.py:Table.names", "contracts/tables/table.py has no Table.names"),
        ("contracts/tables/table.py:column", "contracts/tables/table.py has no column"),  # a method of a class
    ],
)
def test_a_place_that_is_gone_is_found(target, expected):
    assert problem(target) == expected


def test_a_question_that_is_asked_twice_is_found():
    row = "| Why? | `contracts/checksum.py:mix` | so |\n"
    assert entries(row) == {"Why?": "`contracts/checksum.py:mix`"}
    with pytest.raises(AssertionError, match="Why"):
        entries(row + row)


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda file: str(file.relative_to(ROOT)))
def test_every_relative_link_leads_to_a_file(document):
    assert broken_links(document.read_text("utf-8"), document.parent) == []


def test_a_link_that_leads_nowhere_is_found():
    text = """[here](README.md) [part](README.md#two-commands) [web](https://example.com/a) [mail](mailto:a@example.com)
    [below](#below) `[code](gone.md)` [gone](docs/gone.md#x) ![picture](gone.png "title") [outside](../../etc/hosts)
```
[code](gone.md)
```
[named]: gone-too.md
"""
    found = broken_links(text, ROOT)
    assert found == ["docs/gone.md#x", "gone.png", "../../etc/hosts", "gone-too.md"]
