"""Short histories, each of which goes wrong when one of the lake's mechanisms is missing."""

from types import SimpleNamespace

from tests.spark.model.expected import BAD, GOOD
from tests.spark.model.machine import STAMP

FIRST = SimpleNamespace(draw=lambda _: 1)


def _batch(model, *, keys=False, again=False, kill=None, rows=20_000):
    model.read_the_source(keys=keys, again=again, kill=kill, rows=rows, waits=False)


def _waiting_batch(model, *, keys=False):
    model.read_the_source(keys=keys, again=False, kill=None, rows=20_000, waits=True)


def _order(model, day=GOOD):
    model.insert_an_order(day=day, stamp=STAMP, is_negative=False)


def read_twice(model):
    _order(model)
    _batch(model)
    _batch(model, again=True)


def there_and_back(model):
    _order(model)
    _batch(model)
    for units in ("6", "5"):
        model.change_an_order_there_or_back(data=FIRST, units=units)
        _batch(model)


def deleted(model):
    _order(model)
    _batch(model)
    model.delete_an_order(data=FIRST)
    _batch(model, keys=True)


def deleted_and_back(model):
    deleted(model)
    model.bring_an_order_back(data=FIRST)
    _batch(model)


def deleted_and_back_in_one_run(model):
    _order(model)
    _batch(model)
    model.change_an_order_there_or_back(data=FIRST, units="6")
    _waiting_batch(model)
    model.delete_an_order(data=FIRST)
    _waiting_batch(model, keys=True)
    model.bring_an_order_back(data=FIRST)
    _batch(model)


def quarantined(model):
    _order(model, BAD)
    _batch(model)
    _order(model)
    _batch(model)


def killed_before_it_is_published(model):
    model.run(kill=None, rows=20_000)
    _order(model)
    _batch(model, kill=8)
    model.run(kill=None, rows=20_000)


def waiting_for_the_warehouse(model):
    for _ in range(2):
        _order(model)
        _batch(model)
    model.maintain(is_loaded=False)


def left_out(model):
    _order(model)
    _batch(model)
    _order(model)
    model.a_batch_is_damaged_and_a_full_one_follows(what="checksum", runs=True, between=True)
    model.run(kill=None, rows=20_000)


def left_out_after_maintenance(model):
    _order(model)
    _batch(model)
    _order(model)
    model.a_batch_is_damaged_and_a_full_one_follows(what="checksum", runs=True, between=False)
    model.maintain(is_loaded=True)
    model.run(kill=None, rows=20_000)


def quarantined_over_maintenance(model):
    _order(model, BAD)
    _batch(model)
    model.change_an_order_there_or_back(data=FIRST, units="6")
    _batch(model)
    model.maintain(is_loaded=True)
    _order(model, BAD)
    _batch(model)


def in_several_runs(model):
    _order(model)
    model.read_a_part_of_the_source()
    model.change_an_order_there_or_back(data=FIRST, units="6")
    _batch(model)
