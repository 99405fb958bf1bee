"""No event is lost without a trace: every asynchronous edge has a dead-letter queue, and its role may write there."""

import json

import pytest

from contracts.alarms import BACKSTOP, Alarm

QUEUE = "DeadLetters"


def _of(templates, kind, stack="pipeline"):
    return {name: found["Properties"] for name, found in templates[stack].find_resources(kind).items()}


def _policies(templates):
    """Statements by the logical name of the role that they are for."""
    return {
        found["Roles"][0]["Ref"]: found["PolicyDocument"]["Statement"]
        for found in _of(templates, "AWS::IAM::Policy").values()
    }


def _allows(statements, action, resource):
    return any(
        action in ([s["Action"]] if isinstance(s["Action"], str) else s["Action"])
        and resource in json.dumps(s["Resource"])
        for s in statements
    )


def test_each_schedule_gives_up_soon_and_keeps_what_it_could_not_start(prod):
    schedules = {
        s["Name"].removeprefix("totesys-prod-"): s["Target"] for s in _of(prod, "AWS::Scheduler::Schedule").values()
    }
    ages = {name: target["RetryPolicy"]["MaximumEventAgeInSeconds"] for name, target in schedules.items()}
    assert ages == {"extract": 300, "recover": 900, "keys": 21600, "maintain": 21600}, (
        "what comes again is not tried for long"
    )
    policies = _policies(prod)
    for target in schedules.values():
        assert QUEUE in json.dumps(target["DeadLetterConfig"]["Arn"])
        assert _allows(policies[target["RoleArn"]["Fn::GetAtt"][0]], "sqs:SendMessage", QUEUE)


def test_each_rule_keeps_what_it_could_not_deliver_and_may_write_to_the_queue(prod):
    rules = _of(prod, "AWS::Events::Rule")
    assert {rule["Name"] for rule in rules.values()} == {"totesys-prod-batch-committed", "totesys-prod-alarm-changed"}
    (policy,) = _of(prod, "AWS::SQS::QueuePolicy").values()
    allowed = [s for s in policy["PolicyDocument"]["Statement"] if s["Effect"] == "Allow"]
    for name, rule in rules.items():
        (target,) = rule["Targets"]
        assert QUEUE in json.dumps(target["DeadLetterConfig"])
        assert target["RetryPolicy"] == {"MaximumEventAgeInSeconds": 3600, "MaximumRetryAttempts": 8}
        (statement,) = (s for s in allowed if name in json.dumps(s["Condition"]))
        assert statement["Principal"] == {"Service": "events.amazonaws.com"}
        assert statement["Action"] == "sqs:SendMessage" and "aws:SourceArn" in json.dumps(statement["Condition"])
    assert len(allowed) == len(rules)


def test_failed_invocations_are_told_or_kept_and_those_of_schedules_are_not_tried_again(prod):
    names = ("Extract", "Load", "Notify")
    by = {
        next(name for name in names if c["FunctionName"]["Ref"].startswith(f"{name}Function")): (
            c["MaximumRetryAttempts"],
            c["MaximumEventAgeInSeconds"],
            json.dumps(c["DestinationConfig"]),
        )
        for c in _of(prod, "AWS::Lambda::EventInvokeConfig").values()
    }
    assert {name: value[:2] for name, value in by.items()} == {
        "Extract": (0, 960),
        "Load": (0, 960),
        "Notify": (2, 3600),
    }
    assert "function:totesys-prod-notify" in by["Extract"][2]
    assert QUEUE in by["Load"][2] and QUEUE in by["Notify"][2]
    roles = {
        name: next(found for role, found in _policies(prod).items() if role.startswith(f"{name}Role")) for name in names
    }
    assert _allows(roles["Extract"], "lambda:InvokeFunction", "function:totesys-prod-notify")
    for name in ("Load", "Notify"):
        assert _allows(roles[name], "sqs:SendMessage", QUEUE)


@pytest.mark.parametrize("has_key", [True, False])
def test_the_queue_is_encrypted_kept_for_14_days_and_usable_with_its_key(synthesise, has_key):
    templates = synthesise(alarm_email="data@example.com", customer_key=has_key)
    (queue,) = _of(templates, "AWS::SQS::Queue").values()
    assert queue["MessageRetentionPeriod"] == 14 * 24 * 3600
    assert (queue.get("KmsMasterKeyId") is not None, queue.get("SqsManagedSseEnabled", False)) == (has_key, not has_key)
    statements = _policies(templates)
    writers = [name for name, s in statements.items() if _allows(s, "sqs:SendMessage", QUEUE)]
    assert len(writers) == 6, "four schedules and two functions"
    with_key = [name for name in writers if _allows(statements[name], "kms:GenerateDataKey", "Key")]
    assert len(with_key) == (6 if has_key else 1), "the notify function needs it for the topic"


