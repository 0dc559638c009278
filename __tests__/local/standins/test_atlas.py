"""The stand-in of Atlas: what it decides, what it refuses, and the peerings that it asks AWS for."""

from __future__ import annotations

from typing import Any

import pytest
import requests
from conftest import REGION, StandIns

ACCOUNT = "123456789012"


class Atlas:
    """The stand-in's objects, as its provider handles them."""

    def __init__(self, standins: StandIns) -> None:
        self._url = f"{standins.aws_url}/standins/atlas"

    def create(self, kind: str, **attributes: Any) -> dict[str, Any]:
        """Makes an object; fails the test when it is refused."""
        reply = self.try_to_create(kind, **attributes)
        assert reply.status_code == 201, reply.text
        created: dict[str, Any] = reply.json()
        return created

    def try_to_create(self, kind: str, **attributes: Any) -> requests.Response:
        """Asks for an object."""
        return requests.post(f"{self._url}/mongodbatlas_{kind}", json=attributes, timeout=5)

    def read(self, kind: str, each: dict[str, Any]) -> dict[str, Any]:
        """An object as it is now."""
        answer: dict[str, Any] = requests.get(f"{self._url}/mongodbatlas_{kind}/{each['id']}", timeout=5).json()
        return answer

    def delete(self, kind: str, each: dict[str, Any]) -> requests.Response:
        """Asks for an object's end."""
        return requests.delete(f"{self._url}/mongodbatlas_{kind}/{each['id']}", timeout=5)


@pytest.fixture
def atlas(standins: StandIns) -> Atlas:
    """The stand-in of Atlas."""
    return Atlas(standins)


def _project(atlas: Atlas, name: str) -> str:
    return str(atlas.create("project", org_id="5f0000000000000000000000", name=name, tags=None)["id"])


def _container(atlas: Atlas, project_id: str) -> dict[str, Any]:
    return atlas.create(
        "network_container", project_id=project_id, atlas_cidr_block="10.21.0.0/21", region_name="AP_NORTHEAST_2"
    )


def test_a_peering_is_a_real_one_that_the_accepter_accepts_tags_and_loses(standins: StandIns, atlas: Atlas) -> None:
    """atlas: a peering is a request in AWS from Atlas's account; accepted it is available, then it can go."""
    ec2 = standins.client("ec2")
    vpc_id = ec2.create_vpc(CidrBlock="10.20.0.0/16")["Vpc"]["VpcId"]
    project_id = _project(atlas, "peered")
    container = _container(atlas, project_id)
    assert container["provisioned"] is False
    peering = atlas.create(
        "network_peering",
        project_id=project_id,
        container_id=container["container_id"],
        provider_name="AWS",
        accepter_region_name=REGION,
        aws_account_id=ACCOUNT,
        vpc_id=vpc_id,
        route_table_cidr_block="10.20.0.0/16",
    )
    connection_id = peering["connection_id"]
    assert peering["status_name"] == "PENDING_ACCEPTANCE"
    assert atlas.read("network_container", container)["provisioned"] is True
    assert atlas.delete("network_container", container).json()["errorCode"] == "CONTAINERS_IN_USE"

    ec2.accept_vpc_peering_connection(VpcPeeringConnectionId=connection_id)
    ec2.create_tags(Resources=[connection_id], Tags=[{"Key": "Name", "Value": "to-atlas"}])
    assert atlas.read("network_peering", peering)["status_name"] == "AVAILABLE"
    (seen,) = ec2.describe_vpc_peering_connections(VpcPeeringConnectionIds=[connection_id])["VpcPeeringConnections"]
    assert seen["RequesterVpcInfo"]["CidrBlock"] == "10.21.0.0/21"
    assert seen["RequesterVpcInfo"]["OwnerId"] != ACCOUNT
    assert seen["Tags"] == [{"Key": "Name", "Value": "to-atlas"}]

    entry = {"project_id": project_id, "cidr_block": None, "ip_address": None, "aws_security_group": "sg-1"}
    assert atlas.try_to_create("project_ip_access_list", **entry).status_code == 201

    assert atlas.delete("network_peering", peering).status_code == 204
    (left,) = ec2.describe_vpc_peering_connections(VpcPeeringConnectionIds=[connection_id])["VpcPeeringConnections"]
    assert left["Status"]["Code"] == "deleted"
    assert atlas.delete("network_container", container).status_code == 204


def test_a_custom_role_that_a_user_has_stays(atlas: Atlas) -> None:
    """atlas: a custom role stays while a user has it, and a user cannot have one that is not there."""
    project_id = _project(atlas, "roles")
    user = {
        "project_id": project_id,
        "auth_database_name": "$external",
        "aws_iam_type": "ROLE",
        "password": None,
        "username": f"arn:aws:iam::{ACCOUNT}:role/maker",
        "roles": [{"database_name": "admin", "role_name": "maker"}],
    }
    assert atlas.try_to_create("database_user", **user).json()["errorCode"] == "UNSUPPORTED_ROLE"
    role = atlas.create("custom_db_role", project_id=project_id, role_name="maker", actions=[])
    created = atlas.create("database_user", **user)
    assert atlas.delete("custom_db_role", role).json()["errorCode"] == "CUSTOM_ROLE_IN_USE"
    assert atlas.delete("database_user", created).status_code == 204
    assert atlas.delete("custom_db_role", role).status_code == 204


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"password": "secret"}, "has no password"),
        ({"auth_database_name": "admin"}, "$external"),
        ({"username": "me"}, "ARN"),
    ],
)
def test_a_user_by_role_is_external_and_has_no_password(atlas: Atlas, changed: dict[str, str], said: str) -> None:
    """atlas: an IAM role is a user of $external, by its ARN, without a password."""
    project_id = _project(atlas, f"users-{said}")
    user: dict[str, Any] = {
        "project_id": project_id,
        "auth_database_name": "$external",
        "aws_iam_type": "ROLE",
        "password": None,
        "username": f"arn:aws:iam::{ACCOUNT}:role/me",
        "roles": [],
    }
    reply = atlas.try_to_create("database_user", **{**user, **changed})
    assert reply.status_code == 400
    assert said in reply.json()["detail"]


def test_what_is_not_there_is_said(atlas: Atlas) -> None:
    """atlas: a type that it lacks, an object or a project that is not there are answered with 404."""
    assert atlas.try_to_create("serverless_instance").status_code == 404
    assert atlas.delete("project", {"id": "0" * 24}).status_code == 404
    refused = atlas.try_to_create("custom_db_role", project_id="0" * 24, role_name="x")
    assert refused.json()["errorCode"] == "GROUP_NOT_FOUND"
