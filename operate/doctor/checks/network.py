"""The network of the functions: subnets, routes to AWS, ways out, names."""

from collections.abc import Generator, Iterator
from typing import Any

from botocore.exceptions import ClientError

from lambdas.errors import SecretError
from lambdas.secret import read_connection_details
from operate.doctor.finding import Finding, fine
from operate.doctor.kinds import Kind
from operate.doctor.permissions import code
from operate.doctor.platform import Database, Platform

#: What the functions call: their secrets, the buckets, and each other.
SERVICES = ("secretsmanager", "s3", "lambda")
_DATABASES: tuple[Database, ...] = ("source", "warehouse")
_HTTPS = 443
#: A function has no public address: what an internet gateway, or an egress-only one, serves is not it.
_GATEWAYS = ("NatGatewayId", "TransitGatewayId", "NetworkInterfaceId", "InstanceId", "VpcPeeringConnectionId")


def check_network(platform: Platform) -> Iterator[Finding]:
    """Look at what the settings name of the network; without a network there is nothing to look at."""
    if not platform.settings.vpc_id:
        yield fine("The functions run outside of any VPC: they reach AWS, and databases with a public address.")
        return
    ec2 = platform.client("ec2")
    subnets = yield from _subnets(platform, ec2)
    endpoints = _endpoints(platform, ec2)
    yield from _routes(platform, ec2, subnets, endpoints)
    yield from _egress(platform, ec2)
    yield from _names(platform, ec2, endpoints)


def _subnets(platform: Platform, ec2: Any) -> Generator[Finding, None, list[str]]:
    """Return the subnets that are there, and yield what is wrong with them."""
    settings = platform.settings
    names = {"vpc": settings.vpc_id, "environment": settings.environment}
    found = []
    for subnet in settings.subnet_ids:
        try:
            (description,) = ec2.describe_subnets(SubnetIds=[subnet])["Subnets"]
        except ClientError as error:
            if code(error) != "InvalidSubnetID.NotFound":
                raise
            yield Kind.SUBNET_WRONG.found(f"Subnet {subnet} does not exist.", **names)
            continue
        if description["VpcId"] != settings.vpc_id:
            yield Kind.SUBNET_WRONG.found(f"Subnet {subnet} is not in {settings.vpc_id}.", **names)
            continue
        found.append(description)
    zones = {subnet["AvailabilityZone"] for subnet in found}
    if len(zones) == 1:
        yield Kind.ONE_ZONE.found(f"All subnets are in zone {zones.pop()}.", **names)
    elif found:
        yield fine(f"{len(found)} subnets in {len(zones)} zones.")
    return [subnet["SubnetId"] for subnet in found]


def _endpoints(platform: Platform, ec2: Any) -> list[dict[str, Any]]:
    """Return the endpoints that the network has."""
    filters = [{"Name": "vpc-id", "Values": [platform.settings.vpc_id]}]
    pages = ec2.get_paginator("describe_vpc_endpoints").paginate(Filters=filters)
    return [endpoint for page in pages for endpoint in page["VpcEndpoints"]]


def _routes(platform: Platform, ec2: Any, subnets: list[str], endpoints: list[dict[str, Any]]) -> Iterator[Finding]:
    tables = _route_tables(platform, ec2)
    lacking: dict[str, list[str]] = {}
    for subnet in subnets:
        table = tables.get(subnet) or tables.get("main") or {}
        if any(map(_leads_out, table.get("Routes", []))):
            continue
        for service in SERVICES:
            if not _has_endpoint(platform, service, table.get("RouteTableId", ""), endpoints):
                lacking.setdefault(service, []).append(subnet)
    for service, where in lacking.items():
        text = f"{', '.join(where)}: no route to {service}, neither 0.0.0.0/0 through a NAT nor an endpoint."
        yield Kind.NO_ROUTE.found(text, endpoints=",".join(lacking))
    if subnets and not lacking:
        yield fine(f"Each subnet reaches {', '.join(SERVICES)}.")


