"""All that can be found, and what to do then. The table in docs/deploying.md is made of it."""

from enum import Enum
from typing import Any

from operate.doctor.finding import Finding, Level

_P, _W = Level.PROBLEM, Level.WARNING
_IN_CDK_JSON = "in cdk.json, environment {environment}"


class Kind(Enum):
    """A kind of finding: its level, what it means, and the remedy, in which names in braces are filled."""

    SETTINGS_UNUSABLE = (
        *(_P, "The settings are not usable: a name is unknown, or a value is not allowed."),
        "Correct the setting that is named, in cdk.json or on the command line. cdk_app/settings.py describes each one.",
    )
    PLACEHOLDER_ACCOUNT = (
        *(_P, "A setting still has an account of AWS's examples."),
        f"Put your own account's number there, {_IN_CDK_JSON}.",
    )
    PLACEHOLDER_ADDRESS = (
        *(_P, "A setting still has an address of an example's domain."),
        f"Put an address there that somebody reads, {_IN_CDK_JSON}.",
    )
    NOBODY_IS_TOLD = (
        *(_W, "Nobody is told when something fails."),
        f"Set alarm_email or alarm_phone, {_IN_CDK_JSON}.",
    )
    NO_CREDENTIALS = (
        *(_P, "AWS does not know who you are: there are no credentials, or they have expired."),
        "Sign in and name the profile: export AWS_PROFILE=…; then `aws sts get-caller-identity` must answer.",
    )
    OTHER_ACCOUNT = (
        *(_P, "The credentials are of another account than the one in the settings."),
        "Use credentials of account {account} (export AWS_PROFILE=…), or correct the setting account.",
    )
    NO_REGION = (*(_P, "No region is known."), f"Set region {_IN_CDK_JSON}, or export AWS_REGION=….")
    OTHER_REGION = (
        *(_W, "Your own AWS commands go to another region than the deployment."),
        "export AWS_REGION={region}",
    )
    NOT_BOOTSTRAPPED = (
        *(_P, "The CDK's bootstrap stack is not in this account and region."),
        "node_modules/.bin/cdk bootstrap aws://{account}/{region}",
    )
    BOOTSTRAP_OLD = (
        *(_P, "The CDK's bootstrap stack is older than a deployment needs."),
        "node_modules/.bin/cdk bootstrap aws://{account}/{region}",
    )
    STACK_FAILED = (
        *(_P, "The first deployment of a stack, or its deletion, has failed."),
        "Look why: aws cloudformation describe-stack-events --stack-name {stack}; delete it: aws cloudformation delete-stack "
        "--stack-name {stack}; then deploy again.",
    )
    STACK_STUCK = (
        *(_P, "An update of a stack failed, and so did its way back."),
        "aws cloudformation continue-update-rollback --stack-name {stack}; then deploy again.",
    )
    STACK_ROLLED_BACK = (
        *(_W, "The last deployment of a stack failed and was taken back."),
        "Look why: aws cloudformation describe-stack-events --stack-name {stack}; then deploy again.",
    )
    STACK_BUSY = (
        *(_W, "A deployment or deletion of a stack is on its way."),
        "Wait for it: aws cloudformation wait stack-update-complete --stack-name {stack}",
    )
    STACKS_MISSING = (*(_W, "Some stacks are deployed and others are not."), "make deploy ENV={environment}")
    NAME_LEFT = (
        *(_P, "A bucket or database of an earlier deployment has the name that the new one would have."),
        f"To go on with its data: make adopted ENV={{environment}} prints the settings; put them {_IN_CDK_JSON}. "
        "If the data may go: make destroy ENV={environment}",
    )
    NOTHING_TO_ADOPT = (
        *(_P, "The setting adopt is on, and what is to be adopted is not there."),
        f"Set adopt to false {_IN_CDK_JSON}; or restore what is missing.",
    )
    SECRET_LEFT = (
        *(_P, "A secret of an earlier deployment has the name that the new one would have."),
        f"To go on with it, set {{setting}} to {{arn}} {_IN_CDK_JSON}; or delete it: aws secretsmanager delete-secret "
        "--secret-id {secret} --force-delete-without-recovery",
    )
    SECRET_IN_DELETION = (
        *(_P, "A secret is about to be deleted and blocks its name until then."),
        "aws secretsmanager restore-secret --secret-id {secret}, then set {setting} to its ARN; or end it at once: "
        "aws secretsmanager delete-secret --secret-id {secret} --force-delete-without-recovery",
    )
    SECRET_MISSING = (
        *(_P, "A secret that the settings or the deployment name does not exist."),
        "Correct {setting}, or deploy again: make deploy ENV={environment}",
    )
    SECRET_EMPTY = (
        *(_P, "Nobody has stored a login in a secret yet."),
        "aws secretsmanager put-secret-value --secret-id {secret} --secret-string file://{what}.json",
    )
    SECRET_UNUSABLE = (
        *(_P, "A secret is not JSON, or a field in it is missing or malformed."),
        "aws secretsmanager put-secret-value --secret-id {secret} --secret-string file://{what}.json",
    )
    LOGIN_NOT_STORED = (
        *(_W, "A database was not asked, because its secret holds no usable login yet."),
        "Deploy, store the login in secret {secret}, and run doctor again.",
    )
    NOT_REACHED = (
        *(_P, "A database does not answer."),
        "Correct host and port in the secret; let the database's firewall or security group admit who connects; see that "
        "the server runs.",
    )
    NOT_REACHED_FROM_HERE = (
        *(_W, "A database does not answer here, where doctor runs. The functions run in the network of vpc_id."),
        "If it answers only inside that network, run doctor there (CloudShell in the VPC, or over a VPN). Otherwise correct "
        "host and port in the secret, or the database's security group.",
    )
    TLS_REFUSED = (
        *(_P, "A database answers, and there is no TLS connection with a verified server."),
        "Put the PEM of the authority that signed the server's certificate into the secret, field ca_certificate, and use the "
        "host name that is in the certificate. Only where the network is trusted: a weaker {what}_tls.",
    )
    LOGIN_REFUSED = (
        *(_P, "A database refuses the login in the secret."),
        "Correct username and password: aws secretsmanager put-secret-value --secret-id {secret} --secret-string "
        "file://{what}.json",
    )
    SOURCE_VERSION = (
        *(_P, "The source is older than the extraction can read."),
        "Upgrade it to PostgreSQL 13 or later.",
    )
    SOURCE_GRANT = (
        *(_P, "The source's login may not read all tables."),
        "As their owner: {statement} (docs/sql/create_source_role.sql has all that it needs)",
    )
    SOURCE_ROWS_HIDDEN = (
        *(_P, "Row-level security of the source hides rows from the login."),
        "ALTER ROLE <the secret's username> BYPASSRLS; or use a login to which no policy applies.",
    )
    SOURCE_SCHEMA = (
        *(_P, "The source's tables are not what the contract says."),
        "Set source_schema to where the tables are; restore them; or deploy a release whose contract knows the change.",
    )
    SOURCE_IDENTITY = (
        *(_W, "The source does not tell its system identifier or its timeline, as Aurora does not."),
        "GRANT EXECUTE ON FUNCTION … TO <the secret's username>, where the server allows it. Otherwise, after a restore or a "
        'failover of the source, have everything read: {{"read": "everything"}} for the extract function.',
    )
    SOURCE_CONNECTIONS = (
        *(_W, "The source's login may open fewer connections than overlapping extractions need."),
        "ALTER ROLE <the secret's username> CONNECTION LIMIT 5;",
    )
    SOURCE_MAY_WRITE = (
        *(_W, "The source's login is not read-only."),
        "ALTER ROLE <the secret's username> SET default_transaction_read_only = on; (docs/sql/create_source_role.sql)",
    )
    SOURCE_STANDBY = (
        *(_W, "The source is a standby without hot_standby_feedback: a long reading may be cancelled."),
        "Set hot_standby_feedback = on on the standby, or raise its max_standby_streaming_delay.",
    )
    CLOCKS_DIFFER = (
        *(_W, "The clock of a database differs from this machine's."),
        "Let both follow a time server: ages of batches, and so alarms, are computed from both.",
    )
    WAREHOUSE_VERSION = (
        *(_P, "The warehouse is older than the load can use."),
        "Upgrade it to PostgreSQL 12 or later.",
    )
    WAREHOUSE_READ_ONLY = (
        *(_P, "The warehouse takes no changes: it is a standby, or its login is read-only."),
        "Put the host of the primary into the secret; or ALTER ROLE <the secret's username> RESET "
        "default_transaction_read_only;",
    )
    WAREHOUSE_GRANT = (
        *(_P, "The warehouse's login lacks a privilege that the load needs."),
        "As the owner of the warehouse: run docs/sql/create_warehouse.sql, or grant what is named.",
    )
    WAREHOUSE_SCHEMA = (
        *(_P, "The warehouse's tables are not what the load needs."),
        "Alter what is named, or load into another schema (setting warehouse_schema).",
    )
    WAREHOUSE_OWNER = (
        *(_P, "The ledger in the warehouse, or the rows there, are not this lake's."),
        "Name another ledger (setting ledger_schema); or, once deployed, take the warehouse over: start the state machine with "
        '{{"mode": "take_over"}} (docs/runbooks/load-failed.md).',
    )
    SUBNET_WRONG = (
        *(_P, "A subnet in the settings does not exist, or is in another network than vpc_id."),
        f"Correct subnet_ids {_IN_CDK_JSON}: aws ec2 describe-subnets --filters Name=vpc-id,Values={{vpc}}",
    )
    SECURITY_GROUP_WRONG = (
        *(_P, "A security group in the settings does not exist, or is in another network than vpc_id."),
        f"Correct security_group_ids {_IN_CDK_JSON}: aws ec2 describe-security-groups --filters "
        "Name=vpc-id,Values={vpc}",
    )
    ONE_ZONE = (
        *(_W, "All subnets are in one zone: when it fails, nothing is moved."),
        f"Add a subnet of another zone to subnet_ids {_IN_CDK_JSON}.",
    )
    NO_ROUTE = (
        *(_P, "From a subnet, the functions do not reach a service of AWS."),
        "Route 0.0.0.0/0 of the subnet to a NAT gateway (an internet gateway does not serve functions); or set vpc_endpoints "
        "to {endpoints}, with route_table_ids when s3 is among them.",
    )
    NO_EGRESS = (
        *(_P, "No security group of the functions lets them out to a port that they need."),
        "aws ec2 authorize-security-group-egress --group-id {group} --protocol tcp --port <the port> --cidr <where to>",
    )
    NO_DNS = (
        *(_P, "The network does not resolve the names of its endpoints."),
        "aws ec2 modify-vpc-attribute --vpc-id {vpc} --enable-dns-hostnames (and --enable-dns-support)",
    )
    NOBODY_SUBSCRIBED = (
        *(_P, "Nobody has confirmed a subscription: alarms reach nobody."),
        "Open the mail of AWS Notifications and choose Confirm subscription. To have it sent again, deploy again, or subscribe "
        "in the console of SNS.",
    )
    UNCONFIRMED = (
        *(_W, "Somebody has not confirmed a subscription yet."),
        "Open the mail of AWS Notifications and choose Confirm subscription.",
    )
    SMS_SANDBOX = (
        *(_P, "SMS of this account go to verified numbers only, and a number is not verified."),
        "Verify it: aws sns create-sms-sandbox-phone-number --phone-number … and verify-sms-sandbox-phone-number; or ask AWS "
        "to move the account out of the SMS sandbox.",
    )
    SMS_SPEND = (
        *(_W, "What this account may spend on SMS in a month is soon used up."),
        "Raise it: aws sns set-sms-attributes --attributes MonthlySpendLimit=… (above the account's quota, ask AWS first).",
    )
    QUICKSIGHT_ACCOUNT = (
        *(_P, "quicksight_principal is set, and the account has no Quick Sight."),
        "Sign up for Quick Sight (docs/quicksight.md), or leave quicksight_principal out.",
    )
    QUICKSIGHT_EDITION = (
        *(_W, "The account's edition of Quick Sight is not Enterprise, which the dashboard needs."),
        "Upgrade to Enterprise under Manage Quick Sight (docs/quicksight.md).",
    )
    QUICKSIGHT_PRINCIPAL = (
        *(_P, "A user, group or data set of Quick Sight in the settings does not exist."),
        f"Correct {{setting}} {_IN_CDK_JSON} (docs/quicksight.md).",
    )
    CONCURRENCY = (
        *(_P, "Too little concurrency of Lambda would be left: AWS keeps 100 unreserved."),
        f"Set reserve_concurrency to false {_IN_CDK_JSON}, or raise the quota: aws service-quotas "
        "request-service-quota-increase --service-code lambda --quota-code L-B99A9384 --desired-value 1000",
    )
    GLUE_CAPACITY = (
        *(_P, "The account's quota of Glue is smaller than the job's workers."),
        f"Lower glue_workers {_IN_CDK_JSON}, or raise the quota under Service Quotas → AWS Glue.",
    )
    KEY_MISSING = (*(_P, "The key of key_arn does not exist."), f"Correct key_arn {_IN_CDK_JSON}, or leave it out.")
    KEY_UNUSABLE = (
        *(
            _P,
            "The key of key_arn cannot encrypt: it is disabled, about to be deleted, of another kind or another region.",
        ),
        "aws kms enable-key --key-id {key} (or cancel-key-deletion); it must be a symmetric one of the deployment's region.",
    )
    KEY_POLICY = (
        *(_W, "The policy of key_arn names no service that must use it."),
        "Let the services use it for kms:Encrypt, kms:Decrypt, kms:ReEncrypt*, kms:GenerateDataKey*, kms:DescribeKey, under a "
        "condition on your account.",
    )
    LAKE_FORMATION = (
        *(_W, "Lake Formation governs the Glue Data Catalog: IAM alone does not open databases and tables."),
        "Grant the job's role and those who query the databases and tables of {databases} under Lake Formation.",
    )
    NOT_PERMITTED = (
        *(_W, "Your credentials lack a permission that a check needs."),
        "Have {permission} granted to you, or let somebody run doctor who has it.",
    )
    NOT_CHECKED = (
        *(_W, "A check could not be made."),
        "Mend what other findings name, and run doctor again. If it stays so, look at that service yourself.",
    )

    def __init__(self, level: Level, meaning: str, remedy: str) -> None:
        self.level = level
        self.meaning = meaning
        self.remedy = remedy

    def found(self, text: str, **values: Any) -> Finding:
        """Return a finding of this kind; `values` fill the remedy."""
        return Finding(self.level, self.name, text, self.remedy.format(**values))
