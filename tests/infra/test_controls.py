"""One test for each control that the infrastructure promises."""

import json
import re
from pathlib import Path

import aws_cdk as cdk
import pytest
from aws_cdk.assertions import Match

import app as composition
from cdk_app.settings import read_settings
from contracts.tables.source import SOURCE_TABLES
from contracts.tables.views import VIEWS
from tests.infra.conftest import CDK_JSON, OVERRIDES


def _resources(templates, kind):
    return {
        f"{stack}/{name}": resource
        for stack, template in templates.items()
        for name, resource in template.find_resources(kind).items()
    }


def test_there_are_five_flat_stacks(prod):
    assert list(prod) == ["storage", "catalog", "pipeline", "alerting", "analytics"]


def test_buckets_are_private_encrypted_and_kept(prod):
    buckets = _resources(prod, "AWS::S3::Bucket")
    assert len(buckets) == 4
    for bucket in buckets.values():
        properties = bucket["Properties"]
        assert set(properties["PublicAccessBlockConfiguration"].values()) == {True}
        assert properties["BucketEncryption"]
        assert (bucket["DeletionPolicy"], bucket["UpdateReplacePolicy"]) == ("RetainExceptOnCreate", "Retain")


def test_buckets_with_data_are_versioned_and_logged(prod):
    for name, bucket in _resources(prod, "AWS::S3::Bucket").items():
        if "AccessLogs" not in name:
            assert bucket["Properties"]["VersioningConfiguration"] == {"Status": "Enabled"}
            assert bucket["Properties"]["LoggingConfiguration"]["LogFilePrefix"]


def test_buckets_topic_and_queue_refuse_plain_http(prod):
    policies = [
        *_resources(prod, "AWS::S3::BucketPolicy").values(),
        *_resources(prod, "AWS::SNS::TopicPolicy").values(),
        *_resources(prod, "AWS::SQS::QueuePolicy").values(),
    ]
    assert len(policies) == 6
    for policy in policies:
        statements = policy["Properties"]["PolicyDocument"]["Statement"]
        assert any(
            s["Effect"] == "Deny" and s["Condition"].get("Bool", {}).get("aws:SecureTransport") == "false"
            for s in statements
        )


def test_unfinished_uploads_are_removed(prod):
    for bucket in _resources(prod, "AWS::S3::Bucket").values():
        rules = bucket["Properties"]["LifecycleConfiguration"]["Rules"]
        assert any(rule.get("AbortIncompleteMultipartUpload") == {"DaysAfterInitiation": 1} for rule in rules)


def test_data_is_given_up_only_with_two_keys(synthesise):
    from cdk_app.settings import SettingsError

    with pytest.raises(SettingsError, match="confirm_destroy"):
        synthesise(keep_data=False)
    buckets = _resources(synthesise(keep_data=False, confirm_destroy="prod"), "AWS::S3::Bucket")
    assert {bucket["DeletionPolicy"] for bucket in buckets.values()} == {"Delete"}


def test_no_custom_resource_and_no_function_but_ours(prod):
    functions = _resources(prod, "AWS::Lambda::Function")
    assert sorted(f["Properties"]["FunctionName"] for f in functions.values()) == [
        "totesys-prod-extract",
        "totesys-prod-load",
        "totesys-prod-notify",
    ]
    assert not any("Custom::" in r["Type"] for t in prod.values() for r in t.to_json()["Resources"].values())


def test_functions_run_the_newest_runtime_with_their_own_roles(prod):
    for function in _resources(prod, "AWS::Lambda::Function").values():
        assert function["Properties"]["Runtime"] == "python3.14"
        assert function["Properties"]["Architectures"] == ["arm64"]
        assert function["Properties"]["Timeout"] == (60 if "notify" in function["Properties"]["Handler"] else 900)
    roles = {json.dumps(f["Properties"]["Role"]) for f in _resources(prod, "AWS::Lambda::Function").values()}
    assert len(roles) == 3


