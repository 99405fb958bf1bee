"""The deployed platform, end to end, through the command line."""

import json
import os
import subprocess
import sys
import threading
import time
from contextlib import contextmanager

import boto3
import psycopg
import pytest
from botocore.exceptions import ClientError

from contracts.protocol.bucket import Bucket
from contracts.protocol.object_layout import MANIFEST_PREFIX, PUBLICATION_PREFIX, manifest_key
from contracts.protocol.progress import read_manifest, read_publication
from local.batches import describe, invoke, loaded_batch, start_publish, started_by_event, wait_for
from local.demo.oracle import differences, lake_rows, source_rows
from local.errors import BatchFailedError
from local.home import ROOT, Home
from local.servers.cdk import Cdk
from local.servers.emulator_process import client
from local.servers.tools import cdk_command
from tests.support.publications import dump

RULE = "totesys-local-batch-committed"


def _job_runs(platform):
    description = platform.description
    return client(description, "glue").get_job_runs(JobName=description["transform_job"])["JobRuns"]


def test_an_interrupted_up_says_so_and_leaves_nothing_running(platform):
    assert platform.interruption_code == 130 and "Interrupted" in platform.interruption
    assert platform.left_running == []


def test_platform_file_has_the_fixed_keys_and_is_private(platform):
    keys = (
        "endpoint region account source_url warehouse_url ingestion_bucket processed_bucket database workgroup "
        "extract_function load_function transform_job state_machine ledger_schema"
    )
    assert set(keys.split()) <= set(platform.description)
    assert (platform.home / "platform.json").stat().st_mode & 0o077 == 0
    assert platform.description["endpoint"].startswith("http://127.0.0.1:")
    assert platform.description["ledger_schema"] == "etl"


def test_first_batch_moves_everything_and_the_second_is_null_and_starts_no_job(platform):
    first = platform.batch()
    assert first["batch"] == 1 and set(first["seconds"]) == {"extract", "transform", "load", "total"}
    sales = platform.execute("select count(*) from sales_order")[0][0]
    assert first["tables"]["fact_sales_order"] == {"rows_read": sales, "inserted": sales, "updated": 0}
    assert first["tables"]["sales_order"]["rows_read"] == sales and len(first["tables"]) == 22
    runs = len(_job_runs(platform))
    second = platform.batch()
    assert second["batch"] is None
    assert len(_job_runs(platform)) == runs == 1
    platform.assert_equal()
    assert differences(source_rows(platform.source.url), lake_rows(platform.description)) == {}


def test_silent_update_late_commit_and_equal_timestamps_arrive_and_history_has_three_records(platform):
    platform.execute("update sales_order set staff_id = staff_id % 20 + 1 where sales_order_id = 3")
    with psycopg.connect(platform.source.url) as late:
        late.execute("update sales_order set units_sold = 4321, last_updated = created_at where sales_order_id = 4")
        assert platform.batch()["tables"]["fact_sales_order"]["updated"] == 1
        late.commit()
    platform.execute(
        "update sales_order set agreed_delivery_location_id = agreed_delivery_location_id % 30 + 1 where sales_order_id = 3"
    )
    platform.execute(
        "update purchase_order set last_updated = (select max(last_updated) from purchase_order) where purchase_order_id = 2"
    )
    tables = platform.batch()["tables"]
    assert tables["fact_sales_order"]["updated"] == 2 and tables["fact_purchase_orders"]["updated"] == 1
    assert platform.in_warehouse("select count(*) from history_sales_order where sales_order_id = 3") == [(3,)]
    platform.assert_equal()


