"""What values of settings look like: lists and pairs as the command line gives them, and names as AWS writes them."""

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, StringConstraints

#: What a value looks like, for settings that follow a pattern: a message shows it rather than the pattern.
EXAMPLES = {
    "environment": "dev",
    "account": "111122223333",
    "region": "eu-west-2",
    "alarm_email": "you@example.com",
    "alarm_phone": "+441632960123",
    "runbooks": "docs/runbooks/",
    "permissions_boundary": "arn:aws:iam::111122223333:policy/boundary",
    "vpc_id": "vpc-0123456789abcdef0",
    "subnet_ids": "subnet-0123456789abcdef0",
    "security_group_ids": "sg-0123456789abcdef0",
    "route_table_ids": "rtb-0123456789abcdef0",
    "source_secret_arn": "arn:aws:secretsmanager:eu-west-2:111122223333:secret:source-AbCdEf",
    "warehouse_secret_arn": "arn:aws:secretsmanager:eu-west-2:111122223333:secret:warehouse-AbCdEf",
    "key_arn": "arn:aws:kms:eu-west-2:111122223333:key/01234567-89ab-cdef-0123-456789abcdef",
    "warehouse_schema": "public",
    "ledger_schema": "etl",
    "quicksight_principal": "arn:aws:quicksight:eu-west-2:111122223333:user/default/you",
    "quicksight_readers": "arn:aws:quicksight:eu-west-2:111122223333:group/default/readers",
    "quicksight_warehouse_host": "warehouse.example.com",
    "quicksight_vpc_connection": "arn:aws:quicksight:eu-west-2:111122223333:vpcConnection/warehouse",
    "quicksight_row_level_data_set": "arn:aws:quicksight:eu-west-2:111122223333:dataset/rules",
}


def quicksight_arn(kind: str) -> str:
    """Return the pattern of ARNs of one kind."""
    return rf"^arn:aws[a-z-]*:quicksight:[a-z0-9-]+:\d{{12}}:{kind}/.+$"


SECRET_ARN = r"^arn:aws[a-z-]*:secretsmanager:[a-z0-9-]+:\d{12}:secret:.+-[A-Za-z0-9]{6}$"  # noqa: S105 - a pattern


def _items(value: Any) -> Any:
    """Take a text, as the command line gives it, apart at its commas."""
    if isinstance(value, str):
        return tuple(item.strip() for item in value.split(",") if item.strip())
    return value


def _pairs(value: Any) -> Any:
    """Take ``name=value,name=value`` apart."""
    if isinstance(value, str):
        return dict(item.partition("=")[::2] for item in _items(value))
    return value


_Several = BeforeValidator(_items)
Addresses = Annotated[tuple[Annotated[str, StringConstraints(pattern=r"^[^@\s]+@[^@\s]+\.[^@\s]+$")], ...], _Several]
Phones = Annotated[tuple[Annotated[str, StringConstraints(pattern=r"^\+[1-9]\d{6,14}$")], ...], _Several]
Subnets = Annotated[tuple[Annotated[str, StringConstraints(pattern=r"^subnet-[0-9a-f]{8,17}$")], ...], _Several]
SecurityGroups = Annotated[tuple[Annotated[str, StringConstraints(pattern=r"^sg-[0-9a-f]{8,17}$")], ...], _Several]
RouteTables = Annotated[tuple[Annotated[str, StringConstraints(pattern=r"^rtb-[0-9a-f]{8,17}$")], ...], _Several]
Endpoints = Annotated[tuple[Literal["s3", "secretsmanager", "kms", "logs", "lambda"], ...], _Several]
Tags = Annotated[dict[str, Annotated[str, StringConstraints(max_length=256)]], BeforeValidator(_pairs)]
