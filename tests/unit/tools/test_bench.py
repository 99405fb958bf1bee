"""What the benchmarks say of what they measured."""

import json

import pytest

from bench import __main__ as command
from bench import report as module
from bench.figures import Figure
from bench.report import Report


def figure(*ratios, work="first rows", rows=10, baseline=2.0):
    return Figure("load", work, r"psql \copy", rows, tuple((ratio * baseline, baseline) for ratio in ratios), 120.0)


def report(*figures):
    return Report("2026-11-27", "2 cores", figures)


def test_a_figure_is_the_median_of_its_pairs_and_its_noise_half_their_range():
    found = figure(1.0, 1.6, 1.2)
    assert (found.ratio, found.seconds, found.baseline_seconds) == (1.2, 2.4, 2.0)
    assert found.noise == pytest.approx(0.3)
    assert figure(2.0).noise == pytest.approx(0.1), "one pair alone is not exact"


@pytest.mark.parametrize(
    ("now", "is_worse"),
    [
        (figure(1.3, 1.4), True),
        (figure(1.05, 1.15), False),  # within the noise of both
        (figure(1.0, 2.4), False),  # too noisy to tell
        (figure(0.5, 0.6), False),
        (figure(1.3, 1.4, rows=20), False),  # another size
        (figure(1.3, 1.4, work="other"), False),
    ],
)
def test_what_got_worse_by_more_than_its_noise_is_said(now, is_worse):
    said = report(now).worse_than(report(figure(1.0, 1.1)))
    assert bool(said) == is_worse
    if is_worse:
        assert said == [r"load: first rows / psql \copy, 10 rows: ratio 1.35 ± 0.07, reviewed was 1.05 ± 0.05"]


def test_a_report_is_written_and_read_again(tmp_path):
    written = report(figure(1.0, 1.1), figure(8.0, 9.0, work="100 further rows", rows=1_000_000))
    written.write(tmp_path)
    assert Report.read(tmp_path / "figures.json") == written
    page = (tmp_path / "report.md").read_text()
    assert (
        r"| load | 100 further rows | 1,000,000 | 17.00 s | psql \copy | 2.00 s | **8.50** | 8.00–9.00 | 120 MiB |"
        in page
    )
    assert "{" not in page, "nothing is left to be filled in"
    for name in ("light", "dark"):
        drawn = (tmp_path / f"performance-{name}.svg").read_text()
        assert drawn.startswith("<svg") and "1.05" in drawn and "100 further rows (1 million rows)" in drawn


def test_bench_fails_only_when_it_is_to_compare_and_something_got_worse(tmp_path, monkeypatch, capsys):
    reviewed = tmp_path / "reviewed.json"
    reviewed.write_text(report(figure(1.0, 1.1)).to_json())
    monkeypatch.setattr(command, "REVIEWED", reviewed)
    monkeypatch.setattr(command, "ROOT", tmp_path)
    monkeypatch.setattr(command, "BUILT", tmp_path / "build")
    monkeypatch.setattr(command, "_measured", lambda rows, rounds, dlt, console: [figure(1.3, 1.4, rows=rows)])
    monkeypatch.setattr("sys.argv", ["bench", "--rows", "10"])
    command.main()
    monkeypatch.setattr("sys.argv", ["bench", "--rows", "10", "--compare"])
    with pytest.raises(SystemExit) as ended:
        command.main()
    assert ended.value.code == 1
    assert "worse: load: first rows" in capsys.readouterr().err
    monkeypatch.setattr("sys.argv", ["bench", "--rows", "20", "--compare"])
    with pytest.raises(SystemExit) as ended:
        command.main()
    assert ended.value.code == 0


def test_the_page_in_docs_shows_the_reviewed_figures():
    reviewed = Report.read(module.REVIEWED)
    assert module.PAGE.read_text("utf-8") == reviewed.page("images")
    assert {f.stage for f in reviewed.figures} == {"extract", "transform", "load", "end to end"}
    assert len(json.loads(module.REVIEWED.read_text())["figures"]) == len(reviewed.figures)