def test_g2_old_events_change_no_row_anywhere(platform):
    description = platform.description
    platform.batch()
    fingerprint = "select sum(hashtextextended(t::text, 0)), count(*) from {} t"
    tables = ("fact_sales_order", "fact_payment", "dim_staff", "dim_date", "etl.batch", "etl.batch_table")
    before = [platform.in_warehouse(fingerprint.format(t)) for t in tables], len(_job_runs(platform))
    machine = client(description, "stepfunctions")
    key = manifest_key(1)
    events = [
        {"detail": {"bucket": {"name": description["ingestion_bucket"]}, "object": {"key": key}}},
        {"trigger": "schedule"},
        {},
    ]
    for event in events:
        started = machine.start_execution(stateMachineArn=description["state_machine"], input=json.dumps(event))
        while (details := machine.describe_execution(executionArn=started["executionArn"]))["status"] == "RUNNING":
            time.sleep(0.2)
        assert details["status"] == "SUCCEEDED"
        for function in ("extract_function", "load_function"):
            client(description, "lambda").invoke(FunctionName=description[function], Payload=json.dumps(event).encode())
    assert before == ([platform.in_warehouse(fingerprint.format(t)) for t in tables], len(_job_runs(platform)))


def test_g6_what_the_source_deletes_leaves_the_current_views_though_other_rows_come(platform):
    """Counts alone cannot tell which: the state machine asks the extraction for key lists, and `batch` waits for them."""
    (transaction,) = platform.execute("select transaction_id from transaction where sales_order_id = 9")[0]
    platform.execute("delete from payment where transaction_id = %s", transaction)
    platform.execute("delete from transaction where transaction_id = %s", transaction)
    platform.execute(
        "insert into transaction (transaction_type, created_at, last_updated) values ('SALE', now(), now()), ('SALE', now(), now())"
    )
    platform.batch()
    assert platform.in_warehouse(f"select count(*) from current_payment where transaction_id = {transaction}") == [(0,)]
    platform.assert_equal()
    assert differences(source_rows(platform.source.url), lake_rows(platform.description)) == {}


def test_g11_maintenance_and_a_replay_run_as_deployed_and_change_nothing(platform):
    platform.run("maintain")
    platform.run("replay", "--from", "1", "--to", "2", "--into", "totesys_replay")
    query = ("query", "select count(*) as n, max(sales_record_id) as m from fact_sales_order where batch_id <= 2")
    live, replayed = (
        platform.json(*query, "--format", "json", *database) for database in ((), ("--database", "totesys_replay"))
    )
    assert live == replayed and live[0]["n"] > 0
    refused = platform.run("replay", "--from", "1", "--to", "2", "--into", "totesys", code=1)
    assert "totesys_replay" in refused.err
    assert platform.batch()["batch"] is None
    assert differences(source_rows(platform.source.url), lake_rows(platform.description)) == {}


def test_g11_a_dropped_warehouse_is_rebuilt_as_deployed(platform):
    before = dump(platform.warehouse.url)
    with psycopg.connect(platform.warehouse.url) as connection:
        connection.execute("drop schema etl cascade")
        connection.execute("drop schema public cascade")
        connection.execute("create schema public")
    assert "rebuilt and shows batch" in platform.run("rebuild").out
    assert dump(platform.warehouse.url) == before
    assert platform.batch()["batch"] is None
    platform.assert_equal()


def test_g11_a_warehouse_of_another_lake_is_taken_over_by_request_only(platform):
    before = loaded_batch(platform.description)
    with psycopg.connect(platform.warehouse.url) as connection:
        connection.execute("update etl.owner set lake = 'another'")
    assert "belongs to" in platform.run("rebuild", code=1).err
    assert f"rebuilt and shows batch {before}" in platform.run("rebuild", "--take-over").out
    assert platform.batch()["batch"] is None
    platform.assert_equal()


def test_g1_everything_or_single_tables_are_read_when_they_are_asked_for(platform):
    ((sales, staff),) = platform.execute("select (select count(*) from sales_order), (select count(*) from staff)")
    tables = platform.json("batch", "--read", "staff", "--json")["tables"]
    assert tables["staff"]["rows_read"] == staff and tables["sales_order"]["rows_read"] == 0
    everything = platform.json("batch", "--read", "everything", "--json")
    assert everything["reason"] == "everything was asked for"
    assert everything["tables"]["fact_sales_order"] == {"rows_read": sales, "inserted": 0, "updated": 0}
    platform.assert_equal()


