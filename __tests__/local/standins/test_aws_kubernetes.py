"""EKS and EFS: what moto lacks of them, as Terraform's provider uses it."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError

Clients = Callable[..., Any]

ROLE = "arn:aws:iam::123456789012:role/someone"
POLICY = "arn:aws:eks::aws:cluster-access-policy/AmazonEKSAdminViewPolicy"


@pytest.fixture
def eks(aws: Clients) -> Any:
    """A client of EKS."""
    return aws("eks")


@pytest.fixture
def cluster(aws: Clients, eks: Any) -> Iterator[str]:
    """A cluster with all that a request may say of one."""
    name = f"cluster-{secrets.token_hex(4)}"
    subnets = [subnet["SubnetId"] for subnet in aws("ec2").describe_subnets()["Subnets"][:2]]
    eks.create_cluster(
        name=name,
        roleArn=ROLE,
        resourcesVpcConfig={"subnetIds": subnets},
        accessConfig={"authenticationMode": "API"},
        deletionProtection=True,
    )
    yield name
    eks.delete_cluster(name=name)


def test_a_cluster_comes_back_as_it_was_asked_for(aws: Clients, eks: Any, cluster: str) -> None:
    """standins: a cluster has its access mode, its protection, and a security group that is there."""
    described = eks.describe_cluster(name=cluster)["cluster"]
    assert described["accessConfig"]["authenticationMode"] == "API"
    assert described["deletionProtection"] is True
    group = described["resourcesVpcConfig"]["clusterSecurityGroupId"]
    assert aws("ec2").describe_security_groups(GroupIds=[group])["SecurityGroups"]
    update = eks.update_cluster_config(name=cluster, deletionProtection=False)["update"]
    assert eks.describe_update(name=cluster, updateId=update["id"])["update"]["status"] == "Successful"
    assert eks.describe_cluster(name=cluster)["cluster"]["deletionProtection"] is False


def test_an_addon_brings_and_takes_its_identity(eks: Any, cluster: str) -> None:
    """standins: an add-on's role is an association of its service account, gone with the add-on."""
    identities = [{"serviceAccount": "aws-node", "roleArn": ROLE}]
    made = eks.create_addon(
        clusterName=cluster, addonName="vpc-cni", configurationValues="{}", podIdentityAssociations=identities
    )["addon"]
    assert (made["status"], made["configurationValues"]) == ("ACTIVE", "{}")
    identity = made["podIdentityAssociations"][0].rsplit("/", 1)[-1]
    found = eks.describe_pod_identity_association(clusterName=cluster, associationId=identity)["association"]
    assert (found["serviceAccount"], found["roleArn"]) == ("aws-node", ROLE)
    eks.delete_addon(clusterName=cluster, addonName="vpc-cni")
    for lost in (
        lambda: eks.describe_addon(clusterName=cluster, addonName="vpc-cni"),
        lambda: eks.describe_pod_identity_association(clusterName=cluster, associationId=identity),
    ):
        with pytest.raises(ClientError, match="ResourceNotFoundException"):
            lost()


def test_who_was_let_in_may_do_what_was_said(eks: Any, cluster: str) -> None:
    """standins: policies of an access entry come and go under the ARN of its principal."""
    entry = {"clusterName": cluster, "principalArn": ROLE}
    assert eks.create_access_entry(**entry)["accessEntry"]["type"] == "STANDARD"
    eks.associate_access_policy(**entry, policyArn=POLICY, accessScope={"type": "cluster"})
    listed = eks.list_associated_access_policies(**entry)["associatedAccessPolicies"]
    assert [(each["policyArn"], each["accessScope"]["type"]) for each in listed] == [(POLICY, "cluster")]
    eks.disassociate_access_policy(**entry, policyArn=POLICY)
    assert eks.list_associated_access_policies(**entry)["associatedAccessPolicies"] == []
    eks.delete_access_entry(**entry)
    with pytest.raises(ClientError, match="ResourceNotFoundException"):
        eks.describe_access_entry(**entry)


def test_nothing_belongs_to_a_cluster_that_is_not_there(eks: Any) -> None:
    """standins: an add-on of no cluster is refused as EKS refuses it."""
    with pytest.raises(ClientError, match="ResourceNotFoundException"):
        eks.create_addon(clusterName="nowhere", addonName="vpc-cni")


def test_files_are_backed_up_as_long_as_it_is_said(aws: Clients) -> None:
    """standins: a file system's backups are switched, and its policy can be taken away."""
    efs = aws("efs")
    files = efs.create_file_system(CreationToken=secrets.token_hex(4))["FileSystemId"]
    for status in ("ENABLED", "DISABLED"):
        efs.put_backup_policy(FileSystemId=files, BackupPolicy={"Status": status})
        assert efs.describe_backup_policy(FileSystemId=files)["BackupPolicy"]["Status"] == status
    efs.put_file_system_policy(FileSystemId=files, Policy="{}")
    efs.delete_file_system_policy(FileSystemId=files)
    with pytest.raises(ClientError, match="PolicyNotFound"):
        efs.describe_file_system_policy(FileSystemId=files)
    efs.delete_file_system(FileSystemId=files)
