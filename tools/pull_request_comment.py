"""Shows ``cdk diff`` in a comment on a pull request, always the same one: ``make diff-comment``."""

import json
import os
import re
import sys
import urllib.request
from pathlib import Path
from typing import Any

#: GitHub takes comments of 65,536 characters.
LIMIT = 60_000
AUTHOR = "github-actions[bot]"


def marker(environment: str) -> str:
    """Return the invisible text by which the comment is found again."""
    return f"<!-- cdk diff {environment} -->"


def body(environment: str, diff: str, commit: str) -> str:
    """Return the comment.

    Parameters
    ----------
    environment
        What was compared.
    diff
        What ``cdk diff`` printed. Too much is cut off at the end.
    commit
        The commit that was compared.
    """
    text = diff.strip() or "Nothing was printed."
    note = f"\n\nCut off: {len(text):,} characters in all; the log of the job has them." if len(text) > LIMIT else ""
    text = text[:LIMIT]
    fence = "`" * max(3, *(len(run) + 1 for run in re.findall("`+", text)), 3)
    summary = next(
        (line for line in text.splitlines() if "Number of stacks with differences" in line), "cdk diff"
    ).strip("✨ ")
    return (
        f"{marker(environment)}\n**{environment}**, as {commit[:12]} would change it. {summary}\n\n"
        f"<details><summary>cdk diff</summary>\n\n{fence}diff\n{text}\n{fence}\n</details>{note}\n"
    )


class Comments:
    """The comments of one pull request.

    Parameters
    ----------
    issue
        URL of the pull request as an issue in GitHub's interface.
    token
        Of the job.
    """

    def __init__(self, issue: str, token: str) -> None:
        self._issue, self._token = issue, token

    def put(self, environment: str, text: str) -> None:
        """Write the comment of an environment: the first time a new one, afterwards in its place."""
        if (found := self._find(marker(environment))) is None:
            self._call("POST", f"{self._issue}/comments", {"body": text})
        else:
            self._call("PATCH", found, {"body": text})

    def _find(self, mark: str) -> str | None:
        page = 1
        while comments := self._call("GET", f"{self._issue}/comments?per_page=100&page={page}"):
            for comment in comments:
                if comment["body"].startswith(mark) and comment["user"]["login"] == AUTHOR:
                    return str(comment["url"])
            page += 1
        return None

    def _call(self, method: str, url: str, sent: dict[str, str] | None = None) -> Any:
        headers = {"Authorization": f"Bearer {self._token}", "Accept": "application/vnd.github+json"}
        data = json.dumps(sent).encode() if sent else None
        request = urllib.request.Request(url, data=data, headers=headers, method=method)  # noqa: S310
        with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310
            return json.load(answer)


def main() -> None:
    """Comment with a file: ``python -m tools.pull_request_comment dev build/diff-dev.txt``."""
    environment, file = sys.argv[1:]
    names = ("GITHUB_API_URL", "GITHUB_REPOSITORY", "PULL_REQUEST", "GITHUB_TOKEN")
    if missing := [name for name in names if not os.environ.get(name)]:
        sys.exit(f"Nothing is commented: {', '.join(missing)} not set. GitHub Actions sets them; {file} has the diff.")
    url, repository, number, token = (os.environ[name] for name in names)
    text = body(environment, Path(file).read_text("utf-8"), os.environ.get("GITHUB_SHA", "this commit"))
    try:
        Comments(f"{url}/repos/{repository}/issues/{number}", token).put(environment, text)
    except OSError as error:
        sys.exit(f"The comment is not written: GitHub answered {error}. {file} has the diff; run the job again.")


if __name__ == "__main__":
    main()
