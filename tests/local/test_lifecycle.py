"""A deployment with kept data is destroyed and made again: nothing is read twice, and nothing is lost."""

import json
import os
import subprocess
import sys

from local.demo.oracle import differences, lake_rows, source_rows
from local.home import ROOT, Home
from local.servers.cdk import Cdk
from local.servers.emulator_process import client, credentials
from local.servers.tools import cdk_command
from tests.support.publications import dump

#: As in prod; but for the first key, which its engineer has turned.
KEPT = {"keep_data": "true", "customer_key": "true", "termination_protection": "false", "extract_minutes": "7"}


def operate(platform, *arguments):
    """Run a command of `operate` against the local AWS, as it is run against another one."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "CDK_"))}
    own = {"AWS_ENDPOINT_URL": platform.description["endpoint"], "HOME": str(platform.home / "tmp"), "CI": "1"}
    done = subprocess.run(
        [sys.executable, "-m", "operate", *arguments],
        cwd=ROOT,
        env={**kept, **credentials(), **own},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def cdk_option():
    return "--cdk", " ".join(cdk_command())


def deployed(platform):
    """Names of the stacks that are there, but for the CDK's own."""
    stacks = client(platform.description, "cloudformation").describe_stacks()["Stacks"]
    return sorted(stack["StackName"] for stack in stacks if stack["StackName"].startswith("totesys-"))


def deploy(platform, settings):
    chosen = [part for name, value in settings.items() for part in ("--set", f"{name}={value}")]
    platform.run(*platform.up, *chosen)


def destroy_stacks(platform, settings):
    """What ``make destroy STACKS=1`` does, with settings that cdk.json has not for this environment."""
    Cdk(Home(platform.home), platform.description["endpoint"], settings).destroy()


def change(platform, order):
    platform.execute("update sales_order set units_sold = units_sold + 1 where sales_order_id = %s", order)


def moves_only_the_change(platform):
    """Move a batch; assert that it holds the one changed order, and reference tables, which are always read whole, at most."""
    outcome = platform.batch()
    assert outcome["reason"] == "", outcome
    facts = {name: figures for name, figures in outcome["tables"].items() if name.startswith(("fact_", "sales_"))}
    assert facts.pop("fact_sales_order") == facts.pop("sales_order") == {"rows_read": 1, "inserted": 0, "updated": 1}
    assert {figures["rows_read"] for figures in facts.values()} == {0}
    platform.assert_equal()
    assert differences(source_rows(platform.source.url), lake_rows(platform.description)) == {}
    return outcome["batch"]


def test_g3_a_deployment_that_keeps_its_data_is_destroyed_and_deployed_again_and_goes_on(own_platform):
    platform = own_platform
    platform.batch()

    deploy(platform, KEPT)  # a setting is changed
    description = platform.description
    schedule = client(description, "scheduler").get_schedule(Name=description["extract_schedule"])
    assert schedule["ScheduleExpression"] == "rate(7 minutes)"
    change(platform, 3)
    assert moves_only_the_change(platform) == 2

    before = dump(platform.warehouse.url)
    destroy_stacks(platform, KEPT)
    assert deployed(platform) == []
    change(platform, 4)  # business goes on without us
    left = json.loads(operate(platform, "adopted", "--env", "local"))
    assert left["adopt"] and left["source_secret_arn"] == description["source_secret"]
    tables = client(description, "glue").get_tables(DatabaseName=description["database"])["TableList"]
    assert {table["Parameters"]["table_type"] for table in tables} == {
        "ICEBERG"
    }  # the views are gone, and nothing else

    deploy(platform, left)
    description = platform.description
    assert dump(platform.warehouse.url) == before
    assert moves_only_the_change(platform) == 3
    assert platform.json("query", "select count(*) as n from current_sales_order", "--format", "json")[0]["n"] > 0
    for name in ("ingestion_bucket", "processed_bucket"):
        assert client(description, "s3").get_bucket_versioning(Bucket=description[name])["Status"] == "Enabled"
