"""The bill: it is reckoned from what is deployed and measured, it stays below its limits, and the page says the same."""

import random
from dataclasses import replace
from datetime import date, datetime, time
from pathlib import Path

import pytest

from cdk_app.settings import read_settings
from local.simulator import business
from tests.infra.conftest import CDK_JSON
from tools.cost import measured
from tools.cost.bill import bill, runs, total
from tools.cost.deployed import deployed
from tools.cost.page import one, render
from tools.cost.prices import read_prices
from tools.cost.traffic import IDLE, TOTESYS, times

PRICES = read_prices()


@pytest.fixture
def found(prod):
    return deployed(template.to_json() for template in prod.values())


def settings(**changes):
    return read_settings({"env": "prod", **changes}, CDK_JSON["context"]["environments"])


def cost(found, traffic, **changes):
    return total(bill(settings(**changes), traffic, found, PRICES))


def test_the_page_is_what_the_script_writes(found):
    page = Path(__file__).parents[2] / "docs" / "cost.md"
    assert page.read_text("utf-8") == render(settings(), found, PRICES), "run make cost"


def test_totesys_costs_25_usd_at_most_and_an_idle_source_6(found):
    assert cost(found, TOTESYS) <= 25
    assert cost(found, IDLE) <= 6 and not found.endpoint_zones


def test_what_stands_there_is_counted_in_the_templates(prod, found):
    assert (found.metrics, found.secrets, found.keys) == (3, 2, 1)
    assert (found.extract_gigabytes, found.load_gigabytes) == (0.5, 1)
    templates = [template.to_json() for template in prod.values()]
    properties = {"VpcEndpointType": "Interface", "SubnetIds": ["subnet-1", "subnet-2"]}
    further = {
        "Alarm": {"Type": "AWS::CloudWatch::Alarm", "Properties": {"Namespace": "AWS/SQS", "MetricName": "x"}},
        "Own": {"Type": "AWS::CloudWatch::Alarm", "Properties": {"Namespace": "Totesys", "MetricName": "Further"}},
        "Key": {"Type": "AWS::KMS::Key"},
        "Endpoint": {"Type": "AWS::EC2::VPCEndpoint", "Properties": properties},
        "Free": {"Type": "AWS::EC2::VPCEndpoint", "Properties": {"VpcEndpointType": "Gateway"}},
    }
    more = deployed([*templates, {"Resources": further}])
    assert (more.alarms, more.metrics, more.keys) == (found.alarms + 2, found.metrics + 1, found.keys + 1)
    added = 2 * 0.10 + 0.30 + 1 + 2 * 720 * 0.01
    assert cost(more, IDLE) == pytest.approx(cost(found, IDLE) + added)


def test_each_batch_costs_a_run_of_the_job_and_little_else(found):
    more = replace(TOTESYS, batches=TOTESYS.batches + 1)
    run = measured.RUN_MINUTES * measured.WORKERS / 60 * PRICES["glue_dpu_hour"]
    assert 30 * run < cost(found, more) - cost(found, TOTESYS) < 1.2 * 30 * run


def test_a_window_publishes_what_was_committed_in_it_in_one_run(found):
    busy = times(10_000, 5)
    alone, together = runs(settings(), busy), runs(settings(publish_minutes=15), busy)
    assert (alone.transforms, together.transforms, together.recoveries) == (8670, 2880, 0)
    quiet = runs(settings(publish_minutes=15), IDLE)
    assert (quiet.transforms, quiet.recoveries) == (30, 2850)
    assert cost(found, busy, publish_minutes=15) < cost(found, busy) / 2


def test_rows_take_minutes_and_then_workers(found):
    glue = "Glue: runs of the transform job"

    def line(rows):
        return next(x.usd for x in bill(settings(), replace(TOTESYS, rows=rows), found, PRICES) if x.name == glue)

    assert line(0) < line(100_000) < line(10_000_000) < line(100_000_000)


def test_who_looks_is_charged(found):
    watched = replace(TOTESYS, authors=1, readers=10, queries=1000)
    assert cost(found, watched) == pytest.approx(cost(found, TOTESYS) + 24 + 30 + 0.05)
    assert "| Quick Sight and Athena | 54.05 |" in one(settings(), watched, found, PRICES)


def test_requests_of_s3_cost_less_than_a_dollar(found):
    lines = {line.name: line.usd for line in bill(settings(), TOTESYS, found, PRICES)}
    assert lines["S3: requests"] < 1


def test_totesys_changes_as_often_as_its_simulator_says():
    """The business of a year: in how many intervals of five minutes anything is written, and how many rows."""
    draw, ledger = random.Random(20221103), business.Ledger()
    business._reference(ledger, draw)
    before = {table: len(rows) for table, rows in ledger.rows.items()}
    for day in business.dates(date(2023, 1, 2), 364):
        if day.weekday() < 5:
            sales = draw.randint(business.SALES_A_DAY - 8, business.SALES_A_DAY + 8)
            purchases = round(sales * business.PURCHASES_A_DAY / business.SALES_A_DAY)
            business.day_of_orders(ledger, draw, day, sales, purchases, datetime.combine(date(2023, 12, 31), time(19)))
    rows = [row for table, rows in ledger.rows.items() for row in rows[before.get(table, 0) :]]
    moments = {value for row in rows for value in row if isinstance(value, datetime) and value.year == 2023}
    intervals = {moment.timestamp() // 300 for moment in moments}
    assert len(intervals) / 364 == pytest.approx(measured.TOTESYS_BATCHES, abs=0.1)
    assert len(rows) / 364 == pytest.approx(measured.TOTESYS_ROWS, abs=1)
