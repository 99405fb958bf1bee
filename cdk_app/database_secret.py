"""The secret with the login to a database that somebody else owns."""

import aws_cdk as cdk
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_secretsmanager as secrets
from constructs import Construct

from cdk_app.compliance import acknowledge
from cdk_app.platform_key import allow_key
from cdk_app.policy import allow


class DatabaseSecret(Construct):
    """The secret with the connection details of a database that somebody else owns: one that exists, or a new one.

    A new one holds no login; an operator stores it (see the README), and no template or argument ever holds it. Until then
    the functions do nothing but say that they wait for it.

    Parameters
    ----------
    arn
        Of a secret that exists; it stays what it is. None for a new one.
    name
        Of a new one.
    key
        What encrypts a new one; None where AWS's own key does.

    Attributes
    ----------
    secret
        The resource.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        arn: str | None,
        name: str,
        key: kms.IKey | None,
        removal: cdk.RemovalPolicy,
    ) -> None:
        super().__init__(scope, construct_id)
        self._is_new, self._key = arn is None, key
        self.secret = secrets.Secret.from_secret_complete_arn(self, "Secret", arn) if arn else self._new(name, removal)

    def _new(self, name: str, removal: cdk.RemovalPolicy) -> secrets.Secret:
        secret = secrets.Secret(
            self,
            "Secret",
            secret_name=name,
            encryption_key=self._key,
            description="JSON object with host, port, dbname, username, password",
            generate_secret_string=secrets.SecretStringGenerator(
                secret_string_template="{}",  # noqa: S106 - no password is
                generate_string_key="unset",
                exclude_punctuation=True,
            ),
            removal_policy=removal,
        )
        acknowledge(
            secret,
            {
                "AwsSolutions-SMG4": "The login belongs to another team's database; its owner rotates it and stores the new one."
            },
        )
        return secret

    def allow_reading(self, role: iam.Role) -> None:
        """Let a role read the secret, and nothing else of it.

        An existing secret may have a key of its own: the role may use a key for this secret only, and only where the key's
        policy leaves that to IAM.
        """
        allow(role, ["secretsmanager:GetSecretValue"], [self.secret.secret_arn])
        if self._is_new:
            allow_key(role, self._key, secretsmanager=["kms:Decrypt"])
            return
        stack = cdk.Stack.of(role)
        allow(
            role,
            ["kms:Decrypt"],
            [f"arn:{stack.partition}:kms:{stack.region}:{stack.account}:key/*"],
            wildcard="The key of a secret that exists is not known here; the conditions limit it to this secret.",
            conditions={
                "StringEquals": {
                    "kms:ViaService": f"secretsmanager.{stack.region}.amazonaws.com",
                    "kms:EncryptionContext:SecretARN": self.secret.secret_arn,
                }
            },
        )
