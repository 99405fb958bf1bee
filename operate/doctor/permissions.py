"""What the checks ask AWS, and the permission that each question needs."""

from botocore.exceptions import ClientError

#: Operation → permission. A test keeps it equal to what the checks call; docs/deploying.md lists it.
PERMISSIONS = {
    "GetCallerIdentity": "sts:GetCallerIdentity",
    "GetParameter": "ssm:GetParameter",
    "DescribeStacks": "cloudformation:DescribeStacks",
    "HeadBucket": "s3:ListBucket",
    "ListObjectsV2": "s3:ListBucket",
    "GetObject": "s3:GetObject",
    "GetDatabase": "glue:GetDatabase",
    "DescribeSecret": "secretsmanager:DescribeSecret",
    "GetSecretValue": "secretsmanager:GetSecretValue",
    "DescribeSubnets": "ec2:DescribeSubnets",
    "DescribeSecurityGroups": "ec2:DescribeSecurityGroups",
    "DescribeRouteTables": "ec2:DescribeRouteTables",
    "DescribeVpcEndpoints": "ec2:DescribeVpcEndpoints",
    "DescribeVpcAttribute": "ec2:DescribeVpcAttribute",
    "ListSubscriptionsByTopic": "sns:ListSubscriptionsByTopic",
    "GetSMSSandboxAccountStatus": "sns:GetSMSSandboxAccountStatus",
    "ListSMSSandboxPhoneNumbers": "sns:ListSMSSandboxPhoneNumbers",
    "GetSMSAttributes": "sns:GetSMSAttributes",
    "DescribeAccountSubscription": "quicksight:DescribeAccountSubscription",
    "DescribeUser": "quicksight:DescribeUser",
    "DescribeGroup": "quicksight:DescribeGroup",
    "DescribeDataSet": "quicksight:DescribeDataSet",
    "GetAccountSettings": "lambda:GetAccountSettings",
    "GetFunctionConcurrency": "lambda:GetFunctionConcurrency",
    "ListServiceQuotas": "servicequotas:ListServiceQuotas",
    "DescribeKey": "kms:DescribeKey",
    "GetKeyPolicy": "kms:GetKeyPolicy",
    "GetDataLakeSettings": "lakeformation:GetDataLakeSettings",
}
_DENIED = {
    *("AccessDenied", "AccessDeniedException", "UnauthorizedOperation", "403", "Forbidden"),
    *("AuthorizationError", "AuthorizationErrorException"),
}
_NOT_FOUND = {
    *("404", "NoSuchBucket", "NotFound", "NotFoundException", "ParameterNotFound", "EntityNotFoundException"),
    "ResourceNotFoundException",
}


def code(error: ClientError) -> str:
    """Return AWS's code of an error."""
    return str(error.response.get("Error", {}).get("Code", ""))


def denied(error: ClientError) -> str:
    """Return the permission for lack of which an operation was refused, or ""."""
    return PERMISSIONS.get(error.operation_name, error.operation_name) if code(error) in _DENIED else ""


def is_not_found(error: ClientError) -> bool:
    """Tell whether what was asked for does not exist."""
    return code(error) in _NOT_FOUND