def test_g3_a_batch_whose_part_is_lost_gives_way_to_a_full_one_without_help(platform):
    """The machine has everything read; the job leaves out what it cannot bring in, and the publication says so."""
    changed = platform.execute("update payment set paid = not paid where payment_id < 20 returning payment_id")
    description = platform.description
    ingestion, processed = (
        Bucket(client(description, "s3"), description[f"{name}_bucket"]) for name in ("ingestion", "processed")
    )
    with _no_event(description):  # no job before its part is lost
        number = invoke(description, description["extract_function"], {"trigger": "schedule"})["batch"]
        (part,) = read_manifest(ingestion, number).tables["payment"].parts
        ingestion.client.delete_object(Bucket=ingestion.name, Key=part.key)
    with pytest.raises(BatchFailedError, match=r"IngestionDamagedError: .*is missing.*run `batch` again"):
        wait_for(description, start_publish(description))
    assert platform.json("status", "--json")["batch"] == number + 1
    wait_for(description, started_by_event(description, number + 1))
    assert loaded_batch(description) == number + 1
    (left_out,) = read_publication(processed, number + 1).superseded
    assert left_out.batch == number and part.key in left_out.reason
    assert describe(description, number + 1, {})["tables"]["fact_payment"]["updated"] == len(changed)
    platform.assert_equal()


@contextmanager
def _no_event(description):
    """Switch the rule off that starts the state machine when a batch is committed."""
    rules = client(description, "events")
    rules.disable_rule(Name=RULE)
    try:
        yield
    finally:
        rules.enable_rule(Name=RULE)


def test_g3_killing_the_extraction_before_its_manifest_loses_nothing(platform):
    platform.execute("update sales_order set units_sold = units_sold + 1 where sales_order_id = 5")
    before = platform.json("status", "--json")["batch"]
    with psycopg.connect(platform.source.url) as locking:
        locking.execute("lock table payment in access exclusive mode")  # the last table that is asked
        process = platform.start("batch")
        platform.kill("ministack-lambda-totesys-local-extract")
        _, err = process.communicate(timeout=120)
    assert process.returncode == 1 and err.strip()
    assert platform.json("status", "--json")["batch"] == before
    assert platform.batch()["tables"]["fact_sales_order"]["updated"] == 1
    platform.assert_equal()


def test_g3_a_batch_that_needs_many_runs_finishes_by_itself_though_two_of_them_are_killed(platform):
    """The function invokes itself until the batch is whole; the state machine publishes it once."""
    functions, name = client(platform.description, "lambda"), platform.description["extract_function"]
    variables = functions.get_function_configuration(FunctionName=name)["Environment"]["Variables"]
    newest = platform.json("status", "--json")["batch"]

    def after(number, prefix=MANIFEST_PREFIX, bucket="ingestion_bucket"):
        listed = Bucket(client(platform.description, "s3"), platform.description[bucket])
        return len(listed.keys_after(prefix, number))

    for table in ("sales_order", "purchase_order", "payment", "transaction", "staff", "design", "currency"):
        platform.execute(f"update {table} set last_updated = last_updated")
    platform.execute("update sales_order set units_sold = units_sold + 1")
    try:
        slow = {**variables, "TIME_BUDGET_SECONDS": "0"}
        functions.update_function_configuration(FunctionName=name, Environment={"Variables": slow})
        process = platform.start("batch", "--json")
        for _ in range(2):
            # The first of two runs may be one that `batch` has invoked and waits for, which is not to be told of a kill.
            enough = after(newest) + 2
            while after(newest) < enough:
                assert process.poll() is None, process.communicate()
                time.sleep(0.05)
            platform.kill("ministack-lambda-totesys-local-extract")
        out, err = process.communicate(timeout=240)
    finally:
        functions.update_function_configuration(FunctionName=name, Environment={"Variables": variables})
    assert process.returncode == 0, err
    assert json.loads(out)["batch"] == newest + after(newest) > newest + 5
    assert after(newest, PUBLICATION_PREFIX, "processed_bucket") == 1
    assert json.loads(out)["tables"]["fact_sales_order"]["updated"] > 100
    platform.assert_equal()
    assert platform.batch()["batch"] is None