def test_what_could_not_be_delivered_is_told_by_the_topic_itself_and_all_else_by_the_function(prod):
    alarms = {
        a["AlarmName"].removeprefix("totesys-prod-"): a
        for a in _of(prod, "AWS::CloudWatch::Alarm", "alerting").values()
    }
    assert alarms.keys() == {*Alarm}
    assert {name for name, alarm in alarms.items() if "AlarmActions" in alarm or "OKActions" in alarm} == {BACKSTOP}
    assert alarms[BACKSTOP]["MetricName"] == "ApproximateNumberOfMessagesVisible" and alarms[BACKSTOP]["Threshold"] == 0
    (rule,) = (r for r in _of(prod, "AWS::Events::Rule").values() if r["Name"] == "totesys-prod-alarm-changed")
    assert set(rule["EventPattern"]["detail"]["alarmName"]) == {
        f"totesys-prod-{name}" for name in alarms.keys() - {BACKSTOP}
    }
    assert rule["EventPattern"]["source"] == ["aws.cloudwatch"]
    (permission,) = _of(prod, "AWS::Lambda::Permission").values()
    assert permission["Principal"] == "events.amazonaws.com" and "AlarmChanged" in json.dumps(permission["SourceArn"])


def test_the_function_that_tells_people_may_remember_and_tell_and_nothing_else(prod):
    (statements,) = (s for name, s in _policies(prod).items() if name.startswith("NotifyRole"))
    actions = {a for s in statements for a in ([s["Action"]] if isinstance(s["Action"], str) else s["Action"])}
    assert actions == {
        "logs:CreateLogStream", "logs:PutLogEvents", "s3:ListBucket", "s3:GetObject", "s3:PutObject", "sns:Publish",
        "kms:GenerateDataKey", "kms:Decrypt", "sqs:SendMessage",
    }  # fmt: skip
    (objects,) = (s for s in statements if "s3:PutObject" in s["Action"])
    assert "/notices/*" in json.dumps(objects["Resource"])


@pytest.mark.parametrize(("minutes", "calm", "unchecked"), [(5, 6, 6), (1, 6, 6), (10, 6, 7), (30, 12, 15)])
def test_alarms_follow_how_often_the_source_is_read(synthesise, minutes, calm, unchecked):
    templates = synthesise(alarm_email="data@example.com", extract_minutes=minutes)
    alarms = {
        a["AlarmName"].removeprefix("totesys-prod-"): a
        for a in _of(templates, "AWS::CloudWatch::Alarm", "alerting").values()
    }
    failed, missed = alarms["extract-failed"], alarms["source-not-checked"]
    assert (failed["EvaluationPeriods"], failed["DatapointsToAlarm"]) == (calm, 1)
    assert (missed["EvaluationPeriods"], missed["DatapointsToAlarm"]) == (unchecked, unchecked)
    assert f"for {5 * unchecked} minutes" in missed["AlarmDescription"]
    assert 5 * unchecked >= 2 * minutes + 15 or minutes < 8, "a run of 15 minutes, and the next one"


def test_one_extraction_at_a_time_is_aws_own_doing_only_when_it_is_asked_for(synthesise, prod):
    def reserved(templates):
        return {
            f["FunctionName"]: f.get("ReservedConcurrentExecutions")
            for f in _of(templates, "AWS::Lambda::Function").values()
        }

    nobody = dict.fromkeys(("totesys-prod-extract", "totesys-prod-load", "totesys-prod-notify"))
    assert reserved(prod) == nobody
    chosen = synthesise(alarm_email="data@example.com", reserve_concurrency=True)
    assert reserved(chosen) == {**nobody, "totesys-prod-extract": 1}


def test_messages_name_the_runbooks_where_the_settings_say(synthesise):
    templates = synthesise(alarm_email="data@example.com", runbooks="https://example.com/runbooks/")
    functions = {
        f["FunctionName"]: f["Environment"]["Variables"] for f in _of(templates, "AWS::Lambda::Function").values()
    }
    assert functions["totesys-prod-notify"]["RUNBOOKS"] == "https://example.com/runbooks/"
    for alarm in _of(templates, "AWS::CloudWatch::Alarm", "alerting").values():
        assert "What to do: https://example.com/runbooks/" in alarm["AlarmDescription"]
