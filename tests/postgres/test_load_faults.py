"""Loads that are killed, cut off, refused or repeated at any statement, and many at once.

``FAULT_STRIDE`` says at every how many statements a fault strikes; ``make load-faults`` strikes at each.
"""

import os
import signal
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import pytest

from lambdas.errors import PlatformError
from lambdas.load.warehouse import gateway
from tests.support.faults import Refused, at_statement, cut, kill, read_files_directly, refuse
from tests.support.lake import FakeLake
from tests.support.publications import FOREIGN_KEYS, dump, empty, publish_some


@pytest.fixture
def published(pipeline, monkeypatch):
    monkeypatch.setattr("tenacity.nap.time.sleep", lambda _: None)
    read_files_directly(pipeline, monkeypatch)
    lake = FakeLake(pipeline)
    publish_some(lake)
    monkeypatch.setattr(gateway, "SET_ROWS", 2)  # so that faults strike while foreign keys are off, too
    pipeline.load()
    return _found(pipeline)


def _found(pipeline):
    """What the warehouse holds, and its foreign keys."""
    return dump(pipeline.warehouse_url), pipeline.warehouse(FOREIGN_KEYS)


def _numbers(pipeline, monkeypatch):
    """The exchanges with the server of a load of everything at which a fault strikes: all of them, or every so many."""
    empty(pipeline.warehouse_url)
    with at_statement(monkeypatch, 0, refuse, after=False) as seen:
        pipeline.load()
    assert len(seen) > 80
    return range(1, len(seen) + 1, int(os.environ.get("FAULT_STRIDE", "12")))


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("fault", [cut, refuse], ids=["cut", "refused"])
def test_g3_a_fault_at_any_statement_leaves_what_the_next_load_completes(
    pipeline, monkeypatch, published, fault, after
):
    numbers = _numbers(pipeline, monkeypatch)
    fired = 0
    for number in numbers:
        empty(pipeline.warehouse_url)
        with at_statement(monkeypatch, number, fault, after=after) as seen, suppress(PlatformError, Refused):
            pipeline.load()
        fired += len(seen) >= number
        pipeline.load()
        assert _found(pipeline) == published, number
    assert fired == len(numbers)


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_g3_a_load_killed_at_any_statement_leaves_what_the_next_load_completes(pipeline, monkeypatch, published, after):
    numbers = _numbers(pipeline, monkeypatch)
    killed = 0
    for number in numbers:
        empty(pipeline.warehouse_url)
        child = os.fork()
        if not child:
            with at_statement(monkeypatch, number, kill, after=after):
                pipeline.load()
            os._exit(0)
        killed += os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL
        pipeline.load()
        assert _found(pipeline) == published, number
    assert killed == len(numbers)


def test_g2_twenty_loads_at_once_load_each_publication_once_and_in_order(pipeline, published):
    empty(pipeline.warehouse_url)
    with ThreadPoolExecutor(20) as pool:
        outcomes = [future.result() for future in [pool.submit(pipeline.load) for _ in range(20)]]
    assert sorted(batch for outcome in outcomes for batch in outcome["loaded"]) == [1, 2, 3]
    assert _found(pipeline) == published
    assert pipeline.warehouse("select batch from etl.batch order by loaded_at") == [(1,), (2,), (3,)]
