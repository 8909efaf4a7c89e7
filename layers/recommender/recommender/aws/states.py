"""Step Functions: start a run once, and see whether its execution still runs."""

import json
from collections.abc import Mapping

from botocore.exceptions import ClientError

from recommender.aws.clients import error_code, passing_troubles, stepfunctions


def execution_arn(state_machine_arn: str, name: str) -> str:
    """The ARN of an execution, from its machine's and its own name."""
    return f"{state_machine_arn.replace(':stateMachine:', ':execution:')}:{name}"


def ensure_execution(state_machine_arn: str, name: str, run_input: Mapping[str, object]) -> None:
    """Start an execution, or find that it was started before.

    Step Functions itself compares: the same name with the same input is one execution.
    """
    with passing_troubles("states:StartExecution"):
        try:
            stepfunctions().start_execution(
                stateMachineArn=state_machine_arn,
                name=name,
                input=json.dumps(run_input, sort_keys=True),
            )
        except ClientError as error:
            # Ended already: the name says which lease it served, so it is ours.
            if error_code(error) != "ExecutionAlreadyExists":
                raise


def execution_status(state_machine_arn: str, name: str) -> str | None:
    """Look at an execution: ``RUNNING`` or how it ended; None when it never started."""
    with passing_troubles("states:DescribeExecution"):
        try:
            arn = execution_arn(state_machine_arn, name)
            return stepfunctions().describe_execution(executionArn=arn)["status"]
        except ClientError as error:
            if error_code(error) == "ExecutionDoesNotExist":
                return None
            raise
