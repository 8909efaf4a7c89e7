"""``template.yaml`` against the code that it deploys, and against the house rules of security."""

import re
from dataclasses import fields
from typing import Any

import pytest
from recommender.aws import leases
from recommender.pipeline import settings

from functions.predict import app as predict
from testbed import template
from testbed.template import Block, Statement

FUNCTIONS = template.functions()
GLOBALS = template.load()["Globals"]["Function"]["Environment"]["Variables"]
POLICIES = list(template.statements())
ALLOWED = [(owner, one) for owner, one in POLICIES if one.effect == "Allow"]
BUCKETS = template.resources("AWS::S3::Bucket")
RULES = template.resources("AWS::Events::Rule")
ALARMS = template.resources("AWS::CloudWatch::Alarm")


def ids(pairs: list[tuple[str, Statement]]) -> list[str]:
    return [f"{owner}-{one.sid}" for owner, one in pairs]


def of_bucket(policies: dict[str, Block], bucket: str) -> list[Block]:
    (found,) = (
        one["Properties"]["PolicyDocument"]["Statement"]
        for one in policies.values()
        if one["Properties"]["Bucket"] == {"Ref": bucket}
    )
    return list(found)


@pytest.mark.parametrize("function", FUNCTIONS)
def test_a_function_is_given_what_its_settings_ask_for_and_nothing_else(function: str) -> None:
    asked = {field.name.upper() for field in fields(getattr(settings, f"{function}Settings"))}
    given = set(FUNCTIONS[function]["Environment"]["Variables"])
    assert given == asked


@pytest.mark.parametrize("function", FUNCTIONS)
def test_settings_can_be_read_from_what_the_template_gives(function: str) -> None:
    read = getattr(settings, f"{function}Settings").from_environ(template.environment(function))
    assert all(value != "" for value in vars(read).values())


def test_what_all_functions_are_given_is_for_powertools_alone() -> None:
    assert all(name.startswith("POWERTOOLS_") for name in GLOBALS)


def test_every_settings_class_has_its_function() -> None:
    classes = {
        name.removesuffix("Settings")
        for name, one in vars(settings).items()
        if isinstance(one, type) and issubclass(one, settings.Settings)
    }
    assert classes - {""} == set(FUNCTIONS)


@pytest.mark.parametrize("function", FUNCTIONS)
def test_a_function_lies_in_a_folder_of_its_own_name(function: str) -> None:
    folder = re.sub(r"(?<!^)(?=[A-Z])", "_", function).lower()
    assert FUNCTIONS[function]["CodeUri"] == f"functions/{folder}"
    assert FUNCTIONS[function]["Handler"] == "app.lambda_handler"
    assert (template.ROOT / "functions" / folder / "app.py").is_file()
    assert template.resolve(FUNCTIONS[function]["FunctionName"]) == "matinee-" + folder.replace(
        "_", "-"
    )


@pytest.mark.parametrize("function", FUNCTIONS)
def test_a_function_says_what_it_is_for(function: str) -> None:
    assert len(FUNCTIONS[function]["Description"]) > 20


@pytest.mark.parametrize("function", FUNCTIONS)
def test_a_function_keeps_its_logs_for_as_long_as_it_was_told(function: str) -> None:
    (group,) = (
        one["Properties"]
        for one in template.resources("AWS::Logs::LogGroup").values()
        if template.resolve(one["Properties"]["LogGroupName"])
        == f"/aws/lambda/{template.resolve(FUNCTIONS[function]['FunctionName'])}"
    )
    assert group["RetentionInDays"] == {"Ref": "LogRetentionDays"}


def test_every_log_group_has_a_retention() -> None:
    groups = template.resources("AWS::Logs::LogGroup")
    assert len(groups) == len(FUNCTIONS) + 2  # and the state machines'
    assert all("RetentionInDays" in one["Properties"] for one in groups.values())


@pytest.mark.parametrize("part", ["Parameters", "Outputs"])
def test_everything_that_an_operator_sees_is_described(part: str) -> None:
    for name, one in template.load()[part].items():
        assert len(one.get("Description", "")) > 15, name


def test_every_parameter_has_a_default_so_that_a_first_deployment_needs_none() -> None:
    assert all("Default" in one for one in template.load()["Parameters"].values())