def test_g3_killing_the_job_in_mid_write_loses_and_doubles_nothing(platform):
    platform.execute("update sales_order set units_sold = units_sold + 1")
    lake = platform.home / "aws" / "s3" / "000000000001" / platform.description["processed_bucket"] / "star"
    before = set(lake.rglob("*.parquet"))
    process = platform.start("batch")

    def kill_once_it_writes():
        while not set(lake.rglob("*.parquet")) - before:
            time.sleep(0.02)
        platform.kill("--ingestion_bucket")

    killer = threading.Thread(target=kill_once_it_writes)
    killer.start()
    _, err = process.communicate(timeout=240)
    killer.join()
    assert process.returncode == 1 and "killed by signal 9" in err
    recovered = platform.batch()
    assert recovered["batch"] is not None
    platform.assert_equal()
    assert differences(source_rows(platform.source.url), lake_rows(platform.description)) == {}
    (ids,) = platform.in_warehouse(
        "select count(*), count(distinct sales_record_id), max(sales_record_id) from fact_sales_order"
    )
    assert len(set(ids)) == 1


def test_g3_killing_the_load_before_its_commit_loses_and_doubles_nothing(platform):
    platform.execute("update payment set paid = not paid where payment_id < 50")
    before = loaded_batch(platform.description)
    with psycopg.connect(platform.warehouse.url) as locking:
        locking.execute("lock table fact_payment in access exclusive mode")
        process = platform.start("batch")
        deadline = time.monotonic() + 120
        waiting = "select count(*) from pg_locks where relation = 'fact_payment'::regclass and not granted"
        while platform.in_warehouse(waiting) == [(0,)]:
            assert time.monotonic() < deadline
            time.sleep(0.1)
        platform.kill("ministack-lambda-totesys-local-load")
        locking.rollback()  # what the killed load was about to do could go on now, and must not
    process.communicate(timeout=240)
    assert process.returncode == 1 and loaded_batch(platform.description) == before
    assert platform.batch()["batch"] == before + 1
    platform.assert_equal()
    assert platform.in_warehouse("select count(*) - count(distinct payment_record_id) from fact_payment") == [(0,)]


@pytest.mark.parametrize(
    ("break_it", "mend_it", "message"),
    [
        ("alter role postgres password 'rotated'", "alter role postgres password 'secret-source'", "refused the login"),
        ("alter table payment rename paid to settled", "alter table payment rename settled to paid", "payment.paid is missing"),
        ("alter table design rename to designs", "alter table designs rename to design", "table design is missing"),
    ],
)  # fmt: skip
def test_a_broken_source_is_explained_and_the_next_run_goes_on(platform, break_it, mend_it, message):
    with psycopg.connect(platform.source.url, autocommit=True) as connection:
        connection.execute(break_it)
        failed = platform.run("batch", code=1)
        assert message in " ".join(failed.err.split())
        assert "secret-source" not in failed.err + failed.out and "Traceback" not in failed.err
        connection.execute(mend_it)
    platform.batch()
    platform.assert_equal()


def test_g8_a_row_that_fails_a_check_is_quarantined_alone_and_passes_when_it_is_mended(platform):
    platform.execute("update sales_order set agreed_delivery_date = '2024-02-30' where sales_order_id = 11")
    platform.execute("update sales_order set units_sold = units_sold + 1 where sales_order_id = 12")
    assert platform.batch()["tables"]["fact_sales_order"]["updated"] == 1
    query = "select source_table, source_key, column_name, value from quarantine where closed_batch is null"
    held = {
        "source_table": "sales_order",
        "source_key": 11,
        "column_name": "agreed_delivery_date",
        "value": "2024-02-30",
    }
    assert platform.json("query", query, "--format", "json") == [held]
    answer = client(platform.description, "lambda").invoke(
        FunctionName=platform.description["load_function"], Payload=b'{"step": "load"}'
    )
    assert json.loads(answer["Payload"].read())["quarantined"] == 1
    platform.execute("update sales_order set agreed_delivery_date = '2024-02-29' where sales_order_id = 11")
    platform.batch()
    assert platform.json("query", query, "--format", "json") == []
    platform.assert_equal()


def test_status_tells_where_the_platform_stands(platform):
    with psycopg.connect(platform.source.url, autocommit=True) as connection:
        connection.execute("alter role postgres password 'rotated'")
        platform.run("batch", code=1)
        connection.execute("alter role postgres password 'secret-source'")
    status = platform.json("status", "--json")
    assert set(status) == {"batch", "publication", "load", "freshness", "schedules", "alarms", "last_error"}
    assert {name.removeprefix("totesys-local-") for name in status["alarms"]} >= {"extract-failed", "not-fresh"}
    assert "refused the login" in status["last_error"]["message"]
    assert "last error" in platform.run("status").out


