"""The comment with ``cdk diff``: one for each environment, in its place, and never too long."""

import json
import re
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from tools import pull_request_comment as comment


@pytest.fixture
def github():
    """Serve comments as GitHub does, two a page."""
    comments, calls = [], []

    class Handler(BaseHTTPRequestHandler):
        def _answer(self, value):
            text = json.dumps(value).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        def do_GET(self):
            page = int(re.search(r"&page=(\d+)", self.path)[1])
            self._answer(comments[2 * page - 2 : 2 * page])

        def _change(self):
            assert self.headers["Authorization"] == "Bearer secret"
            sent = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            calls.append((self.command, self.path))
            if self.command == "POST":
                add(sent["body"])
            else:
                comments[int(self.path.rpartition("/")[2])]["body"] = sent["body"]
            self._answer({})

        do_POST = do_PATCH = _change

        def log_message(self, *arguments):
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    server.comments, server.calls = comments, calls
    server.url = f"http://127.0.0.1:{server.server_port}"

    def add(body, author=comment.AUTHOR):
        comments.append({"body": body, "user": {"login": author}, "url": f"{server.url}/comments/{len(comments)}"})

    server.add = add
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


def test_a_second_push_writes_into_the_same_comment(github):
    for author in ("a", "b", "c"):
        github.add("hello", author)
    comments = comment.Comments(f"{github.url}/issues/7", "secret")
    comments.put("dev", comment.body("dev", "first", "1"))
    comments.put("prod", comment.body("prod", "other", "1"))
    comments.put("dev", comment.body("dev", "second", "2"))
    assert github.calls == [("POST", "/issues/7/comments")] * 2 + [("PATCH", "/comments/3")]
    assert "second" in github.comments[3]["body"] and "first" not in github.comments[3]["body"]
    assert "other" in github.comments[4]["body"] and len(github.comments) == 5


def test_a_comment_of_somebody_else_is_left_alone(github):
    github.add(comment.marker("dev") + " mine", "somebody")
    comment.Comments(f"{github.url}/issues/7", "secret").put("dev", "text")
    assert [c["body"] for c in github.comments] == [comment.marker("dev") + " mine", "text"]


def test_the_command_comments_with_what_the_actions_set(github, monkeypatch, tmp_path):
    file = tmp_path / "diff.txt"
    file.write_text("Stack a\n✨  Number of stacks with differences: 1\n")
    given = {"GITHUB_API_URL": github.url, "GITHUB_REPOSITORY": "o/n", "PULL_REQUEST": "7", "GITHUB_TOKEN": "secret"}
    for name, value in {**given, "GITHUB_SHA": "0123456789abcdef"}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr("sys.argv", ["", "prod", str(file)])
    comment.main()
    (written,) = github.comments
    assert written["body"].startswith(comment.marker("prod")) and github.calls == [
        ("POST", "/repos/o/n/issues/7/comments")
    ]
    assert "**prod**, as 0123456789ab would change it. Number of stacks with differences: 1" in written["body"]


def test_without_github_nothing_is_commented(monkeypatch):
    monkeypatch.delenv("GITHUB_TOKEN", raising=False)
    monkeypatch.setattr("sys.argv", ["", "dev", "build/diff-dev.txt"])
    with pytest.raises(SystemExit, match=r"GITHUB_TOKEN not set.*build/diff-dev\.txt has the diff"):
        comment.main()


def test_a_refusal_of_github_is_told_without_the_token(monkeypatch, tmp_path):
    (tmp_path / "diff.txt").write_text("diff")
    given = {"GITHUB_API_URL": "http://127.0.0.1:1", "GITHUB_REPOSITORY": "o/n"}
    for name, value in {**given, "PULL_REQUEST": "7", "GITHUB_TOKEN": "secret"}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr("sys.argv", ["", "dev", str(tmp_path / "diff.txt")])
    with pytest.raises(SystemExit, match=r"The comment is not written.*diff\.txt has the diff") as ended:
        comment.main()
    assert "secret" not in str(ended.value)


def test_a_long_diff_is_cut_off_and_says_so():
    text = comment.body("dev", "x" * 200_000, "1")
    assert len(text) < 65_536 and "Cut off: 200,000 characters" in text
    assert "Cut off" not in comment.body("dev", "x" * 100, "1")


def test_a_diff_cannot_end_its_own_block():
    text = comment.body("dev", "a\n```\n<script>\n````\nb", "1")
    assert text.count("\n`````") == 2