def test_every_parameter_is_used() -> None:
    def names(value: object) -> set[str]:
        if isinstance(value, dict):
            found = {value["Ref"]} if set(value) == {"Ref"} else set()
            if set(value) == {"Fn::Sub"}:
                found = set(re.findall(r"\$\{(\w+)", value["Fn::Sub"]))
            return found.union(*map(names, value.values()))
        return set().union(*map(names, value)) if isinstance(value, list) else set()

    used = names({key: part for key, part in template.load().items() if key != "Parameters"})
    assert set(template.load()["Parameters"]) <= used


@pytest.mark.parametrize(("owner", "statement"), ALLOWED, ids=ids(ALLOWED))
def test_no_permission_is_given_for_actions_that_nobody_named(
    owner: str, statement: Statement
) -> None:
    assert statement.actions
    for action in statement.actions:
        assert re.fullmatch(r"[a-z0-9-]+:[A-Za-z]+", action), f"{owner} may {action}"


WITHOUT_RESOURCES = {
    "cloudwatch:PutMetricData",
    "ecr:GetAuthorizationToken",
    "logs:CreateLogDelivery",
    "logs:GetLogDelivery",
    "logs:UpdateLogDelivery",
    "logs:DeleteLogDelivery",
    "logs:ListLogDeliveries",
    "logs:PutResourcePolicy",
    "logs:DescribeResourcePolicies",
    "logs:DescribeLogGroups",
}
"""Actions that know no resources, says AWS's service authorization reference."""


@pytest.mark.parametrize(("owner", "statement"), ALLOWED, ids=ids(ALLOWED))
def test_a_permission_for_everything_is_given_only_where_no_resource_can_be_named(
    owner: str, statement: Statement
) -> None:
    if "*" in statement.resources:
        assert set(statement.actions) <= WITHOUT_RESOURCES


@pytest.mark.parametrize(("owner", "statement"), ALLOWED, ids=ids(ALLOWED))
def test_a_role_is_handed_to_sagemaker_and_to_nobody_else(owner: str, statement: Statement) -> None:
    if "iam:PassRole" in statement.actions:
        assert statement.actions == ("iam:PassRole",)
        assert statement.resources == (
            f"arn:aws:iam::{template.ACCOUNT}:role/matinee-sagemakerrole",
        )
        assert statement.condition == {
            "StringEquals": {"iam:PassedToService": "sagemaker.amazonaws.com"}
        }


@pytest.mark.parametrize("function", FUNCTIONS)
def test_a_function_has_a_role_of_its_own_with_policies_written_out(function: str) -> None:
    assert "Role" not in FUNCTIONS[function]
    assert all(
        isinstance(one, dict) and "Statement" in one for one in FUNCTIONS[function]["Policies"]
    )


def test_roles_have_no_managed_policies() -> None:
    for role in template.resources("AWS::IAM::Role").values():
        assert "ManagedPolicyArns" not in role["Properties"]


# The next look is as good as one that was lost.
@pytest.mark.parametrize("rule", sorted(set(RULES) - {"LookAfterRule"}))
def test_an_event_that_cannot_be_delivered_is_tried_for_a_day_and_then_kept(rule: str) -> None:
    targets = RULES[rule]["Properties"]["Targets"]
    assert targets
    for target in targets:
        assert target["RetryPolicy"] == {
            "MaximumRetryAttempts": 185,
            "MaximumEventAgeInSeconds": 86400,
        }
        assert target["DeadLetterConfig"] == {"Arn": {"Fn::GetAtt": ["DeadLetters", "Arn"]}}


@pytest.mark.parametrize("rule", RULES)
def test_a_rule_may_call_its_target_and_keep_what_it_could_not_deliver(rule: str) -> None:
    arn = f"arn:aws:events:{template.REGION}:{template.ACCOUNT}:rule/matinee-{rule.lower()}"
    callers = [
        template.resolve(one["Properties"]["SourceArn"])
        for one in template.resources("AWS::Lambda::Permission").values()
    ]
    assert callers.count(arn) == 1
    if "DeadLetterConfig" not in RULES[rule]["Properties"]["Targets"][0]:
        return
    (letters,) = (one for owner, one in POLICIES if owner == "DeadLettersPolicy")
    assert arn in letters.condition["ArnEquals"]["aws:SourceArn"]


def test_uploads_and_settings_are_listened_to_in_the_ratings_bucket_alone() -> None:
    pattern = template.resolve(RULES["UploadRule"]["Properties"]["EventPattern"])
    assert pattern == {
        "source": ["aws.s3"],
        "detail-type": ["Object Created", "Object Deleted"],
        "detail": {
            "bucket": {"name": [template.environment("EncodeRatings")["RATINGS_BUCKET"]]},
        },
    }


