"""The network of the functions: where they run, and the ways from there to AWS. Everything is IPv4."""

import aws_cdk as cdk
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from constructs import Construct

from cdk_app.policy import allow
from cdk_app.settings import Settings

#: What Lambda does with a function's role to give it a network interface.
INTERFACES = (
    "ec2:CreateNetworkInterface",
    "ec2:DescribeNetworkInterfaces",
    "ec2:DescribeSubnets",
    "ec2:DeleteNetworkInterface",
    "ec2:AssignPrivateIpAddresses",
    "ec2:UnassignPrivateIpAddresses",
)


def place(function: lambda_.Function, role: iam.Role, arn: str, settings: Settings) -> None:
    """Let a function that reaches a database run in the subnets of the settings; nothing is looked up there.

    Lambda, and not the function, makes the network interfaces with the function's role. What the function itself asks for is
    denied, as AWS recommends: its code has no business in the network.

    Parameters
    ----------
    arn
        The function's ARN, made of names.
    """
    if not settings.subnet_ids:
        return
    allow(
        role,
        [*INTERFACES],
        ["*"],
        wildcard="Lambda checks these before it creates the function, on all resources: the interfaces do not exist yet.",
    )
    role.add_to_principal_policy(
        iam.PolicyStatement(
            effect=iam.Effect.DENY,
            actions=[*INTERFACES],
            resources=["*"],
            conditions={"ArnEquals": {"lambda:SourceFunctionArn": arn}},
        )
    )
    resource = function.node.default_child
    assert isinstance(resource, lambda_.CfnFunction)  # noqa: S101 - narrows the type for the checker
    resource.vpc_config = lambda_.CfnFunction.VpcConfigProperty(
        subnet_ids=[*settings.subnet_ids], security_group_ids=[*settings.security_group_ids]
    )


class VpcEndpoints(Construct):
    """Ways to AWS for subnets without a route to the internet, those that the setting `vpc_endpoints` names.

    The functions call these services from inside the VPC:

    - ``s3``: both read and write the buckets. A route in `route_table_ids`; it costs nothing.
    - ``secretsmanager``: both read the secret of their database, whenever they connect.
    - ``lambda``: the extraction invokes itself when its time is up. Without it the next scheduled run goes on.

    They call none of these; they are for other tenants of the subnets, or for policies that demand them:

    - ``logs``: Lambda itself collects what the functions write, and the metrics in it.
    - ``kms``: S3 and Secrets Manager ask for the keys; so does Lambda before it starts a function.

    The notify function, the state machine, the schedules and the Glue job run outside the VPC.

    Notes
    -----
    Private names are on: everything in the VPC then reaches these services through the endpoints, whose security group lets in the
    functions' security groups only. A VPC has one endpoint with private names for a service; do not name a service that has one.
    The functions' security groups must let port 443 out.
    """

    def __init__(self, scope: Construct, construct_id: str, *, settings: Settings) -> None:
        super().__init__(scope, construct_id)
        self._settings = settings
        interfaces = [name for name in settings.vpc_endpoints if name != "s3"]
        if "s3" in settings.vpc_endpoints:
            self._endpoint("s3", "Gateway", route_table_ids=[*settings.route_table_ids])
        if not interfaces:
            return
        group = self._group()
        for name in interfaces:
            self._endpoint(
                name,
                "Interface",
                subnet_ids=[*settings.subnet_ids],
                security_group_ids=[group.attr_group_id],
                private_dns_enabled=True,
                ip_address_type="ipv4",
            )

    def _group(self) -> ec2.CfnSecurityGroup:
        """Return the group of the endpoints: HTTPS from the functions comes in, nothing goes out."""
        group = ec2.CfnSecurityGroup(
            self,
            "SecurityGroup",
            vpc_id=self._settings.vpc_id,
            group_description="totesys: HTTPS from the functions to endpoints of AWS services",
            # A group without rules lets everything out; this one lets a packet out that nobody sends.
            security_group_egress=[
                ec2.CfnSecurityGroup.EgressProperty(
                    ip_protocol="icmp",
                    from_port=252,
                    to_port=86,
                    cidr_ip="255.255.255.255/32",
                    description="Nothing goes out",
                )
            ],
        )
        for number, source in enumerate(self._settings.security_group_ids, 1):
            ec2.CfnSecurityGroupIngress(
                self,
                f"Ingress{number}",
                group_id=group.attr_group_id,
                source_security_group_id=source,
                ip_protocol="tcp",
                from_port=443,
                to_port=443,
                description="HTTPS from the functions",
            )
        return group

    def _endpoint(self, service: str, kind: str, **properties: object) -> None:
        ec2.CfnVPCEndpoint(
            self,
            service.capitalize(),
            vpc_id=str(self._settings.vpc_id),
            service_name=f"com.amazonaws.{cdk.Stack.of(self).region}.{service}",
            vpc_endpoint_type=kind,
            **properties,  # type: ignore[arg-type]
        )