def test_g12_no_secret_is_in_a_template_or_an_environment(prod):
    for template in prod.values():
        assert not re.search(r"password\W+[:=]\W+\w{6,}", json.dumps(template.to_json()), re.IGNORECASE)
    for function in _resources(prod, "AWS::Lambda::Function").values():
        variables = function["Properties"]["Environment"]["Variables"]
        assert not [name for name in variables if re.search("PASSWORD|USER|HOST", name)]
        tls = [value for name, value in variables.items() if name.endswith("_TLS")]
        assert tls == ([] if "notify" in function["Properties"]["Handler"] else ["verify-full"])


def test_permissions_are_least(prod):
    """No statement allows everything, and each function reaches only its own secret."""
    for name, policy in _resources(prod, "AWS::IAM::Policy").items():
        for statement in policy["Properties"]["PolicyDocument"]["Statement"]:
            actions = statement["Action"] if isinstance(statement["Action"], list) else [statement["Action"]]
            assert "*" not in actions and not any(a.endswith(":*") for a in actions), name
            if any(a.startswith("secretsmanager") for a in actions):
                assert actions == ["secretsmanager:GetSecretValue"]
                assert isinstance(statement["Resource"], dict), "one secret, by reference"


def test_functions_cannot_delete_objects(prod):
    policies = _resources(prod, "AWS::IAM::Policy")
    (extract,), (load,), (notify,) = (
        [p for name, p in policies.items() if f"/{role}Role" in name] for role in ("Extract", "Load", "Notify")
    )
    for policy in (extract, load, notify):
        assert "s3:PutObject" in json.dumps(policy) and "s3:DeleteObject" not in json.dumps(policy)


def test_extraction_recovery_and_daily_key_lists_are_scheduled(prod):
    schedules = _resources(prod, "AWS::Scheduler::Schedule").values()
    found = {
        s["Properties"]["Name"]: (s["Properties"]["ScheduleExpression"], s["Properties"]["State"]) for s in schedules
    }
    assert found == {
        "totesys-prod-extract": ("rate(5 minutes)", "ENABLED"),
        "totesys-prod-recover": ("rate(15 minutes)", "ENABLED"),
        "totesys-prod-keys": ("cron(0 3 * * ? *)", "ENABLED"),
        "totesys-prod-maintain": ("cron(0 2 ? * SUN *)", "ENABLED"),
    }
    inputs = {s["Properties"]["Name"]: json.loads(s["Properties"]["Target"]["Input"]) for s in schedules}
    assert inputs["totesys-prod-maintain"]["mode"] == "maintain"
    assert inputs["totesys-prod-keys"]["keys"] == "all" and "keys" not in inputs["totesys-prod-extract"]


def test_a_committed_batch_starts_the_state_machine(prod):
    prod["pipeline"].has_resource_properties(
        "AWS::Events::Rule",
        {
            "EventPattern": {
                "source": ["aws.s3"],
                "detail-type": ["Object Created"],
                "detail": {"object": {"key": [{"prefix": "batches/"}]}, "bucket": {"name": Match.any_value()}},
            }
        },
    )
    prod["storage"].has_resource_properties(
        "AWS::S3::Bucket", {"NotificationConfiguration": {"EventBridgeConfiguration": {"EventBridgeEnabled": True}}}
    )


def test_batches_are_published_together_when_a_window_is_set(synthesise):
    """No event starts the state machine then, and nothing is left to one: the schedule takes its place and recovery's."""
    pipeline = synthesise(publish_minutes="20")["pipeline"]
    rules = pipeline.find_resources("AWS::Events::Rule").values()
    assert [rule["Properties"]["Name"] for rule in rules] == ["totesys-prod-alarm-changed"]
    schedules = pipeline.find_resources("AWS::Scheduler::Schedule").values()
    found = {s["Properties"]["Name"]: s["Properties"] for s in schedules}
    window = found["totesys-prod-recover"]
    assert window["ScheduleExpression"] == "rate(20 minutes)" and len(found) == 4
    assert json.loads(window["Target"]["Input"]) == {"trigger": "window"}


