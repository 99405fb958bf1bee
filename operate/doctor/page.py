"""Writes the table of findings in docs/deploying.md: what doctor can find, and what to do then."""

import re
from pathlib import Path

from operate.doctor.finding import Level
from operate.doctor.kinds import Kind

PAGE = Path(__file__).parents[2] / "docs" / "deploying.md"
_BEGIN, _END = "<!-- written by `make doctor-table` -->", "<!-- end of what is written -->"


def render() -> str:
    """Return the table in Markdown, problems first."""
    rows = [f"| `{kind.name}` | {kind.level} | {kind.meaning} | {_plain(kind.remedy)} |" for kind in _ordered()]
    return "\n".join(["| finding | level | what it means | what to do |", "|---|---|---|---|", *rows])


def _ordered() -> list[Kind]:
    return sorted(Kind, key=lambda kind: kind.level is not Level.PROBLEM)


def _plain(remedy: str) -> str:
    """Show the names that are filled in as placeholders."""
    filled = re.sub(r"(?<!\{)\{(\w+)\}(?!\})", r"‹\1›", remedy)
    return filled.replace("{{", "{").replace("}}", "}").replace("<", "‹").replace(">", "›").replace("|", r"\|")


def main() -> None:
    """Write the table into the page."""
    page = PAGE.read_text("utf-8")
    before, _, rest = page.partition(_BEGIN)
    after = rest.partition(_END)[2]
    PAGE.write_text(f"{before}{_BEGIN}\n{render()}\n{_END}{after}", "utf-8")


if __name__ == "__main__":
    main()
