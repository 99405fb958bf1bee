"""A secret for the login to a database that somebody else owns."""

import aws_cdk as cdk
from aws_cdk import aws_secretsmanager as secrets
from constructs import Construct

from cdk_app.compliance import acknowledge


class DatabaseSecret(Construct):
    """A secret for the connection details of a database that somebody else owns.

    It is created with an unusable login; an operator stores the real one (see the README), and no
    template or argument ever holds it.

    Attributes
    ----------
    secret
        The resource.
    """

    def __init__(self, scope: Construct, construct_id: str, *, name: str, removal: cdk.RemovalPolicy) -> None:
        super().__init__(scope, construct_id)
        self.secret = secrets.Secret(
            self,
            "Secret",
            secret_name=name,
            description="JSON object with host, port, dbname, username, password",
            generate_secret_string=secrets.SecretStringGenerator(
                secret_string_template="{}",  # noqa: S106 - no password is
                generate_string_key="unset",
                exclude_punctuation=True,
            ),
            removal_policy=removal,
        )
        acknowledge(
            self.secret,
            {
                "AwsSolutions-SMG4": "The login belongs to another team's database; its owner rotates it and stores the new one."
            },
        )