def test_g12_no_secret_and_no_personal_value_is_in_any_log_or_document(platform):
    planted = ("planted-4711@example.com", "Planted-Street 4711")
    platform.execute("update staff set email_address = 'planted-4711@example.com' where staff_id = 1")
    platform.execute("update address set address_line_1 = 'Planted-Street 4711' where address_id = 1")
    description = platform.description
    platform.batch()
    assert platform.in_warehouse("select count(*) from dim_staff where email_address like 'planted%'") == [(1,)]
    texts = {str(file): file.read_text(errors="replace") for file in (platform.home / "logs").iterdir()}
    s3, logs = client(description, "s3"), client(description, "logs")
    for bucket, prefix in (
        (description["ingestion_bucket"], "batches/"),
        (description["processed_bucket"], "publications/"),
    ):
        for item in s3.list_objects_v2(Bucket=bucket, Prefix=prefix)["Contents"]:
            texts[item["Key"]] = s3.get_object(Bucket=bucket, Key=item["Key"])["Body"].read().decode()
    for function in ("extract_function", "load_function"):
        group = f"/aws/lambda/{description[function]}"
        texts[group] = " ".join(event["message"] for event in logs.filter_log_events(logGroupName=group)["events"])
        assert texts[group]
    for name, text in texts.items():
        for word in ("secret-source", "secret-warehouse", *planted):
            assert word not in text, f"{word} is in {name}"


@pytest.mark.parametrize("format", ["table", "csv", "json"])
def test_the_lake_is_queried_through_athena(platform, format):
    statement = "select currency_code, count(*) as orders from fact_sales_order join dim_currency using (currency_id) group by 1"
    out = platform.run("query", statement, "--format", format).out
    assert "GBP" in out and "orders" in out
    if format == "json":
        assert {row["currency_code"] for row in json.loads(out)} == {"GBP", "USD", "EUR"}


def test_the_immutable_log_is_queried_too(platform):
    statement = "select count(distinct sales_order_id) as n from sales_order"
    out = platform.run("query", statement, "--database", platform.description["raw_database"], "--format", "csv").out
    assert int(out.split()[1]) == platform.execute("select count(*) from sales_order")[0][0]


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (("query", "select nonsense from nowhere"), 1, "Athena refused"),
        (("query", "select 1", "--format", "xml"), 1, "--format xml"),
        (("simulate",), 1, "--source was given"),
        (("up", "--source", "mysql:/x y"), 1, "not a PostgreSQL connection URI"),
        (("up", "--scale", "many"), 1, "--scale"),
        (("up", "--parrot"), 2, "--parrot"),
    ],
)
def test_bad_input_is_one_message(platform, arguments, code, message):
    failed = platform.run(*arguments, code=code)
    assert message in failed.err and "Traceback" not in failed.err + failed.out


def test_a_home_without_a_platform_says_how_to_start_one(platform, tmp_path):
    for command in ("batch", "status"):
        done = subprocess.run(
            [sys.executable, "-m", "local", command, "--home", str(tmp_path)], cwd=ROOT, capture_output=True, text=True
        )
        assert done.returncode == 1 and "python -m local up" in done.stderr


def test_iam_is_enforced_each_role_does_its_own_work_only(platform):
    description = platform.description
    sts = client(description, "sts")
    role = f"arn:aws:iam::{description['account']}:role/totesys-local-extract-function"
    credentials = sts.assume_role(RoleArn=role, RoleSessionName="test")["Credentials"]
    s3 = boto3.client(
        "s3",
        endpoint_url=description["endpoint"],
        region_name=description["region"],
        aws_access_key_id=credentials["AccessKeyId"],
        aws_secret_access_key=credentials["SecretAccessKey"],
        aws_session_token=credentials["SessionToken"],
    )
    s3.put_object(Bucket=description["ingestion_bucket"], Key="test/allowed", Body=b"")
    with pytest.raises(ClientError, match="AccessDenied"):
        s3.put_object(Bucket=description["processed_bucket"], Key="star/forbidden", Body=b"")
    with pytest.raises(ClientError, match="AccessDenied"):
        s3.delete_object(Bucket=description["ingestion_bucket"], Key="test/allowed")


