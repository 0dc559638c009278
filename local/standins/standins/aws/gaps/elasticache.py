"""ElastiCache: replication groups with members, whose endpoint is the Redis that really runs."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any, ClassVar

import moto.elasticache.urls
from moto.core.responses import ActionResult, EmptyResult
from moto.ec2.models import ec2_backends
from moto.elasticache.exceptions import ElastiCacheException
from moto.elasticache.responses import ElastiCacheResponse
from moto.utilities.tagging_service import TaggingService

from standins.aws.gaps.extend import serve

Document = dict[str, Any]

_FAULTS = {
    "ReplicationGroup": ("ReplicationGroupNotFoundFault", "ReplicationGroupAlreadyExists"),
    "CacheCluster": ("CacheClusterNotFound", "CacheClusterAlreadyExists"),
    "CacheSubnetGroup": ("CacheSubnetGroupNotFoundFault", "CacheSubnetGroupAlreadyExists"),
    "CacheParameterGroup": ("CacheParameterGroupNotFound", "CacheParameterGroupAlreadyExists"),
    "User": ("UserNotFound", "UserAlreadyExists"),
    "UserGroup": ("UserGroupNotFound", "UserGroupAlreadyExists"),
}
#: Attributes of a replication group that a request names as its reply does.
_GROUP_ATTRIBUTES = (
    "AtRestEncryptionEnabled",
    "AutoMinorVersionUpgrade",
    "CacheNodeType",
    "ClusterMode",
    "Engine",
    "IpDiscovery",
    "KmsKeyId",
    "NetworkType",
    "SnapshotRetentionLimit",
    "SnapshotWindow",
    "TransitEncryptionEnabled",
    "TransitEncryptionMode",
    "UserGroupIds",
)
#: Attributes that ElastiCache keeps with the member clusters of a group.
_MEMBER_ATTRIBUTES = (
    "PreferredMaintenanceWindow",
    "EngineVersion",
    "CacheParameterGroupName",
    "SecurityGroupIds",
    "NotificationTopicArn",
)


class _Shelf(dict[str, Document]):
    """The resources of one kind, by id."""

    def __init__(self, kind: str) -> None:
        super().__init__()
        self._kind = kind

    def find(self, name: str) -> Document:
        if name not in self:
            raise ElastiCacheException(_FAULTS[self._kind][0], f"{self._kind} {name} not found.")
        return self[name]

    def create(self, name: str, document: Document) -> Document:
        if name in self:
            raise ElastiCacheException(_FAULTS[self._kind][1], f"{self._kind} {name} already exists.")
        self[name] = document
        return document

    def remove(self, name: str) -> Document:
        document = self.find(name)
        del self[name]
        return {**document, "Status": "deleting"}

    def select(self, name: str | None) -> list[Document]:
        return [self.find(name)] if name else list(self.values())


class _Store:
    """What one account has in one region."""

    def __init__(self, account: str, region: str) -> None:
        self.arn_prefix = f"arn:aws:elasticache:{region}:{account}"
        self.groups = _Shelf("ReplicationGroup")
        self.clusters = _Shelf("CacheCluster")
        self.subnet_groups = _Shelf("CacheSubnetGroup")
        self.parameter_groups = _Shelf("CacheParameterGroup")
        self.parameters: dict[str, dict[str, str]] = defaultdict(dict)
        self.users = _Shelf("User")
        self.user_groups = _Shelf("UserGroup")
        self.tags = TaggingService()
        self.users["default"] = _user(self, {"UserId": "default", "UserName": "default", "AccessString": "on ~* +@all"})


class ElastiCache(ElastiCacheResponse):
    """moto's ElastiCache makes no member clusters for a replication group, and invents endpoints that answer nowhere.

    It drops attributes, and lacks parameter groups, user groups, and changing or deleting most things. This answers
    instead, for what a replication group needs; endpoints name the Redis given by `--redis-host` and `--redis-port`. A
    group made with an explicit port keeps that port, since another one would have Terraform replace it.
    """

    redis: ClassVar[tuple[str, int]] = ("127.0.0.1", 6379)
    _stores: ClassVar[dict[tuple[str, str], _Store]] = {}

    @classmethod
    def install(cls, redis_host: str, redis_port: int) -> None:
        """Extends moto."""
        cls.redis = (redis_host, redis_port)
        serve(moto.elasticache.urls, ElastiCacheResponse, cls)

    @property
    def _store(self) -> _Store:
        key = (self.current_account, self.region)
        if key not in self._stores:
            self._stores[key] = _Store(*key)
        return self._stores[key]

    def _tagged(self, document: Document) -> Document:
        self._store.tags.tag_resource(document["ARN"], self._get_param("Tags", []))
        return document

    # Replication groups and their members

    def create_replication_group(self) -> ActionResult:
        """Makes a group that is available at once, with its member clusters."""
        wanted = self._get_params()
        name = wanted["ReplicationGroupId"]
        failover = bool(wanted.get("AutomaticFailoverEnabled"))
        group: Document = {
            "ReplicationGroupId": name,
            "Description": wanted["ReplicationGroupDescription"],
            "Status": "available",
            "PendingModifiedValues": {},
            "ClusterEnabled": wanted.get("ClusterMode") == "enabled" or int(wanted.get("NumNodeGroups") or 1) > 1,
            "ClusterMode": "disabled",
            "Engine": "redis",
            "CacheNodeType": "cache.t4g.micro",
            "AuthTokenEnabled": bool(wanted.get("AuthToken")),
            "AtRestEncryptionEnabled": False,
            "TransitEncryptionEnabled": False,
            "AutoMinorVersionUpgrade": True,
            "NetworkType": "ipv4",
            "IpDiscovery": "ipv4",
            "SnapshotRetentionLimit": 0,
            "SnapshotWindow": "18:00-19:00",
            "DataTiering": "enabled" if wanted.get("DataTieringEnabled") else "disabled",
            "ReplicationGroupCreateTime": datetime.now(UTC),
            "ARN": f"{self._store.arn_prefix}:replicationgroup:{name}",
            "UserGroupIds": [],
            "LogDeliveryConfigurations": [],
            "_member": {
                "CacheSubnetGroupName": wanted.get("CacheSubnetGroupName", "default"),
                "PreferredMaintenanceWindow": "sun:19:00-sun:20:00",
                "EngineVersion": "7.1",
                "SecurityGroupIds": [],
            },
            "_port": int(wanted.get("Port") or self.redis[1]),
            "_zones": wanted.get("PreferredCacheClusterAZs") or [f"{self.region}a", f"{self.region}c"],
        }
        if wanted.get("TransitEncryptionEnabled"):
            group["TransitEncryptionMode"] = "required"
        if failover and not group["ClusterEnabled"] and self._wanted_nodes(wanted) < 2:
            raise ElastiCacheException("InvalidParameterCombination", "Automatic failover needs at least one replica.")
        self._apply(group, {"AutomaticFailoverEnabled": failover, "MultiAZEnabled": False, **wanted})
        self._store.groups.create(name, group)
        self._shape(group, int(wanted.get("NumNodeGroups") or 1), self._wanted_nodes(wanted))
        return ActionResult({"ReplicationGroup": self._tagged(group)})

    @staticmethod
    def _wanted_nodes(wanted: Document) -> int:
        if wanted.get("ReplicasPerNodeGroup") is not None:
            return int(wanted["ReplicasPerNodeGroup"]) + 1
        return int(wanted.get("NumCacheClusters") or 1)

    def _apply(self, group: Document, wanted: Document) -> None:
        """Writes what a request asks for into the group."""
        group.update({key: wanted[key] for key in _GROUP_ATTRIBUTES if wanted.get(key) is not None})
        group["_member"].update({key: wanted[key] for key in _MEMBER_ATTRIBUTES if wanted.get(key) is not None})
        if wanted.get("ReplicationGroupDescription") is not None:
            group["Description"] = wanted["ReplicationGroupDescription"]
        for key, attribute in (("AutomaticFailoverEnabled", "AutomaticFailover"), ("MultiAZEnabled", "MultiAZ")):
            if wanted.get(key) is not None:
                group[attribute] = "enabled" if wanted[key] else "disabled"
        users = set(group["UserGroupIds"]) | set(wanted.get("UserGroupIdsToAdd") or [])
        group["UserGroupIds"] = sorted(users - set(wanted.get("UserGroupIdsToRemove") or []))
        logs = {log["LogType"]: log for log in group["LogDeliveryConfigurations"]}
        for log in wanted.get("LogDeliveryConfigurations") or []:
            logs[log["LogType"]] = {**log, "Status": "active"}
        group["LogDeliveryConfigurations"] = [log for log in logs.values() if log.get("Enabled", True)]

    def _shape(self, group: Document, shards: int, nodes: int) -> None:
        """Gives the group `shards` node groups of `nodes` members each."""
        name, clustered = group["ReplicationGroupId"], group["ClusterEnabled"]
        endpoint = {"Address": self.redis[0], "Port": group["_port"]}
        group["NodeGroups"] = []
        for shard in range(shards):
            members = [
                {
                    "CacheClusterId": f"{name}-{shard + 1:04}-{node + 1:03}" if clustered else f"{name}-{node + 1:03}",
                    "CacheNodeId": "0001",
                    "PreferredAvailabilityZone": group["_zones"][node % len(group["_zones"])],
                    **(
                        {} if clustered else {"CurrentRole": "replica" if node else "primary", "ReadEndpoint": endpoint}
                    ),
                }
                for node in range(nodes)
            ]
            node_group: Document = {
                "NodeGroupId": f"{shard + 1:04}",
                "Status": "available",
                "NodeGroupMembers": members,
            }
            if clustered:
                first, last = 16384 * shard // shards, 16384 * (shard + 1) // shards - 1
                node_group["Slots"] = f"{first}-{last}"
            else:
                node_group |= {"PrimaryEndpoint": endpoint, "ReaderEndpoint": endpoint}
            group["NodeGroups"].append(node_group)
        if clustered:
            group["ConfigurationEndpoint"] = endpoint
        old = set(group.get("MemberClusters", []))
        all_members = [member for node_group in group["NodeGroups"] for member in node_group["NodeGroupMembers"]]
        group["MemberClusters"] = [member["CacheClusterId"] for member in all_members]
        for gone in old - set(group["MemberClusters"]):
            del self._store.clusters[gone]
        for member in all_members:
            self._store.clusters[member["CacheClusterId"]] = self._member(group, member)

    def _member(self, group: Document, member: Document) -> Document:
        details = group["_member"]
        version = str(details["EngineVersion"])
        family = f"{group['Engine']}{version.split('.', 1)[0]}{'.x' if version < '7' else ''}"
        usual = f"default.{family}{'.cluster.on' if group['ClusterEnabled'] else ''}"
        parameters = details.get("CacheParameterGroupName") or usual
        return {
            **{
                key: group.get(key)
                for key in ("CacheNodeType", "Engine", "AutoMinorVersionUpgrade", "NetworkType", "IpDiscovery")
            },
            **{
                key: group.get(key)
                for key in ("AtRestEncryptionEnabled", "TransitEncryptionEnabled", "TransitEncryptionMode")
            },
            **{
                key: group.get(key)
                for key in ("SnapshotRetentionLimit", "SnapshotWindow", "AuthTokenEnabled", "ReplicationGroupId")
            },
            "CacheClusterId": member["CacheClusterId"],
            "CacheClusterStatus": "available",
            "CacheClusterCreateTime": group["ReplicationGroupCreateTime"],
            "NumCacheNodes": 1,
            "PreferredAvailabilityZone": member["PreferredAvailabilityZone"],
            "EngineVersion": version if version.count(".") == 2 else f"{version}.0",
            "PreferredMaintenanceWindow": details["PreferredMaintenanceWindow"],
            "CacheSubnetGroupName": details["CacheSubnetGroupName"],
            "CacheParameterGroup": {"CacheParameterGroupName": parameters, "ParameterApplyStatus": "in-sync"},
            "SecurityGroups": [
                {"SecurityGroupId": group_id, "Status": "active"} for group_id in details["SecurityGroupIds"]
            ],
            "CacheSecurityGroups": [],
            "NotificationConfiguration": {"TopicArn": details["NotificationTopicArn"], "TopicStatus": "active"}
            if details.get("NotificationTopicArn")
            else None,
            "CacheNodes": [
                {
                    "CacheNodeId": "0001",
                    "CacheNodeStatus": "available",
                    "Endpoint": {"Address": self.redis[0], "Port": group["_port"]},
                    "ParameterGroupStatus": "in-sync",
                    "CustomerAvailabilityZone": member["PreferredAvailabilityZone"],
                }
            ],
            "ReplicationGroupLogDeliveryEnabled": bool(group["LogDeliveryConfigurations"]),
            "ARN": f"{self._store.arn_prefix}:cluster:{member['CacheClusterId']}",
        }

    def describe_replication_groups(self) -> ActionResult:
        """Lists groups, or one."""
        return ActionResult({"ReplicationGroups": self._store.groups.select(self._get_param("ReplicationGroupId"))})

    def modify_replication_group(self) -> ActionResult:
        """Changes a group and its members at once."""
        wanted = self._get_params()
        group = self._store.groups.find(wanted["ReplicationGroupId"])
        self._apply(group, wanted)
        self._shape(group, len(group["NodeGroups"]), len(group["NodeGroups"][0]["NodeGroupMembers"]))
        return ActionResult({"ReplicationGroup": group})

    def increase_replica_count(self) -> ActionResult:
        """Adds replicas to a group."""
        return self._resize(int(self._get_param("NewReplicaCount")) + 1)

    def decrease_replica_count(self) -> ActionResult:
        """Takes replicas from a group."""
        return self._resize(int(self._get_param("NewReplicaCount")) + 1)

    def _resize(self, nodes: int) -> ActionResult:
        group = self._store.groups.find(self._get_param("ReplicationGroupId"))
        self._shape(group, len(group["NodeGroups"]), nodes)
        return ActionResult({"ReplicationGroup": group})

    def delete_replication_group(self) -> ActionResult:
        """Deletes a group and its members at once."""
        group = self._store.groups.remove(self._get_param("ReplicationGroupId"))
        for member in group["MemberClusters"]:
            del self._store.clusters[member]
        return ActionResult({"ReplicationGroup": group})

    def create_cache_cluster(self) -> ActionResult:
        """A single cluster is moto's business no more: the stand-in has replication groups only."""
        raise NotImplementedError("single cache clusters; use a replication group of one")

    def describe_cache_clusters(self) -> ActionResult:
        """Lists clusters, or one."""
        return ActionResult({"CacheClusters": self._store.clusters.select(self._get_param("CacheClusterId"))})

    # Subnet groups

    def create_cache_subnet_group(self) -> ActionResult:
        """Makes a subnet group."""
        name = str(self._get_param("CacheSubnetGroupName")).lower()
        group = {
            "CacheSubnetGroupName": name,
            "CacheSubnetGroupDescription": self._get_param("CacheSubnetGroupDescription"),
            "ARN": f"{self._store.arn_prefix}:subnetgroup:{name}",
            **self._subnets(self._get_param("SubnetIds", [])),
        }
        return ActionResult({"CacheSubnetGroup": self._tagged(self._store.subnet_groups.create(name, group))})

    def _subnets(self, subnet_ids: Iterable[str]) -> Document:
        subnets = ec2_backends[self.current_account][self.region].describe_subnets(subnet_ids=list(subnet_ids))
        return {
            "VpcId": subnets[0].vpc_id,
            "SupportedNetworkTypes": ["ipv4"],
            "Subnets": [
                {
                    "SubnetIdentifier": subnet.id,
                    "SubnetAvailabilityZone": {"Name": subnet.availability_zone},
                    "SupportedNetworkTypes": ["ipv4"],
                }
                for subnet in subnets
            ],
        }

    def describe_cache_subnet_groups(self) -> ActionResult:
        """Lists subnet groups, or one."""
        return ActionResult(
            {"CacheSubnetGroups": self._store.subnet_groups.select(self._get_param("CacheSubnetGroupName"))}
        )

    def modify_cache_subnet_group(self) -> ActionResult:
        """Changes a subnet group."""
        group = self._store.subnet_groups.find(self._get_param("CacheSubnetGroupName"))
        if self._get_param("CacheSubnetGroupDescription") is not None:
            group["CacheSubnetGroupDescription"] = self._get_param("CacheSubnetGroupDescription")
        if self._get_param("SubnetIds"):
            group |= self._subnets(self._get_param("SubnetIds"))
        return ActionResult({"CacheSubnetGroup": group})

    def delete_cache_subnet_group(self) -> ActionResult:
        """Deletes a subnet group that no replication group uses."""
        name = self._get_param("CacheSubnetGroupName")
        if any(group["_member"]["CacheSubnetGroupName"] == name for group in self._store.groups.values()):
            raise ElastiCacheException(
                "CacheSubnetGroupInUse", f"Cache subnet group {name} is in use by a cache cluster."
            )
        self._store.subnet_groups.remove(name)
        return EmptyResult()

    # Parameter groups

    def create_cache_parameter_group(self) -> ActionResult:
        """Makes a parameter group."""
        name = self._get_param("CacheParameterGroupName")
        group = {
            "CacheParameterGroupName": name,
            "CacheParameterGroupFamily": self._get_param("CacheParameterGroupFamily"),
            "Description": self._get_param("Description"),
            "IsGlobal": False,
            "ARN": f"{self._store.arn_prefix}:parametergroup:{name}",
        }
        return ActionResult({"CacheParameterGroup": self._tagged(self._store.parameter_groups.create(name, group))})

    def describe_cache_parameter_groups(self) -> ActionResult:
        """Lists parameter groups, or one."""
        return ActionResult(
            {"CacheParameterGroups": self._store.parameter_groups.select(self._get_param("CacheParameterGroupName"))}
        )

    def describe_cache_parameters(self) -> ActionResult:
        """Lists the parameters that were set; the engine's defaults are not known here."""
        name = self._get_param("CacheParameterGroupName")
        self._store.parameter_groups.find(name)
        parameters = [
            {
                "ParameterName": key,
                "ParameterValue": value,
                "Source": "user",
                "IsModifiable": True,
                "DataType": "string",
            }
            for key, value in self._store.parameters[name].items()
        ]
        return ActionResult(
            {"Parameters": [] if self._get_param("Source") in ("system", "engine-default") else parameters}
        )

    def modify_cache_parameter_group(self) -> ActionResult:
        """Sets parameters."""
        name = self._get_param("CacheParameterGroupName")
        self._store.parameter_groups.find(name)
        for parameter in self._get_param("ParameterNameValues", []):
            self._store.parameters[name][parameter["ParameterName"]] = parameter["ParameterValue"]
        return ActionResult({"CacheParameterGroupName": name})

    def reset_cache_parameter_group(self) -> ActionResult:
        """Takes parameters back to their defaults."""
        name = self._get_param("CacheParameterGroupName")
        self._store.parameter_groups.find(name)
        if self._get_bool_param("ResetAllParameters"):
            self._store.parameters[name].clear()
        for parameter in self._get_param("ParameterNameValues", []):
            self._store.parameters[name].pop(parameter["ParameterName"], None)
        return ActionResult({"CacheParameterGroupName": name})

    def delete_cache_parameter_group(self) -> ActionResult:
        """Deletes a parameter group that no replication group uses."""
        name = self._get_param("CacheParameterGroupName")
        if any(group["_member"].get("CacheParameterGroupName") == name for group in self._store.groups.values()):
            raise ElastiCacheException(
                "InvalidCacheParameterGroupState", f"One or more cache clusters are still using {name}."
            )
        self._store.parameter_groups.remove(name)
        self._store.parameters.pop(name, None)
        return EmptyResult()

    # Users and user groups

    def create_user(self) -> ActionResult:
        """Makes a user: with IAM authentication, passwords, or without any."""
        user = _user(self._store, self._get_params())
        return ActionResult(self._tagged(self._store.users.create(user["UserId"], user)))

    def describe_users(self) -> ActionResult:
        """Lists users, or one."""
        users = self._store.users.select(self._get_param("UserId"))
        groups = self._store.user_groups.values()
        return ActionResult(
            {
                "Users": [
                    {
                        **user,
                        "UserGroupIds": [
                            group["UserGroupId"] for group in groups if user["UserId"] in group["UserIds"]
                        ],
                    }
                    for user in users
                ]
            }
        )

    def modify_user(self) -> ActionResult:
        """Changes a user's access or authentication."""
        wanted = self._get_params()
        user = self._store.users.find(wanted["UserId"])
        user["AccessString"] = wanted.get("AccessString", user["AccessString"])
        if any(key in wanted for key in ("AuthenticationMode", "Passwords", "NoPasswordRequired")):
            user["Authentication"] = _authentication(wanted)
        return ActionResult(user)

    def delete_user(self) -> ActionResult:
        """Deletes a user at once, and takes it out of its groups."""
        user = self._store.users.remove(self._get_param("UserId"))
        for group in self._store.user_groups.values():
            group["UserIds"] = [member for member in group["UserIds"] if member != user["UserId"]]
        return ActionResult(user)

    def create_user_group(self) -> ActionResult:
        """Makes a user group, which for Redis must have a user named `default`."""
        wanted = self._get_params()
        name = wanted["UserGroupId"]
        members = [self._store.users.find(user) for user in wanted.get("UserIds", [])]
        if wanted["Engine"].lower() == "redis" and not any(member["UserName"] == "default" for member in members):
            raise ElastiCacheException("DefaultUserRequired", f"User group {name} needs a user whose name is default.")
        group = {
            "UserGroupId": name,
            "Status": "active",
            "Engine": wanted["Engine"].lower(),
            "UserIds": [member["UserId"] for member in members],
            "MinimumEngineVersion": "6.0",
            "ARN": f"{self._store.arn_prefix}:usergroup:{name}",
        }
        return ActionResult(self._tagged(self._store.user_groups.create(name, group)))

    def describe_user_groups(self) -> ActionResult:
        """Lists user groups, or one."""
        groups = self._store.groups.values()
        return ActionResult(
            {
                "UserGroups": [
                    {
                        **group,
                        "ReplicationGroups": [
                            g["ReplicationGroupId"] for g in groups if group["UserGroupId"] in g["UserGroupIds"]
                        ],
                    }
                    for group in self._store.user_groups.select(self._get_param("UserGroupId"))
                ]
            }
        )

    def modify_user_group(self) -> ActionResult:
        """Adds users to a group and removes others."""
        group = self._store.user_groups.find(self._get_param("UserGroupId"))
        added = [self._store.users.find(user)["UserId"] for user in self._get_param("UserIdsToAdd", [])]
        removed = self._get_param("UserIdsToRemove", [])
        group["UserIds"] = [user for user in group["UserIds"] if user not in removed] + added
        return ActionResult(group)

    def delete_user_group(self) -> ActionResult:
        """Deletes a user group at once."""
        return ActionResult(self._store.user_groups.remove(self._get_param("UserGroupId")))

    # Tags

    def list_tags_for_resource(self) -> ActionResult:
        """Lists the tags of anything."""
        return ActionResult(
            {"TagList": self._store.tags.list_tags_for_resource(self._get_param("ResourceName"))["Tags"]}
        )

    def add_tags_to_resource(self) -> ActionResult:
        """Sets tags of anything."""
        self._store.tags.tag_resource(self._get_param("ResourceName"), self._get_param("Tags", []))
        return self.list_tags_for_resource()

    def remove_tags_from_resource(self) -> ActionResult:
        """Takes tags from anything."""
        self._store.tags.untag_resource_using_names(self._get_param("ResourceName"), self._get_param("TagKeys", []))
        return self.list_tags_for_resource()


def _user(store: _Store, wanted: Document) -> Document:
    return {
        "UserId": wanted["UserId"],
        "UserName": wanted["UserName"],
        "Status": "active",
        "Engine": str(wanted.get("Engine", "redis")).lower(),
        "MinimumEngineVersion": "6.0",
        "AccessString": wanted["AccessString"],
        "Authentication": _authentication(wanted),
        "ARN": f"{store.arn_prefix}:user:{wanted['UserId']}",
    }


def _authentication(wanted: Document) -> Document:
    mode = wanted.get("AuthenticationMode") or {}
    passwords = mode.get("Passwords") or wanted.get("Passwords") or []
    if mode.get("Type") == "iam":
        return {"Type": "iam"}
    if passwords:
        return {"Type": "password", "PasswordCount": len(passwords)}
    return {"Type": "no-password"}