def _route_tables(platform: Platform, ec2: Any) -> dict[str, dict[str, Any]]:
    """Return the route table of each subnet that has one of its own, and the network's ``main`` one."""
    filters = [{"Name": "vpc-id", "Values": [platform.settings.vpc_id]}]
    tables = {}
    for page in ec2.get_paginator("describe_route_tables").paginate(Filters=filters):
        for table in page["RouteTables"]:
            for association in table.get("Associations", []):
                tables["main" if association.get("Main") else association.get("SubnetId", "")] = table
    return tables


def _leads_out(route: dict[str, Any]) -> bool:
    is_default = route.get("DestinationCidrBlock") == "0.0.0.0/0" and route.get("State") != "blackhole"
    return is_default and any(route.get(gateway) for gateway in _GATEWAYS)


def _has_endpoint(platform: Platform, service: str, table: str, endpoints: list[dict[str, Any]]) -> bool:
    """Tell whether the network has, or the deployment will add, an endpoint that a subnet with this route table can use."""
    settings = platform.settings
    if service in settings.vpc_endpoints:
        return service != "s3" or table in settings.route_table_ids
    return any(endpoint["ServiceName"].endswith(f".{service}") and _serves(endpoint, table) for endpoint in endpoints)


def _serves(endpoint: dict[str, Any], table: str) -> bool:
    """Tell whether an endpoint is found by the service's own name, or is a route in this table."""
    if endpoint["VpcEndpointType"] == "Interface":
        return bool(endpoint.get("PrivateDnsEnabled"))
    return table in endpoint.get("RouteTableIds", [])


def _egress(platform: Platform, ec2: Any) -> Iterator[Finding]:
    settings = platform.settings
    names = {"vpc": settings.vpc_id, "environment": settings.environment}
    permissions: list[dict[str, Any]] = []
    for group in settings.security_group_ids:
        try:
            (description,) = ec2.describe_security_groups(GroupIds=[group])["SecurityGroups"]
        except ClientError as error:
            if code(error) not in ("InvalidGroup.NotFound", "InvalidGroupId.NotFound"):
                raise
            yield Kind.SECURITY_GROUP_WRONG.found(f"Security group {group} does not exist.", **names)
            continue
        if description["VpcId"] != settings.vpc_id:
            yield Kind.SECURITY_GROUP_WRONG.found(f"Security group {group} is not in {settings.vpc_id}.", **names)
            continue
        permissions += description["IpPermissionsEgress"]
    wanted = {f"the {what}'s port": _port(platform, what) for what in _DATABASES} | {f"port {_HTTPS}": _HTTPS}
    closed = [name for name, port in wanted.items() if not any(_lets_out(p, port) for p in permissions)]
    if closed:
        text = f"Nothing in security_group_ids lets the functions out to {', '.join(closed)}."
        yield Kind.NO_EGRESS.found(text, group=settings.security_group_ids[0])
    else:
        yield fine(f"The security groups let the functions out to {', '.join(wanted)}.")


def _port(platform: Platform, what: Database) -> int:
    """Return a database's port: that of its secret, or PostgreSQL's own as long as there is none."""
    try:
        return read_connection_details(platform.client("secretsmanager"), platform.secret(what)).port
    except SecretError:
        return 5432


def _lets_out(permission: dict[str, Any], port: int) -> bool:
    """Tell whether a rule lets anything out over TCP to a port, wherever it leads."""
    if permission["IpProtocol"] == "-1":
        return True
    return bool(permission["IpProtocol"] == "tcp" and permission["FromPort"] <= port <= permission["ToPort"])


def _names(platform: Platform, ec2: Any, endpoints: list[dict[str, Any]]) -> Iterator[Finding]:
    """Interface endpoints are found by name only where the network resolves names."""
    vpc = platform.settings.vpc_id
    is_interface = [e for e in endpoints if e["VpcEndpointType"] == "Interface"]
    if not is_interface and not set(platform.settings.vpc_endpoints) - {"s3"}:
        return
    attributes = {"enableDnsSupport": "EnableDnsSupport", "enableDnsHostnames": "EnableDnsHostnames"}
    off = [
        name
        for name, answer in attributes.items()
        if not ec2.describe_vpc_attribute(VpcId=vpc, Attribute=name)[answer]["Value"]
    ]
    if off:
        yield Kind.NO_DNS.found(f"{', '.join(off)} of {vpc} is off.", vpc=vpc)