def test_pair_lists_are_listened_to_beside_all_other_uploads() -> None:
    pattern = template.resolve(RULES["PairListRule"]["Properties"]["EventPattern"])
    assert pattern["detail-type"] == ["Object Created"]
    bucket = template.environment("EncodePairs")["RATINGS_BUCKET"]
    assert pattern["detail"] == {
        "bucket": {"name": [bucket]},
        "object": {"key": [{"prefix": "scoring/"}]},
    }


def test_a_scoring_that_cannot_end_itself_is_cleared_up_behind() -> None:
    pattern = template.resolve(RULES["AbandonedScoringRule"]["Properties"]["EventPattern"])
    assert set(pattern["detail"]["status"]) == {"ABORTED", "TIMED_OUT"}
    assert pattern["detail"]["stateMachineArn"] == [
        template.environment("AdmitPairs")["STATE_MACHINE_ARN"]
    ]


def test_every_end_of_a_run_other_than_success_is_listened_to() -> None:
    pattern = template.resolve(RULES["AbandonedRunRule"]["Properties"]["EventPattern"])
    assert set(pattern["detail"]["status"]) == {"ABORTED", "TIMED_OUT", "FAILED"}
    assert pattern["detail"]["stateMachineArn"] == [
        template.environment("AdmitUpload")["STATE_MACHINE_ARN"]
    ]


def test_failed_runs_are_looked_after_within_the_shortest_pause() -> None:
    schedule = RULES["LookAfterRule"]["Properties"]["ScheduleExpression"]
    assert schedule == f"rate({leases.RETRY_PAUSES[0] // 60} minutes)"


@pytest.mark.parametrize("function", ["AdmitUpload", "AdmitPairs"])
def test_what_was_delivered_and_not_handled_is_kept_too(function: str) -> None:
    invoked = FUNCTIONS[function]["EventInvokeConfig"]
    assert invoked["DestinationConfig"]["OnFailure"] == {
        "Type": "SQS",
        "Destination": {"Fn::GetAtt": ["DeadLetters", "Arn"]},
    }


def test_dead_letters_are_kept_as_long_as_a_queue_can() -> None:
    letters = template.resources()["DeadLetters"]["Properties"]
    assert letters["MessageRetentionPeriod"] == 14 * 24 * 3600


@pytest.mark.parametrize("bucket", BUCKETS)
def test_a_bucket_is_private_encrypted_and_tidy(bucket: str) -> None:
    properties = BUCKETS[bucket]["Properties"]
    assert properties["PublicAccessBlockConfiguration"] == {
        "BlockPublicAcls": True,
        "BlockPublicPolicy": True,
        "IgnorePublicAcls": True,
        "RestrictPublicBuckets": True,
    }
    (encryption,) = properties["BucketEncryption"]["ServerSideEncryptionConfiguration"]
    assert encryption["ServerSideEncryptionByDefault"]["SSEAlgorithm"] in ("AES256", "aws:kms")
    rules = properties["LifecycleConfiguration"]["Rules"]
    assert any("AbortIncompleteMultipartUpload" in rule for rule in rules)
    assert all("ExpirationInDays" not in rule for rule in rules)


@pytest.mark.parametrize("bucket", BUCKETS)
def test_a_bucket_outlives_its_stack(bucket: str) -> None:
    assert BUCKETS[bucket]["DeletionPolicy"] in ("Retain", "RetainExceptOnCreate")
    assert BUCKETS[bucket]["UpdateReplacePolicy"] == "Retain"