def test_hints_where_the_newest_documents_are_are_written_by_who_commits_them(prod):
    """And by nobody else; a hint beside the manifests would start the state machine."""
    writers = {}
    for name, policy in _resources(prod, "AWS::IAM::Policy").items():
        for statement in policy["Properties"]["PolicyDocument"]["Statement"]:
            if "s3:PutObject" in statement["Action"]:
                for key in re.findall(r"newest/([a-z*]+)", json.dumps(statement["Resource"])):
                    writers.setdefault(key, set()).add(re.search(r"/(\w+)/?Role", name)[1])
    of_the_job = {"publications": {"Transform"}, "listings": {"Transform"}}
    assert writers == of_the_job | {"loads": {"Load"}, "notices": {"Notify"}}


def test_batches_run_on_capacity_of_their_own_and_maintenance_on_what_is_spare(prod):
    jobs = {j["Properties"]["Name"]: j["Properties"] for j in _resources(prod, "AWS::Glue::Job").values()}
    assert {name: job["ExecutionClass"] for name, job in jobs.items()} == {
        "totesys-prod-transform": "STANDARD",
        "totesys-prod-maintenance": "FLEX",
    }
    for job in jobs.values():  # CloudWatch charges each metric of Glue
        assert not {"--enable-metrics", "--enable-observability-metrics"} & job["DefaultArguments"].keys()


def test_the_job_runs_alone_on_a_pinned_glue_with_few_workers(prod):
    prod["pipeline"].has_resource_properties(
        "AWS::Glue::Job",
        {
            "GlueVersion": "5.1",
            "WorkerType": "G.1X",
            "NumberOfWorkers": 10,
            "Timeout": 60,
            "ExecutionProperty": {"MaxConcurrentRuns": 1},
            "JobRunQueuingEnabled": True,
            "SecurityConfiguration": Match.any_value(),
            "DefaultArguments": Match.object_like({"--enable-auto-scaling": "true", "--datalake-formats": "iceberg"}),
        },
    )


def test_executions_are_traced_and_logged_without_their_data(prod):
    (machine,) = _resources(prod, "AWS::StepFunctions::StateMachine").values()
    assert machine["Properties"]["TracingConfiguration"] == {"Enabled": True}
    logging = machine["Properties"]["LoggingConfiguration"]
    assert logging["Level"] == "ALL" and logging["IncludeExecutionData"] is False


def test_functions_are_told_the_settings(prod, synthesise):
    def variables(templates):
        functions = _resources(templates, "AWS::Lambda::Function").values()
        return {
            f["Properties"]["Handler"].split(".")[1]: f["Properties"]["Environment"]["Variables"] for f in functions
        }

    plain = variables(prod)
    assert plain["load"]["LEDGER_SCHEMA"] == "" and plain["extract"]["GIVE_WAY_SECONDS"] == "2"
    assert plain["load"]["LOAD_SECONDS"] == "780"
    settings = {"ledger_schema": "books", "give_way_seconds": "7", "load_seconds": "20", "warehouse_schema": "star"}
    chosen = variables(synthesise(**settings))
    assert chosen["load"]["LEDGER_SCHEMA"] == "books" and chosen["load"]["WAREHOUSE_SCHEMA"] == "star"
    assert (chosen["extract"]["GIVE_WAY_SECONDS"], chosen["load"]["LOAD_SECONDS"]) == ("7", "20")


@pytest.mark.parametrize("role", ["Extract", "Load"])
def test_functions_may_read_the_hints_of_both_buckets(prod, role):
    """Without it nothing would fail: each search would only list as often as before there were hints."""
    (policy,) = (p for name, p in _resources(prod, "AWS::IAM::Policy").items() if f"/{role}Role" in name)
    statements = policy["Properties"]["PolicyDocument"]["Statement"]
    read = " ".join(json.dumps(s["Resource"]) for s in statements if "s3:GetObject" in s["Action"])
    assert set(re.findall(r"totesys-prod-(\w+)-111111111111-eu-west-2/newest/\*", read)) == {"ingestion", "processed"}


