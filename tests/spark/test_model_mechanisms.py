"""The model is worth something: without any one of the lake's mechanisms it finds a history that goes wrong.

Run by ``make model``; it takes some minutes.
"""

import os

import pytest
from hypothesis import Phase

from contracts.star import SOURCE_DELETION, STAR_TABLES
from glue_jobs import small
from glue_jobs.incoming import HELD
from glue_jobs.lake import Lake
from glue_jobs.workplace import Batch, unchanged
from tests.spark.test_model import run_model

EXAMPLES = 60


def every_row_read_again_is_a_change(patch):
    known = small._known
    patch.setattr(small, "_known", lambda *a: dict.fromkeys(known(*a), ""))


def the_oldest_version_is_compared_with(patch):
    patch.setattr("glue_jobs.small.F.max_by", small.F.min_by)


def a_key_that_comes_back_is_compared_with_what_was_deleted(patch):
    patch.setattr(Batch, "has_deletions", property(lambda _: False))


def deletions_are_not_written(patch):
    patch.setattr("glue_jobs.publish.deletions.record", lambda batch, _: unchanged(batch.before[SOURCE_DELETION.name]))


def deletions_are_not_looked_for(patch):
    patch.setattr("glue_jobs.publish.deletions.reconciled", lambda batch, table, outcome: outcome)


def rows_that_were_held_back_are_forgotten(patch):
    plain = small.raw_rows
    patch.setattr(small, "raw_rows", lambda *a: plain(*a).where(f"not {HELD}"))


def what_a_row_refers_to_is_not_looked_for(patch):
    patch.setattr("glue_jobs.references.References.missing", lambda *_: set())


def a_dimensions_changed_row_is_added_beside_the_old_one(patch):
    patch.setattr(small, "replaces", lambda *_: False)


def a_batch_begun_again_adds_its_rows_again(patch):
    patch.setattr("glue_jobs.lake.Head.of_batch", lambda *_: None)
    plain = small._known
    patch.setattr(
        small,
        "_known",
        lambda batch, table, *a: (
            plain(batch, table, *a) if table.name not in STAR_TABLES or not STAR_TABLES[table.name].record_id else {}
        ),
    )
    patch.setattr(
        Lake,
        "append",
        lambda self, table, rows, batch, figures, head: self._commit(
            self._writer(table, rows, batch, figures, head), lambda writer: writer.append()
        ),
    )


@pytest.mark.skipif("MODEL_EXAMPLES" not in os.environ, reason="takes minutes: make model runs it")
@pytest.mark.parametrize(
    "without",
    [
        every_row_read_again_is_a_change,
        the_oldest_version_is_compared_with,
        a_key_that_comes_back_is_compared_with_what_was_deleted,
        deletions_are_not_written,
        deletions_are_not_looked_for,
        rows_that_were_held_back_are_forgotten,
        what_a_row_refers_to_is_not_looked_for,
        a_dimensions_changed_row_is_added_beside_the_old_one,
        a_batch_begun_again_adds_its_rows_again,
    ],
    ids=lambda mechanism: mechanism.__name__,
)
def test_without_a_mechanism_the_model_fails(servers, spark, monkeypatch, without):
    without(monkeypatch)
    with pytest.raises(BaseException) as failure:  # whatever goes wrong first
        run_model(
            servers,
            spark,
            monkeypatch,
            EXAMPLES,
            derandomize=True,
            phases=[Phase.generate],
            report_multiple_bugs=False,
        )
    assert not isinstance(failure.value, KeyboardInterrupt)
