"""Findings of all tools in one form, and the reasons for which some of them stay."""

import tomllib
from collections.abc import Iterable
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

#: The one list of reasons.
REASONS = Path(__file__).with_name("reasons.toml")
#: What is linted. A pattern that begins with ``*/`` speaks of all of them.
ENVIRONMENTS = ("dev", "prod")


class ReasonsError(Exception):
    """The list of reasons is not usable."""


@dataclass(frozen=True)
class Finding:
    """One rule that one resource breaks.

    Attributes
    ----------
    rule
        ``tool:rule``, as in the list of reasons.
    where
        ``environment/stack/construct/…``, or the path of a workflow.
    text
        What the tool says.
    """

    rule: str
    where: str
    text: str

    @property
    def tool(self) -> str:
        """The tool that found it."""
        return self.rule.partition(":")[0]


@dataclass(frozen=True)
class Reason:
    """Why findings of one rule stay in the places that a pattern names."""

    rule: str
    where: str
    why: str

    @property
    def tool(self) -> str:
        """The tool that it speaks of."""
        return self.rule.partition(":")[0]

    def covers(self, finding: Finding) -> bool:
        """Return whether it is the reason of a finding."""
        return self.rule == finding.rule and fnmatchcase(finding.where, self.where)


def read_reasons(file: Path = REASONS) -> list[Reason]:
    """Read the list: one `Reason` for each rule and each place of an entry.

    Raises
    ------
    ReasonsError
        Naming the entry that lacks something, or has something else.
    """
    entries = tomllib.loads(file.read_text("utf-8")).get("stays", [])
    reasons = []
    for entry in entries:
        if set(entry) != {"rules", "where", "why"} or not all(entry.values()):
            raise ReasonsError(f"{file.name}: an entry needs rules, where and why, and nothing else: {entry}")
        reasons += [Reason(rule, where, entry["why"]) for rule in entry["rules"] for where in entry["where"]]
    return reasons


def unreasoned(findings: Iterable[Finding], reasons: Iterable[Reason]) -> list[Finding]:
    """Return the findings that no reason covers."""
    given = list(reasons)
    return [finding for finding in findings if not any(reason.covers(finding) for reason in given)]


def outdated(findings: Iterable[Finding], reasons: Iterable[Reason], tools: Iterable[str]) -> list[str]:
    """Tell of each reason that speaks of more than `tools` have found."""
    found, ran, told = list(findings), set(tools), []
    for reason in reasons:
        if reason.tool not in ran:
            continue
        places = {finding.where.partition("/")[0] for finding in found if reason.covers(finding)}
        entry = f"{reason.rule} in {reason.where}"
        if not places:
            told.append(f"{entry}: nothing is found any more; remove it from the list of reasons")
        elif reason.where.startswith("*/") and (missing := set(ENVIRONMENTS) - places):
            told.append(
                f"{entry}: nothing is found in {', '.join(sorted(missing))}; name the environment in the pattern"
            )
    return told
