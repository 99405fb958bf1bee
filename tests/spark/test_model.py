"""A model of the lake: random histories of a source, told by batches, against what the lake must then hold.

The source is a few dicts; its batches are written as the extraction would write them, and the real job runs over them,
killed now and then. ``MODEL_EXAMPLES`` sets how many histories are tried.
"""

import os

from tests.spark.model.machine import run_model

EXAMPLES = int(os.environ.get("MODEL_EXAMPLES", "3"))


def test_g7_random_histories_are_in_the_lake_as_they_were_seen(servers, spark, monkeypatch):
    # the few of every run are always the same
    run_model(servers, spark, monkeypatch, EXAMPLES, derandomize="MODEL_EXAMPLES" not in os.environ, print_blob=True)
