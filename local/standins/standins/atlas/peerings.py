"""Atlas's side of a peering: VPCs of an account of its own in the stand-in of AWS, and its requests."""

from __future__ import annotations

from typing import Any

from moto.ec2.models import ec2_backends

#: The AWS account that Atlas's VPCs are in.
ATLAS_ACCOUNT = "521195123456"

#: Atlas's names of the states of a peering, by EC2's.
_STATUS = {"pending-acceptance": "PENDING_ACCEPTANCE", "active": "AVAILABLE", "rejected": "FAILED", "deleted": "FAILED"}


def create_vpc(region: str, cidr: str) -> str:
    """Makes a VPC of Atlas's and returns its id."""
    vpc = ec2_backends[ATLAS_ACCOUNT][region].create_vpc(cidr)
    return str(vpc.id)


def vpc_exists(account: str, region: str, vpc_id: str) -> bool:
    """Whether the account that wants the peering has that VPC."""
    return vpc_id in ec2_backends[account][region].vpcs


def request_peering(atlas: tuple[str, str], account: str, region: str, vpc_id: str) -> str:
    """Asks for a peering of Atlas's VPC (region, id) with another account's, and returns the connection's id."""
    atlas_region, atlas_vpc_id = atlas
    backend = ec2_backends[ATLAS_ACCOUNT][atlas_region]
    other = ec2_backends[account][region].vpcs[vpc_id]
    connection: Any = backend.create_vpc_peering_connection(backend.vpcs[atlas_vpc_id], other)
    return str(connection.id)


def status(region: str, connection_id: str) -> str:
    """What Atlas calls the state that the connection is in."""
    connection = ec2_backends[ATLAS_ACCOUNT][region].vpc_pcxs.get(connection_id)
    return "FAILED" if connection is None else _STATUS.get(connection.status["Code"], "INITIATING")


def delete_peering(region: str, connection_id: str) -> None:
    """Takes a peering back, whatever state it is in."""
    backend = ec2_backends[ATLAS_ACCOUNT][region]
    if connection_id in backend.vpc_pcxs:
        backend.delete_vpc_peering_connection(connection_id)
