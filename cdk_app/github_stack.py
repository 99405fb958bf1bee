"""The roles that GitHub Actions takes, by OIDC: one that deploys an environment, one that shows what a change would do."""

from typing import Any

import aws_cdk as cdk
from aws_cdk import aws_iam as iam
from constructs import Construct
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from cdk_app.policy import allow
from cdk_app.settings import SettingsError

ISSUER = "token.actions.githubusercontent.com"
#: What the CDK's bootstrap stack calls its roles (cdk-hnb659fds-…), unless it was made with another qualifier.
QUALIFIER = "hnb659fds"


class GitHubSettings(BaseModel):
    """What the roles depend on.

    Attributes
    ----------
    repository
        ``owner/name``, as GitHub writes it into the claim ``sub``. Repositories made or renamed after 18 June 2026 have numbers
        in it: ``owner@123456/name@456789``; their settings for OIDC show it.
    environment
        The environment that is deployed; GitHub's environment has the same name.
    provider_arn
        The account's OIDC provider of GitHub, where it has one already; an account has one at most.
    qualifier
        Of the account's bootstrap stack.
    account, region
        Where the environment is deployed; without them the CLI's own.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    repository: str = Field(pattern=r"^[A-Za-z0-9-]{1,39}(@\d+)?/[A-Za-z0-9._-]{1,100}(@\d+)?$")
    environment: str = Field(default="dev", pattern=r"^[a-z][a-z0-9-]{0,10}$")
    provider_arn: str | None = Field(default=None, pattern=rf"^arn:aws[a-z-]*:iam::\d{{12}}:oidc-provider/{ISSUER}$")
    qualifier: str = Field(default=QUALIFIER, pattern=r"^[a-z0-9]{1,10}$")
    account: str | None = Field(default=None, pattern=r"^\d{12}$")
    region: str | None = Field(default=None, pattern=r"^[a-z]{2}(-[a-z]+)+-\d$")


def read_github_settings(given: dict[str, Any]) -> GitHubSettings:
    """Check the settings.

    Raises
    ------
    SettingsError
        Naming the field, the value and what is accepted.
    """
    try:
        return GitHubSettings(**given)
    except ValidationError as error:
        told = (f"{'.'.join(map(str, e['loc']))}={e.get('input')!r}: {e['msg']}" for e in error.errors())
        raise SettingsError("\n".join(told)) from error


class GitHubStack(cdk.Stack):
    """The provider, and two roles for one repository and one environment.

    It guarantees that no other repository, branch or event can take them. The role that deploys may take three roles of the CDK's
    bootstrap stack and do nothing else; CloudFormation does the rest with a role of its own. The role that compares may read the
    templates of the platform's stacks: the bootstrap stack's role for look-ups could read every object of the account.

    Attributes
    ----------
    deploy, diff
        The roles.
    """

    def __init__(self, scope: Construct, construct_id: str, *, settings: GitHubSettings, **kwargs: Any) -> None:
        super().__init__(scope, construct_id, **kwargs)
        self._settings = settings
        self._provider = settings.provider_arn or self._new_provider()
        self.deploy = self._role("deploy", f"environment:{settings.environment}")
        self.diff = self._role("diff", "pull_request")
        names = ("deploy", "file-publishing", "lookup")
        bootstrap = (f"cdk-{settings.qualifier}-{name}-role-{self.account}-{self.region}" for name in names)
        allow(self.deploy, ["sts:AssumeRole"], [self._arn("iam", "role", name, region="") for name in bootstrap])
        allow(
            self.diff,
            ["cloudformation:DescribeStacks", "cloudformation:GetTemplate"],
            [self._arn("cloudformation", "stack", f"totesys-{settings.environment}-*")],
            wildcard="The stacks of one environment; CloudFormation ends their ARNs with an id of its own.",
        )
        for role, name in ((self.deploy, "DeployRole"), (self.diff, "DiffRole")):
            cdk.CfnOutput(self, name, value=role.role_arn)

    def _new_provider(self) -> str:
        provider = iam.CfnOIDCProvider(self, "Provider", url=f"https://{ISSUER}", client_id_list=["sts.amazonaws.com"])
        provider.apply_removal_policy(cdk.RemovalPolicy.RETAIN)  # other repositories may use it meanwhile
        return provider.attr_arn

    def _role(self, name: str, whom: str) -> iam.Role:
        claims = {f"{ISSUER}:aud": "sts.amazonaws.com", f"{ISSUER}:sub": f"repo:{self._settings.repository}:{whom}"}
        return iam.Role(
            self,
            name.title(),
            role_name=f"totesys-{self._settings.environment}-github-{name}",
            description=f"GitHub Actions of {self._settings.repository}: {name} {self._settings.environment}",
            assumed_by=iam.WebIdentityPrincipal(self._provider, {"StringEquals": claims}),
            max_session_duration=cdk.Duration.hours(1),
        )

    def _arn(self, service: str, resource: str, name: str, region: str | None = None) -> str:
        return self.format_arn(service=service, region=region, resource=resource, resource_name=name)
