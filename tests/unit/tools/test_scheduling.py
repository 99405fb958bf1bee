"""Each process that runs tests begins with another layer, and none is left without work."""

from collections import OrderedDict

import pytest

from tests.support.scheduling import PLATFORM, ByLayer

INFRA, UNIT = "tests/infra/test_cost.py", "tests/unit/contracts/test_mix.py"
LIFECYCLE, GROWS = "tests/local/test_lifecycle.py", "tests/local/test_the_contract_grows.py"
SHARED = ("tests/local/test_platform.py", "tests/local/test_platform_alarms.py")
YEAR, PIPELINE = "tests/spark/test_year.py", "tests/spark/test_pipeline.py"
FILES = (INFRA, LIFECYCLE, *SHARED, GROWS, YEAR, PIPELINE, UNIT)


class Process:
    shutting_down = False

    def __init__(self):
        self.sent = []

    def send_runtest_some(self, indices):
        self.sent.append(indices)


@pytest.fixture
def scheduled():
    scheduler, processes = ByLayer.__new__(ByLayer), [Process() for _ in range(3)]
    collection = [f"{file}::test_{number}" for file in FILES for number in (1, 2)]
    scheduler.workqueue = OrderedDict()
    for test in collection:
        scheduler.workqueue.setdefault(scheduler._split_scope(test), {})[test] = False
    scheduler.assigned_work = {process: {} for process in processes}
    scheduler.registered_collections = dict.fromkeys(processes, collection)
    return scheduler, processes


def taken(scheduler, process):
    scheduler._assign_work_unit(process)
    return list(scheduler.assigned_work[process])[-1]


@pytest.mark.parametrize(
    ("number", "expected"),
    [
        (0, [PLATFORM, LIFECYCLE, GROWS, INFRA, UNIT, YEAR, PIPELINE]),
        (1, [YEAR, PIPELINE, INFRA, UNIT, LIFECYCLE, GROWS, PLATFORM]),
        (2, [LIFECYCLE, GROWS, INFRA, UNIT, YEAR, PIPELINE, PLATFORM]),
    ],
)
def test_a_process_takes_its_own_layer_first_and_then_those_of_the_others(scheduled, number, expected):
    scheduler, processes = scheduled
    assert [taken(scheduler, processes[number]) for _ in expected] == expected
    assert not scheduler.workqueue


def test_tests_of_the_shared_platform_stay_together_in_their_order(scheduled):
    scheduler, (process, *_) = scheduled
    assert taken(scheduler, process) == PLATFORM
    assert process.sent == [[4, 5, 6, 7]]
