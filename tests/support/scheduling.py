"""Which of the processes that run the tests runs which of them."""

from xdist.scheduler import LoadScopeScheduling
from xdist.workermanage import WorkerController

LOCAL, SPARK, OTHER = "local", "spark", "other"
#: The layers that a process takes, in order: tests that wait for a platform run beside tests that compute, and as long as it can be
#: helped, one process starts Spark, and one the CDK.
_IN_ORDER = ((LOCAL, OTHER, SPARK), (SPARK, OTHER, LOCAL), (OTHER, SPARK, LOCAL))


class ByLayer(LoadScopeScheduling):
    """Tests of a file stay together, those of the shared platform too, in their order; each process begins with another layer."""

    def _split_scope(self, nodeid: str) -> str:
        file = nodeid.partition("::")[0]
        return "tests/local/platform" if file.startswith("tests/local/test_platform") else file

    def _assign_work_unit(self, node: WorkerController) -> None:
        layers = _IN_ORDER[self.nodes.index(node) % len(_IN_ORDER)]
        self.workqueue.move_to_end(min(self.workqueue, key=lambda scope: layers.index(_layer(scope))), last=False)
        super()._assign_work_unit(node)


def _layer(scope: str) -> str:
    name = scope.split("/")[1]
    return name if name in (LOCAL, SPARK) else OTHER
