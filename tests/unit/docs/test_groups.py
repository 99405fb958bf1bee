"""make test runs every test: each directory of tests stands in one group."""

from local.home import ROOT
from tools.run_tests import GROUPS


def test_every_directory_of_tests_is_run_once():
    found = sorted({str(file.parent.relative_to(ROOT)) for file in (ROOT / "tests").rglob("test_*.py")})
    listed = [path for paths in GROUPS.values() for path in paths]
    assert len(listed) == len(set(listed))
    assert all(
        sum(directory == path or directory.startswith(f"{path}/") for path in listed) == 1 for directory in found
    )