def test_the_extraction_reads_manifests_and_publications_and_no_data(prod):
    (policy,) = (p for name, p in _resources(prod, "AWS::IAM::Policy").items() if "/ExtractRole" in name)
    statements = policy["Properties"]["PolicyDocument"]["Statement"]
    read = [json.dumps(s["Resource"]) for s in statements if s["Action"] == "s3:GetObject"]
    keys = re.findall(r"totesys-prod-(\w+)-111111111111-eu-west-2/([^\"]*)", " ".join(read))
    known = [
        ("ingestion", "batches/*"),
        ("ingestion", "newest/*"),
        ("processed", "newest/*"),
        ("processed", "publications/*"),
    ]
    assert sorted(keys) == known


def test_every_failure_has_an_alarm_with_a_runbook(prod):
    alarms = _resources(prod, "AWS::CloudWatch::Alarm").values()
    names = [a["Properties"]["AlarmName"].removeprefix("totesys-prod-") for a in alarms]
    runbooks = Path(__file__).parents[2] / "docs" / "runbooks"
    assert sorted(names) == sorted(file.stem for file in runbooks.iterdir())
    for alarm in alarms:
        name = alarm["Properties"]["AlarmName"].removeprefix("totesys-prod-")
        assert alarm["Properties"]["AlarmDescription"].endswith(f"What to do: docs/runbooks/{name}.md")


def test_a_batch_that_no_load_confirms_raises_an_alarm_and_a_quiet_source_does_not(prod):
    """The extraction emits the metric, so that it grows when no load runs, and is 0 while nothing waits."""
    prod["alerting"].has_resource_properties(
        "AWS::CloudWatch::Alarm",
        {
            "AlarmName": "totesys-prod-not-fresh",
            "Threshold": 1800,
            "TreatMissingData": "notBreaching",
            "MetricName": "OldestUnloadedBatchAge",
            "Dimensions": [{"Name": "service", "Value": "totesys-prod-extract"}],
        },
    )


def test_alarms_are_mailed_and_texted_to_whom_the_settings_name(synthesise, prod):
    prod["alerting"].has_resource_properties(
        "AWS::SNS::Subscription", {"Protocol": "email", "Endpoint": "data@example.com"}
    )
    texted = synthesise(env="dev", alarm_phone="+441632960123")["alerting"]
    texted.has_resource_properties("AWS::SNS::Subscription", {"Protocol": "sms"})
    assert len(texted.find_resources("AWS::SNS::Subscription")) == 1


def test_the_log_can_be_queried_as_eleven_raw_tables(prod):
    tables = _resources(prod, "AWS::Glue::Table").values()
    inputs = {t["Properties"]["TableInput"]["Name"]: t["Properties"]["TableInput"] for t in tables}
    tables = {name: table for name, table in inputs.items() if table["TableType"] == "EXTERNAL_TABLE"}
    documents = {name: tables.pop(name) for name in ("batch", "publication", "load_note")}
    assert {d["Parameters"]["classification"] for d in documents.values()} == {"json"}
    inputs = tables

    assert set(inputs) == set(SOURCE_TABLES)
    for name, table in inputs.items():
        assert [c["Name"] for c in table["StorageDescriptor"]["Columns"]] == list(SOURCE_TABLES[name].column_names)
        assert table["Parameters"]["projection.extracted_date.type"] == "date"
        assert table["PartitionKeys"][0]["Name"] == "extracted_date"


def test_the_lakes_tables_belong_to_the_job(prod):
    """CloudFormation would break them with an update: in the lake it owns views, and tables in the raw database only."""
    databases = _resources(prod, "AWS::Glue::Database").values()
    assert sorted(d["Properties"]["DatabaseInput"]["Name"] for d in databases) == ["totesys", "totesys_raw"]
    tables = _resources(prod, "AWS::Glue::Table").values()
    external = [t for t in tables if t["Properties"]["TableInput"]["TableType"] == "EXTERNAL_TABLE"]
    assert {table["Properties"]["DatabaseName"] for table in external} == {"totesys_raw"}
    views = {t["Properties"]["TableInput"]["Name"]: t["Properties"] for t in tables if t not in external}
    assert set(views) == {*VIEWS, "batch_table", "publication_table", "quarantined"}
    assert {views[name]["DatabaseName"] for name in VIEWS} == {"totesys"}
    for view in views.values():
        assert view["TableInput"]["Parameters"]["presto_view"] == "true"
        assert all(column["Comment"] for column in view["TableInput"]["StorageDescriptor"]["Columns"])


