"""Which of the processes that run the tests runs which of them."""

from xdist.scheduler import LoadScopeScheduling
from xdist.workermanage import WorkerController

#: The tests of one platform, which go on where the ones before have stopped; those that have one for themselves.
PLATFORM, ALONE, SPARK, OTHER = "tests/local/platform", "alone", "spark", "other"
_ALONE = ("tests/local/test_lifecycle.py", "tests/local/test_the_contract_grows.py")
#: The layers that a process takes, in order: tests that wait for a platform run beside tests that compute, what takes longest begins
#: first, and as long as it can be helped, one process starts Spark, and one the CDK.
_IN_ORDER = (
    (PLATFORM, ALONE, OTHER, SPARK),
    (SPARK, OTHER, ALONE, PLATFORM),
    (ALONE, OTHER, SPARK, PLATFORM),
)


class ByLayer(LoadScopeScheduling):
    """Tests of a file stay together, those of the shared platform too, in their order; each process begins with another layer."""

    def _split_scope(self, nodeid: str) -> str:
        file = nodeid.partition("::")[0]
        return PLATFORM if file.startswith("tests/local/") and file not in _ALONE else file

    def _assign_work_unit(self, node: WorkerController) -> None:
        layers = _IN_ORDER[self.nodes.index(node) % len(_IN_ORDER)]
        self.workqueue.move_to_end(min(self.workqueue, key=lambda scope: layers.index(_layer(scope))), last=False)
        super()._assign_work_unit(node)


def _layer(scope: str) -> str:
    if scope == PLATFORM:
        return PLATFORM
    if scope in _ALONE:
        return ALONE
    return SPARK if scope.startswith("tests/spark/") else OTHER