@pytest.mark.parametrize("bucket", BUCKETS)
def test_a_bucket_and_its_objects_refuse_plain_http(bucket: str) -> None:
    (deny,) = of_bucket(template.resources("AWS::S3::BucketPolicy"), bucket)
    assert (deny["Effect"], deny["Principal"], deny["Action"]) == ("Deny", "*", "s3:*")
    assert deny["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}
    arn = template.resolve({"Fn::GetAtt": [bucket, "Arn"]})
    assert template.resolve(deny["Resource"]) == [arn, f"{arn}/*"]


def test_the_ratings_bucket_keeps_versions_and_tells_eventbridge() -> None:
    properties = BUCKETS["RatingsBucket"]["Properties"]
    assert properties["VersioningConfiguration"] == {"Status": "Enabled"}
    assert properties["NotificationConfiguration"] == {
        "EventBridgeConfiguration": {"EventBridgeEnabled": True}
    }


def test_the_table_has_the_key_that_leases_are_kept_under() -> None:
    table = template.resources()["StateTable"]["Properties"]
    assert {one["AttributeName"]: one["KeyType"] for one in table["KeySchema"]} == {
        "catalog": "HASH",
        "record": "RANGE",
    }
    assert table["SSESpecification"] == {"SSEEnabled": True}


def alarm_on(namespace: str, metric: str, dimensions: dict[str, Any]) -> Block:
    wanted = [{"Name": name, "Value": value} for name, value in dimensions.items()]
    (found,) = (
        one["Properties"]
        for one in ALARMS.values()
        if (one["Properties"]["Namespace"], one["Properties"]["MetricName"]) == (namespace, metric)
        and one["Properties"]["Dimensions"] == wanted
    )
    return dict(found)


@pytest.mark.parametrize(
    ("namespace", "metric", "dimensions"),
    [
        ("AWS/States", "ExecutionsFailed", {"StateMachineArn": {"Ref": "RetrainMachine"}}),
        ("AWS/States", "ExecutionsFailed", {"StateMachineArn": {"Ref": "ScoringMachine"}}),
        ("AWS/States", "ExecutionsTimedOut", {"StateMachineArn": {"Ref": "RetrainMachine"}}),
        ("AWS/States", "ExecutionsAborted", {"StateMachineArn": {"Ref": "RetrainMachine"}}),
        (
            "AWS/SQS",
            "ApproximateNumberOfMessagesVisible",
            {"QueueName": {"Fn::GetAtt": ["DeadLetters", "QueueName"]}},
        ),
        (
            "AWS/ApiGateway",
            "5XXError",
            {"ApiName": {"Ref": "AWS::StackName"}, "Stage": "api"},
        ),
        (GLOBALS["POWERTOOLS_METRICS_NAMESPACE"], "EndpointErrors", {"service": "matinee"}),
    ],
)
def test_an_alarm_hears_of_the_first_trouble(
    namespace: str, metric: str, dimensions: dict[str, Any]
) -> None:
    alarm = alarm_on(namespace, metric, dimensions)
    assert (alarm["Threshold"], alarm["EvaluationPeriods"]) == (1, 1)
    assert alarm["ComparisonOperator"] == "GreaterThanOrEqualToThreshold"
    assert alarm["TreatMissingData"] == "notBreaching"


@pytest.mark.parametrize("alarm", ALARMS)
def test_an_alarm_tells_the_topic_in_words(alarm: str) -> None:
    assert ALARMS[alarm]["Properties"]["AlarmActions"] == [{"Ref": "NoticeTopic"}]
    assert len(ALARMS[alarm]["Properties"]["AlarmDescription"]) > 20


def test_alarms_can_publish_to_the_topic() -> None:
    # Under the AWS-managed key they cannot, and say nothing.
    assert "KmsMasterKeyId" not in template.resources()["NoticeTopic"]["Properties"]


def test_the_api_answers_signed_calls_only() -> None:
    api = template.resources()["Api"]["Properties"]
    assert api["Auth"]["DefaultAuthorizer"] == "AWS_IAM"
    for event in FUNCTIONS["Predict"]["Events"].values():
        assert "Auth" not in event["Properties"]


def test_the_api_is_throttled() -> None:
    (settings_of_all,) = template.resources()["Api"]["Properties"]["MethodSettings"]
    assert (settings_of_all["ResourcePath"], settings_of_all["HttpMethod"]) == ("/*", "*")
    assert settings_of_all["ThrottlingRateLimit"] > 0
    assert settings_of_all["ThrottlingBurstLimit"] > 0


def test_the_api_has_the_routes_that_the_code_answers() -> None:
    served = {
        (method, re.sub(r"<(\w+)>", r"{\1}", route.path))
        for route in [*predict.app._static_routes, *predict.app._dynamic_routes]
        for method in ([route.method] if isinstance(route.method, str) else route.method)
    }
    given = {
        (one["Properties"]["Method"], one["Properties"]["Path"])
        for one in FUNCTIONS["Predict"]["Events"].values()
    }
    assert given == served


def test_sagemaker_takes_the_role_of_jobs_for_this_account_only() -> None:
    trust = template.resources()["SageMakerRole"]["Properties"]["AssumeRolePolicyDocument"]
    (statement,) = trust["Statement"]
    assert statement["Principal"] == {"Service": "sagemaker.amazonaws.com"}
    assert template.resolve(statement["Condition"]) == {
        "StringEquals": {"aws:SourceAccount": template.ACCOUNT}
    }
