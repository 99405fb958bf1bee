"""Lints the templates of dev and prod, and the workflows: ``make lint-infra``."""

import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path

from tools.lint_infra import linters
from tools.lint_infra.findings import ENVIRONMENTS, REASONS, Finding, ReasonsError, outdated, read_reasons, unreasoned
from tools.lint_infra.synthesis import ROOT, read_templates

#: Every tool, in the order of the table.
TOOLS = ("cfn-lint", "asl", "AwsSolutions", "NIST.800.53.R5", "checkov", "zizmor")


def main() -> None:
    """Print a table of what is found, and what to do about findings without a reason."""
    try:
        reasons = read_reasons()
        with tempfile.TemporaryDirectory() as scratch:
            assemblies = _synthesised(Path(scratch))
            templates = [t for name, directory in assemblies.items() for t in read_templates(name, directory)]
            findings = [
                *linters.cfn_lint(templates),
                *linters.asl(templates),
                *(f for name, directory in assemblies.items() for f in linters.nag(name, directory)),
                *linters.checkov(templates),
                *linters.zizmor(ROOT / ".github"),
            ]
            known = Counter({"AwsSolutions": sum(map(linters.acknowledged, assemblies.values()))})
    except (ReasonsError, linters.LinterError) as error:
        sys.exit(f"The templates are not linted. {error}")
    left, old = unreasoned(findings, reasons), outdated(findings, reasons, TOOLS)
    print(table(findings, left, known))
    for finding in left:
        print(f"\n{finding.rule}\n  {finding.where}\n  {finding.text}")
    for line in old:
        print(f"\n{line}")
    if left or old:
        sys.exit(f"\nMend what is found, or say in {REASONS.relative_to(ROOT)} why it stays.")


def table(findings: list[Finding], left: list[Finding], known: Counter[str]) -> str:
    """Return the counts by tool.

    Parameters
    ----------
    findings, left
        All, and those without a reason.
    known
        Findings by tool that the code itself acknowledges.
    """
    found, open_ = Counter(f.tool for f in findings), Counter(f.tool for f in left)
    counts = {tool: (found[tool] + known[tool], open_[tool]) for tool in dict.fromkeys((*TOOLS, *found))}
    counts["all"] = (found.total() + known.total(), open_.total())
    head = f"{'tool':16}{'findings':>10}{'reasoned':>10}{'unreasoned':>12}"
    lines = (f"{tool:16}{each:>10}{each - rest:>10}{rest:>12}" for tool, (each, rest) in counts.items())
    return "\n".join((head, *lines))


def _synthesised(scratch: Path) -> dict[str, Path]:
    """Synthesise all environments beside each other, each in a process of its own; what they print is only read on failure."""
    assemblies, running = {name: scratch / name for name in ENVIRONMENTS}, {}
    for name, directory in assemblies.items():
        with (scratch / f"{name}.log").open("w") as log:
            running[name] = subprocess.Popen(
                [sys.executable, "-m", "tools.lint_infra.synthesis", name, str(directory)],
                cwd=ROOT,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
    failed = [name for name, process in running.items() if process.wait()]
    if failed:
        ends = ((scratch / f"{name}.log").read_text("utf-8")[-2000:] for name in failed)
        raise linters.LinterError(f"{' and '.join(failed)} cannot be synthesised:\n" + "\n".join(ends))
    return assemblies


if __name__ == "__main__":
    main()
