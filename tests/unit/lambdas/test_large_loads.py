"""What is too large for the time that is left, how it is cut, and when an invocation stops."""

from dataclasses import replace

import pytest

from contracts.protocol.publication import EMPTY, DataFile
from lambdas.load import session, staged_load
from lambdas.load.session import Clock
from lambdas.load.staged_load import PIECE_ROWS, ROWS_A_SECOND, Outcome, StagedLoad, load_in_time
from tests.support.samples import publication


@pytest.fixture
def at(monkeypatch):
    """Set how many seconds have passed."""
    monkeypatch.setattr(session.time, "monotonic", lambda: 100.0)
    return lambda seconds: monkeypatch.setattr(session.time, "monotonic", lambda: 100.0 + seconds)


def test_something_new_is_begun_within_the_loads_own_seconds_and_with_a_reserve_of_the_functions(at):
    remaining = 900.0
    clock = Clock(lambda: remaining, 780)
    assert clock.left == 780 and clock.may_go_on()
    at(780)
    assert not clock.may_go_on()
    at(1)
    remaining = 60.0
    assert not clock.may_go_on()


def test_an_exchange_begins_while_a_fifth_of_the_time_is_gone_at_most(at):
    remaining = 900.0
    clock = Clock(lambda: remaining, 20)
    at(3.9)
    assert clock.may_exchange()
    at(4.1)
    assert not clock.may_exchange()
    at(0)
    remaining = 719.0
    assert not clock.may_exchange()


@pytest.mark.parametrize(
    ("groups", "done", "piece"),
    [
        ([PIECE_ROWS // 2] * 3, 0, [0, 1]),
        ([PIECE_ROWS // 2] * 3, 2, [2]),
        ([PIECE_ROWS * 3, 1], 0, [0]),
        ([PIECE_ROWS, 1, 1], 0, [0]),
        ([1, 1], 2, []),
        ([], 0, []),
    ],
)
def test_a_piece_is_whole_row_groups_one_at_least(groups, done, piece):
    assert staged_load._next_piece(groups, done) == piece


def test_what_fits_is_loaded_at_once_and_what_may_not_is_staged(at, monkeypatch):
    loaded = []
    monkeypatch.setattr(staged_load, "load_publication", lambda *a: loaded.append(1) or True)
    monkeypatch.setattr(StagedLoad, "__init__", lambda *a: None)
    monkeypatch.setattr(StagedLoad, "is_known", False, raising=False)
    monkeypatch.setattr(StagedLoad, "fill", lambda *a: False)
    tables = dict.fromkeys(publication(1).tables, EMPTY)

    def outcome(rows, history=0):
        staff = replace(EMPTY, inserted=rows - 1, updated=1, files=(DataFile("a", 1, 10**9),))
        kept = replace(EMPTY, files=(DataFile("b", 1, history),))
        published = publication(1, **{**tables, "dim_staff": staff, "dim_staff_history": kept})
        return load_in_time(None, None, published, Clock(lambda: 900, 780))

    assert outcome(ROWS_A_SECOND * 780) is Outcome.LOADED and loaded == [
        1
    ]  # other batches' rows in the file do not count
    assert outcome(ROWS_A_SECOND * 780 + 1) is Outcome.STAGED
    assert outcome(1, history=ROWS_A_SECOND * 780) is Outcome.STAGED  # of a history all rows count