def test_the_workgroup_is_enforced_and_limited(prod):
    prod["analytics"].has_resource_properties(
        "AWS::Athena::WorkGroup",
        {
            "WorkGroupConfiguration": Match.object_like(
                {"EnforceWorkGroupConfiguration": True, "BytesScannedCutoffPerQuery": 10**11}
            )
        },
    )
    assert len(prod["analytics"].find_resources("AWS::Athena::NamedQuery")) >= 4


def test_there_is_no_dashboard_without_a_principal(prod):
    assert not _resources(prod, "AWS::QuickSight::Dashboard")


def test_the_dashboard_reaches_the_warehouse_by_the_secret_of_the_load(synthesise):
    """All else of the dashboard is in test_quicksight.py."""
    templates = synthesise(
        quicksight_principal="arn:aws:quicksight:eu-west-2:111111111111:group/default/analysts",
        quicksight_source="warehouse",
        quicksight_warehouse_host="warehouse.example.com",
        quicksight_warehouse_database="star",
    )
    (source,) = templates["analytics"].find_resources("AWS::QuickSight::DataSource").values()
    asked = source["Properties"]["Credentials"]["SecretArn"]["Fn::ImportValue"]
    outputs = templates["pipeline"].to_json()["Outputs"].values()
    (given,) = (output["Value"]["Ref"] for output in outputs if output.get("Export", {}).get("Name") == asked)
    secret = templates["pipeline"].to_json()["Resources"][given]
    assert secret["Properties"]["Name"] == "totesys-prod/warehouse"


def test_two_syntheses_are_equal(synthesise):
    from tests.infra.conftest import _templates

    overrides = (("env", "prod"), ("schedules_enabled", False))
    first = {name: template.to_json() for name, template in _templates.__wrapped__(overrides).items()}
    second = {name: template.to_json() for name, template in _templates.__wrapped__(overrides).items()}
    assert first == second


def test_the_extraction_may_invoke_itself_and_who_tells_people_and_nothing_else(prod):
    """So that a batch that does not fit into one run goes on at once."""
    found = {}
    for name, policy in _resources(prod, "AWS::IAM::Policy").items():
        for statement in policy["Properties"]["PolicyDocument"]["Statement"]:
            if statement["Action"] == "lambda:InvokeFunction" and "/Extract" in name and "Schedule" not in name:
                found[name] = json.dumps(statement["Resource"])
    (resource,) = found.values()
    assert resource.count("function:") == 2 and "function:totesys-prod-extract" in resource
    assert "function:totesys-prod-notify" in resource


def test_every_role_is_bounded_and_every_resource_tagged(synthesise):
    boundary = "arn:aws:iam::111111111111:policy/boundary"
    templates = synthesise(permissions_boundary=boundary, tags="team=data")
    roles = [r for t in templates.values() for r in t.find_resources("AWS::IAM::Role").values()]
    assert roles and all(role["Properties"]["PermissionsBoundary"] == boundary for role in roles)
    for role in roles:
        tags = {tag["Key"]: tag["Value"] for tag in role["Properties"]["Tags"]}
        assert tags == {"application": "totesys", "environment": "prod", "team": "data"}


def test_several_people_subscribe(synthesise):
    alerting = synthesise(alarm_email="a@example.com,b@example.com", alarm_phone="+441632960123,+441632960124")[
        "alerting"
    ]
    told = [r["Properties"]["Endpoint"] for r in alerting.find_resources("AWS::SNS::Subscription").values()]
    assert sorted(told) == ["+441632960123", "+441632960124", "a@example.com", "b@example.com"]


def test_stacks_with_data_to_keep_refuse_to_be_deleted(tmp_path):
    protected = {}
    for env, settings in CDK_JSON["context"]["environments"].items():
        app = cdk.App(context=CDK_JSON["context"], outdir=str(tmp_path / env))
        composition.build(app, read_settings({**OVERRIDES, "env": env}, {env: settings}))
        protected[env] = {s.termination_protection for s in app.node.children if isinstance(s, cdk.Stack)}
    assert protected == {"dev": {False}, "prod": {True}, "local": {False}}