def test_the_real_cli_finds_no_difference_after_a_deployment(platform):
    home = Home(platform.home)
    output = Cdk(home, platform.description["endpoint"], {}).run("diff", "--all", "--fail")
    assert "Number of stacks with differences: 0" in output


@pytest.mark.parametrize("command", [["app.py"], None])
def test_synthesis_needs_neither_credentials_nor_network(command, tmp_path):
    nowhere = "http://127.0.0.1:1"
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("AWS_", "CDK_"))}
    environment = {
        **kept,
        "HTTP_PROXY": nowhere,
        "HTTPS_PROXY": nowhere,
        "HOME": str(tmp_path),
        "CDK_OUTDIR": str(tmp_path / "out"),
    }
    line = (
        [sys.executable, *command]
        if command
        else [*cdk_command(), "synth", "--quiet", "--output", str(tmp_path / "out")]
    )
    line = line if command else [*line, "--app", f"{sys.executable} app.py"]
    done = subprocess.run(line, cwd=ROOT, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert len(list((tmp_path / "out").glob("totesys-dev-*.template.json"))) == 5


def _doctor(platform):
    """Examine the platform as `make doctor` does; return the exit code and the findings."""
    command = [sys.executable, "-m", "operate.doctor", "--env", "local", "--home", str(platform.home), "--json"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert "Traceback" not in done.stderr, done.stderr
    return done.returncode, json.loads(done.stdout)["findings"]


def test_doctor_finds_nothing_wrong_with_a_healthy_platform_and_a_secret_that_was_emptied(platform):
    code, findings = _doctor(platform)
    assert [f for f in findings if f["level"] == "problem"] == [] and code == 0
    assert {f["check"] for f in findings if f["level"] == "ok"} >= {
        "bootstrap",
        "stacks",
        "secrets",
        "source",
        "warehouse",
    }
    assert "Ledger etl is this lake's." in [f["found"] for f in findings]
    description = platform.description
    secrets, name = client(description, "secretsmanager"), description["warehouse_secret"]
    kept = secrets.get_secret_value(SecretId=name)["SecretString"]
    secrets.put_secret_value(SecretId=name, SecretString="{}")
    try:
        code, findings = _doctor(platform)
    finally:
        secrets.put_secret_value(SecretId=name, SecretString=kept)
    (problem,) = (f for f in findings if f["level"] == "problem")
    assert code == 1 and problem["kind"] == "SECRET_EMPTY"
    assert "put-secret-value --secret-id totesys-local/warehouse" in problem["remedy"]


def test_the_platform_can_be_stopped_and_started_with_its_data(platform):
    platform.execute("update payment set paid = not paid where payment_id < 10")
    platform.run("down")
    assert platform.processes("") == []
    failed = platform.run("batch", code=1)
    assert "does not run" in failed.err
    platform.run("up")
    assert platform.batch()["tables"]["fact_payment"]["updated"] == 9
    platform.assert_equal()


def test_the_demonstration_holds_beside_another_platform(platform, tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "local", "demo", "--directory", str(tmp_path)], cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr
    report = json.loads((tmp_path / "report.json").read_text())
    assert {
        "source_equals_warehouse",
        "source_equals_lake",
        "silent_update_arrived",
        "late_commit_arrived",
        "history_kept",
        "rerun_changes_nothing",
    } <= set(report["proofs"])
    assert set(report["proofs"].values()) == {True}
    for batch in report["batches"]:
        assert {"extract", "transform", "load"} <= set(batch["seconds"])
        assert all({"rows_read", "inserted", "updated"} == set(t) for t in batch["tables"].values())
    assert sorted(p.name for p in tmp_path.iterdir()) == ["dashboard", "report.json"]
    written = sorted(p.name for p in (tmp_path / "dashboard").iterdir())
    assert written == ["dashboard-dark.png", "dashboard.png", "index.html"], done.stderr
