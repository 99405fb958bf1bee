"""What a run through all stages really writes has the shape of the newest golden documents."""

import json
import os

from contracts.release import FORMAT
from tests.support.golden import GOLDEN, record, shape, write


def test_g11_a_run_writes_documents_of_the_newest_golden_format(pipeline, spark, monkeypatch):
    documents = record(pipeline, spark, monkeypatch)
    if os.environ.get("WRITE_GOLDEN"):
        write(documents, GOLDEN / f"format-{FORMAT}")
    for name, data in documents.items():
        stored = json.loads((GOLDEN / f"format-{FORMAT}" / f"{name}.json").read_bytes())
        assert shape(json.loads(data)) == shape(stored), name
