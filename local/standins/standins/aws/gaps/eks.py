"""EKS: add-ons, access entries, pod identities, and attributes of clusters and node groups."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime
from typing import Any, ClassVar
from urllib.parse import unquote

import moto.eks.urls
from moto.core.responses import ActionResult, EmptyResult
from moto.ec2.models import ec2_backends
from moto.eks.exceptions import ResourceNotFoundException
from moto.eks.models import Cluster, Nodegroup
from moto.eks.responses import EKSResponse

from standins.aws.gaps.extend import serve

#: What moto takes from no request that makes a cluster, and what EKS answers where it is not asked for.
_CLUSTER_DEFAULTS = {
    "accessConfig": {"authenticationMode": "API", "bootstrapClusterCreatorAdminPermissions": True},
    "deletionProtection": False,
    "upgradePolicy": {"supportType": "EXTENDED"},
}
#: Paths below a cluster's. An ARN comes with its slashes encoded, which are decoded before paths are matched.
_ADDON = "addons/(?P<addonName>[^/]+)"
_ENTRY = "access-entries/(?P<principalArn>arn:aws:iam::[0-9]+:[a-z]+/[^/]+)"
_PATHS = (
    "addons",
    _ADDON,
    f"{_ADDON}/update",
    "access-entries",
    _ENTRY,
    f"{_ENTRY}/access-policies",
    f"{_ENTRY}/access-policies/(?P<policyArn>.+)",
    "pod-identity-associations",
    "pod-identity-associations/(?P<associationId>[^/]+)",
    "updates/(?P<updateId>[^/]+)",
)

_Record = dict[str, Any]


class Eks(EKSResponse):
    """moto knows clusters and node groups only; what belongs to a cluster is kept here until the cluster goes.

    Everything is there, and well, at once. Policies of access entries and configurations of add-ons are not checked.
    """

    #: Kind, cluster, key to what was made.
    _made: ClassVar[dict[tuple[str, str, str], _Record]] = {}

    @classmethod
    def install(cls) -> None:
        """Extends moto."""
        serve(moto.eks.urls, EKSResponse, cls)
        for path in _PATHS:
            moto.eks.urls.url_paths["{0}/clusters/(?P<name>[^/]+)/" + path + "$"] = cls.dispatch

    def create_cluster(self) -> ActionResult:
        """Makes a cluster with all that was asked for."""
        answer = super().create_cluster()
        cluster: Cluster = _result(answer)["cluster"]
        attributes = vars(cluster)
        for name, default in _CLUSTER_DEFAULTS.items():
            asked = self._get_param(name)
            attributes[name] = {**default, **asked} if isinstance(default, dict) and asked else asked or default
        network = attributes["resources_vpc_config"]
        ec2 = ec2_backends[self.current_account][self.region]
        network["vpcId"] = ec2.get_subnet(network["subnetIds"][0]).vpc_id
        group = ec2.create_security_group(
            f"eks-cluster-sg-{self._cluster}", "Made by EKS for its nodes", vpc_id=network["vpcId"]
        )
        network["clusterSecurityGroupId"] = group.id
        return answer

    def update_cluster_config(self) -> ActionResult:
        """Changes one thing of a cluster, as EKS does, and answers with the change."""
        protection = self._get_param("deletionProtection")
        if protection is not None:
            cluster = self.eks_backend.describe_cluster(name=self._cluster)
            vars(cluster).update(deletionProtection=protection)
        else:
            super().update_cluster_config()
        return ActionResult({"update": self._update()})

    def delete_cluster(self) -> ActionResult:
        """Takes a cluster away, with what belongs to it."""
        name = self._cluster
        group = self.eks_backend.describe_cluster(name=name).resources_vpc_config["clusterSecurityGroupId"]
        answer = super().delete_cluster()
        ec2_backends[self.current_account][self.region].delete_security_group(group_id=group)
        for key in [key for key in self._made if key[1] == name]:
            del self._made[key]
        return answer

    def create_nodegroup(self) -> ActionResult:
        """Makes a node group with how it is updated and repaired, and without an SSH key that nobody asked for."""
        answer = super().create_nodegroup()
        group: Nodegroup = _result(answer)["nodegroup"]
        vars(group).update(
            remote_access=self._get_param("remoteAccess"),
            update_config=self._get_param("updateConfig"),
            node_repair_config=self._get_param("nodeRepairConfig"),
        )
        return answer

    def describe_update(self) -> ActionResult:
        """Every change is done at once."""
        return ActionResult({"update": self._update()})

    def create_addon(self) -> ActionResult:
        """Installs an add-on in the version that was asked for, or in one that is made up."""
        name = self._get_param("addonName")
        associations = [self._associate(each) for each in self._get_param("podIdentityAssociations") or []]
        addon = self._keep(
            "addon",
            name,
            addonName=name,
            addonVersion=self._get_param("addonVersion") or "v1.0.0-eksbuild.1",
            addonArn=self._arn("addon", f"{self._cluster}/{name}/{uuid.uuid4()}"),
            status="ACTIVE",
            health={"issues": []},
            configurationValues=self._get_param("configurationValues"),
            serviceAccountRoleArn=self._get_param("serviceAccountRoleArn"),
            podIdentityAssociations=[each["associationArn"] for each in associations],
        )
        return ActionResult({"addon": addon})

    def describe_addon(self) -> ActionResult:
        """An add-on."""
        return ActionResult({"addon": self._find("addon", self._get_param("addonName"))})

    def update_addon(self) -> ActionResult:
        """Changes an add-on."""
        addon = self._find("addon", self._get_param("addonName"))
        for key in ("addonVersion", "configurationValues"):
            if self._get_param(key) is not None:
                addon[key] = self._get_param(key)
        return ActionResult({"update": self._update()})

    def delete_addon(self) -> ActionResult:
        """Takes an add-on away, with its service account's role."""
        addon = self._take("addon", self._get_param("addonName"))
        for arn in addon["podIdentityAssociations"]:
            self._take("association", arn.rsplit("/", 1)[-1])
        return ActionResult({"addon": addon})

    def create_access_entry(self) -> ActionResult:
        """Lets a principal in, who may do nothing yet."""
        principal = self._get_param("principalArn")
        entry = self._keep(
            "entry",
            principal,
            principalArn=principal,
            accessEntryArn=self._arn("access-entry", f"{self._cluster}/{uuid.uuid4()}"),
            kubernetesGroups=self._get_param("kubernetesGroups") or [],
            username=self._get_param("username") or principal,
            type=self._get_param("type") or "STANDARD",
            policies={},
        )
        return ActionResult({"accessEntry": entry})

    def describe_access_entry(self) -> ActionResult:
        """Who was let in."""
        return ActionResult({"accessEntry": self._entry()})

    def delete_access_entry(self) -> ActionResult:
        """Shows a principal out."""
        self._take("entry", self._principal)
        return EmptyResult()

    def associate_access_policy(self) -> ActionResult:
        """Says what a principal may do."""
        policy = {
            "policyArn": self._get_param("policyArn"),
            "accessScope": self._get_param("accessScope"),
            "associatedAt": datetime.now(UTC),
            "modifiedAt": datetime.now(UTC),
        }
        self._entry()["policies"][policy["policyArn"]] = policy
        answer = {"associatedAccessPolicy": policy, "clusterName": self._cluster, "principalArn": self._principal}
        return ActionResult(answer)

    def list_associated_access_policies(self) -> ActionResult:
        """What a principal may do."""
        policies = list(self._entry()["policies"].values())
        answer = {"associatedAccessPolicies": policies, "clusterName": self._cluster, "principalArn": self._principal}
        return ActionResult(answer)

    def disassociate_access_policy(self) -> ActionResult:
        """Takes one of those away."""
        self._entry()["policies"].pop(unquote(self._get_param("policyArn")), None)
        return EmptyResult()

    def create_pod_identity_association(self) -> ActionResult:
        """Gives a service account a role."""
        association = self._associate(
            {name: self._get_param(name) for name in ("namespace", "serviceAccount", "roleArn")}
        )
        return ActionResult({"association": association})

    def describe_pod_identity_association(self) -> ActionResult:
        """The role of a service account."""
        return ActionResult({"association": self._find("association", self._get_param("associationId"))})

    def delete_pod_identity_association(self) -> ActionResult:
        """Takes a role from a service account."""
        return ActionResult({"association": self._take("association", self._get_param("associationId"))})

    def list_tags_for_resource(self) -> ActionResult:
        """Tags of a cluster as moto keeps them, or of what is kept here."""
        arn = self._extract_arn_from_path()
        for record in self._made.values():
            if arn in record.values():
                return ActionResult({"tags": record["tags"]})
        return super().list_tags_for_resource()

    @property
    def _cluster(self) -> str:
        return str(self._get_param("name") or self._get_param("clusterName"))

    @property
    def _principal(self) -> str:
        return unquote(str(self._get_param("principalArn")))

    def _entry(self) -> _Record:
        return self._find("entry", self._principal)

    def _associate(self, asked: _Record) -> _Record:
        identity = f"a-{uuid.uuid4().hex[:17]}"
        return self._keep(
            "association",
            identity,
            associationId=identity,
            associationArn=self._arn("podidentityassociation", f"{self._cluster}/{identity}"),
            disableSessionTags=False,
            **asked,
        )

    def _keep(self, kind: str, key: str, **values: Any) -> _Record:
        self.eks_backend.describe_cluster(name=self._cluster)
        moment = datetime.now(UTC)
        record = {
            **values,
            "clusterName": self._cluster,
            "createdAt": moment,
            "modifiedAt": moment,
            "tags": self._get_param("tags") or {},
        }
        self._made[(kind, self._cluster, key)] = {name: value for name, value in record.items() if value is not None}
        return self._made[(kind, self._cluster, key)]

    def _find(self, kind: str, key: str) -> _Record:
        record = self._made.get((kind, self._cluster, key))
        if record is None:
            raise self._missing(kind, key)
        return record

    def _take(self, kind: str, key: str) -> _Record:
        record = self._made.pop((kind, self._cluster, key), None)
        if record is None:
            raise self._missing(kind, key)
        return record

    def _missing(self, kind: str, key: str) -> ResourceNotFoundException:
        return ResourceNotFoundException(
            clusterName=self._cluster,
            nodegroupName=None,
            fargateProfileName=None,
            addonName=key if kind == "addon" else None,
            message=f"No {kind} found for {key} in cluster {self._cluster}",
        )

    def _arn(self, kind: str, name: str) -> str:
        return f"arn:aws:eks:{self.region}:{self.current_account}:{kind}/{name}"

    def _update(self) -> _Record:
        return {"id": str(uuid.uuid4()), "status": "Successful", "type": "ConfigUpdate", "params": []}


def _result(answer: ActionResult) -> _Record:
    result: Any = answer.result
    return dict(result)
