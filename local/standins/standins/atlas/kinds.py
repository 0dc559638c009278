"""What Atlas does with each kind of object: what it decides, and what it refuses."""

from __future__ import annotations

import base64
import ipaddress
import re
import secrets
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from standins.atlas import peerings

#: An object in the form of the attributes of Terraform's resource.
Attributes = dict[str, Any]

#: The range that Atlas takes for a container that nobody made before the cluster.
DEFAULT_CIDR = "192.168.248.0/21"
#: Tiers whose clusters have machines, and with them a network, of their own.
_DEDICATED = re.compile(r"M(10|20|30|40|50|60|80|140|200|300|400|700)")


class RefusedError(Exception):
    """What Atlas answers instead of doing it: HTTP status, code and sentence."""

    def __init__(self, status: int, code: str, detail: str) -> None:
        super().__init__(detail)
        self.status = status
        self.code = code


class Kind:
    """What all kinds have in common. A subclass is one resource type of the provider."""

    #: Terraform's resource type.
    name = ""

    def __init__(self, objects: dict[str, dict[str, Attributes]]) -> None:
        self.objects = objects

    @property
    def own(self) -> dict[str, Attributes]:
        """The objects of this kind, by id."""
        return self.objects.setdefault(self.name, {})

    def of(self, kind: str, project_id: str) -> Iterator[Attributes]:
        """The objects of a kind in a project."""
        return (each for each in self.objects.get(kind, {}).values() if each["project_id"] == project_id)

    def import_id(self, each: Attributes) -> str:
        """What `terraform import` is given for an object."""
        raise NotImplementedError

    def create(self, wanted: Attributes) -> Attributes:
        """Makes an object with all that Atlas decides about it."""
        raise NotImplementedError

    def read(self, each: Attributes) -> Attributes:
        """The object as it is now."""
        return each

    def update(self, each: Attributes, wanted: Attributes) -> Attributes:
        """The object with what it shall be."""
        return {**each, **{key: value for key, value in wanted.items() if value is not None}}

    def delete(self, each: Attributes) -> None:
        """What goes with the object; refuses what still needs it."""

    def project(self, wanted: Attributes) -> Attributes:
        """The project that an object names."""
        project: Attributes | None = self.objects.get("mongodbatlas_project", {}).get(str(wanted["project_id"]))
        if project is None:
            raise RefusedError(404, "GROUP_NOT_FOUND", f"No project with id {wanted['project_id']} exists.")
        return project

    def refuse_twin(self, wanted: Attributes, code: str, *keys: str) -> None:
        """Refuses a second object of the project with the same values."""
        for each in self.of(self.name, wanted["project_id"]):
            if all(each.get(key) == wanted.get(key) for key in keys):
                values = ", ".join(str(wanted.get(key)) for key in keys)
                raise RefusedError(409, code, f"The project has one with {values} already.")


class Project(Kind):
    """A project."""

    name = "mongodbatlas_project"

    def import_id(self, each: Attributes) -> str:
        """What `terraform import` is given."""
        return str(each["id"])

    def create(self, wanted: Attributes) -> Attributes:
        """Makes it, or refuses."""
        if any(each["name"] == wanted["name"] and each["org_id"] == wanted["org_id"] for each in self.own.values()):
            raise RefusedError(409, "GROUP_ALREADY_EXISTS", f"A project named {wanted['name']} already exists.")
        flags = [key for key in wanted if key.startswith("is_")]
        defaults = {
            "id": _hex(),
            "created": _now(),
            "cluster_count": 0,
            "ip_addresses": {"services": {"clusters": []}},
            "with_default_alerts_settings": True,
            **dict.fromkeys(flags, True),
        }
        return _decided(wanted, defaults)

    def read(self, each: Attributes) -> Attributes:
        """It, as it is now."""
        return {**each, "cluster_count": len(list(self.of(Cluster.name, each["id"])))}

    def delete(self, each: Attributes) -> None:
        """Refuses what still needs it; what goes with it goes."""
        if any(self.of(Cluster.name, each["id"])):
            code = "CANNOT_CLOSE_GROUP_ACTIVE_ATLAS_CLUSTERS"
            raise RefusedError(409, code, f"Project {each['name']} has clusters. Delete them first.")
        if any(self.of(Peering.name, each["id"])):
            code = "CANNOT_CLOSE_GROUP_ACTIVE_PEERING_CONNECTIONS"
            raise RefusedError(409, code, f"Project {each['name']} has peerings. Delete them first.")


class Container(Kind):
    """A network container: one VPC of Atlas's in one region, which is there once something needs it."""

    name = "mongodbatlas_network_container"

    def import_id(self, each: Attributes) -> str:
        """What `terraform import` is given."""
        return f"{each['project_id']}-{each['container_id']}"

    def create(self, wanted: Attributes) -> Attributes:
        """Makes it, or refuses."""
        self.project(wanted)
        block = ipaddress.ip_network(wanted["atlas_cidr_block"])
        if not 21 <= block.prefixlen <= 24 or not block.is_private:
            raise RefusedError(400, "INVALID_ATLAS_CIDR_BLOCK", f"{block} is no private range from /21 to /24.")
        self.refuse_twin(wanted, "CONTAINER_ALREADY_EXISTS", "region_name")
        container_id = _hex()
        defaults = {
            "id": _encoded(container_id=container_id, project_id=wanted["project_id"]),
            "container_id": container_id,
            "provisioned": False,
        }
        return _decided(wanted, {**defaults, "provider_name": "AWS"})

    def update(self, each: Attributes, wanted: Attributes) -> Attributes:
        """Changes it, or refuses."""
        if each["provisioned"] and wanted["atlas_cidr_block"] != each["atlas_cidr_block"]:
            raise RefusedError(409, "CONTAINERS_IN_USE", "The range of a container that is in use cannot change.")
        return super().update(each, wanted)

    def delete(self, each: Attributes) -> None:
        """Refuses what still needs it; what goes with it goes."""
        clusters = self.of(Cluster.name, each["project_id"])
        used = any(each["region_name"] in _regions(cluster) for cluster in clusters)
        peered = any(peer["container_id"] == each["container_id"] for peer in self.of(Peering.name, each["project_id"]))
        if used or peered:
            raise RefusedError(409, "CONTAINERS_IN_USE", "A cluster or a peering is in the container. Delete it first.")

    def provision(self, each: Attributes) -> None:
        """Makes the VPC, where it is not there yet."""
        if not each["provisioned"]:
            vpc_id = peerings.create_vpc(_aws_region(each["region_name"]), each["atlas_cidr_block"])
            each.update(provisioned=True, vpc_id=vpc_id)


class Cluster(Kind):
    """A cluster of a dedicated tier."""

    name = "mongodbatlas_advanced_cluster"

    def import_id(self, each: Attributes) -> str:
        """What `terraform import` is given."""
        return f"{each['project_id']}-{each['name']}"

    def create(self, wanted: Attributes) -> Attributes:
        """Makes it, or refuses."""
        self.project(wanted)
        self.refuse_twin(wanted, "DUPLICATE_CLUSTER_NAME", "name")
        tiers = [spec["instance_size"] for config in _configs(wanted) for spec in config.get("electable_specs") or []]
        for tier in tiers:
            if not _DEDICATED.fullmatch(tier):
                raise RefusedError(400, "INVALID_INSTANCE_SIZE", f"{tier} is no tier of dedicated clusters.")
        containers = {region: self._container(wanted["project_id"], region) for region in _regions(wanted)}
        host = f"{wanted['name']}.{_hex()[:5]}.mongodb.net"
        cluster_id = _hex()
        defaults = {
            "id": _encoded(cluster_id=cluster_id, cluster_name=wanted["name"], project_id=wanted["project_id"]),
            "cluster_id": cluster_id,
            "connection_strings": [
                {
                    "standard_srv": f"mongodb+srv://{host}",
                    "standard": f"mongodb://{host}:27017/?ssl=true&authSource=admin",
                    "private": "",
                    "private_srv": "",
                    "private_endpoint": [],
                }
            ],
            "create_date": _now(),
            "mongo_db_version": f"{wanted['mongo_db_major_version'] or '8.0'}.4",
            "state_name": "IDLE",
            "disk_size_gb": 10,
            "paused": False,
            "encryption_at_rest_provider": "NONE",
            "root_cert_type": "ISRGROOTX1",
            "version_release_system": "LTS",
            "config_server_type": "",
            "replication_specs": [
                {
                    "id": _hex(),
                    "external_id": _hex(),
                    "zone_id": _hex(),
                    "container_id": {f"AWS:{region}": containers[region] for region in containers},
                    "region_configs": [_machines(config) for config in spec["region_configs"]],
                }
                for spec in wanted["replication_specs"]
            ],
        }
        return _decided(wanted, defaults)

    def update(self, each: Attributes, wanted: Attributes) -> Attributes:
        """Changes it, or refuses."""
        if _regions(each) != _regions(wanted):
            raise RefusedError(400, "UNSUPPORTED", "The stand-in moves no cluster to another region.")
        return super().update(each, wanted)

    def delete(self, each: Attributes) -> None:
        """Refuses what still needs it; what goes with it goes."""
        if each.get("termination_protection_enabled"):
            code = "CANNOT_TERMINATE_CLUSTER_WHEN_TERMINATION_PROTECTION_ENABLED"
            raise RefusedError(409, code, f"Cluster {each['name']} is protected from termination.")

    def _container(self, project_id: str, region: str) -> str:
        container = Container(self.objects)
        found = next((each for each in self.of(container.name, project_id) if each["region_name"] == region), None)
        if found is None:
            # Of its own, in the range that Atlas chooses: no container that comes later can have another one.
            wanted = {"project_id": project_id, "region_name": region, "atlas_cidr_block": DEFAULT_CIDR}
            found = container.create(wanted)
            container.own[found["id"]] = found
        container.provision(found)
        return str(found["container_id"])


class Peering(Kind):
    """A peering that Atlas asks another account for."""

    name = "mongodbatlas_network_peering"

    def import_id(self, each: Attributes) -> str:
        """What `terraform import` is given."""
        return f"{each['project_id']}-{each['peer_id']}-{each['provider_name']}"

    def create(self, wanted: Attributes) -> Attributes:
        """Makes it, or refuses."""
        self.project(wanted)
        container = self._container(wanted)
        account, region, vpc_id = wanted["aws_account_id"], wanted["accepter_region_name"], wanted["vpc_id"]
        ranges = [ipaddress.ip_network(wanted["route_table_cidr_block"]), _block(container)]
        if ranges[0].overlaps(ranges[1]):
            raise RefusedError(409, "OVERLAPPING_CIDR_BLOCKS", f"{ranges[0]} overlaps the container's {ranges[1]}.")
        if not peerings.vpc_exists(account, region, vpc_id):
            raise RefusedError(400, "INVALID_VPC", f"Account {account} has no VPC {vpc_id} in {region}.")
        Container(self.objects).provision(container)
        atlas = (_aws_region(container["region_name"]), str(container["vpc_id"]))
        peer_id = _hex()
        provider = wanted["provider_name"]
        defaults = {
            "id": _encoded(peer_id=peer_id, project_id=wanted["project_id"], provider_name=provider),
            "peer_id": peer_id,
            "atlas_id": peer_id,
            "atlas_cidr_block": container["atlas_cidr_block"],
            "connection_id": peerings.request_peering(atlas, account, region, vpc_id),
            "error_state_name": "",
        }
        return self.read(_decided(wanted, defaults))

    def read(self, each: Attributes) -> Attributes:
        """It, as it is now."""
        region = _aws_region(self._container(each)["region_name"])
        return {**each, "status_name": peerings.status(region, each["connection_id"])}

    def delete(self, each: Attributes) -> None:
        """Refuses what still needs it; what goes with it goes."""
        peerings.delete_peering(_aws_region(self._container(each)["region_name"]), each["connection_id"])

    def _container(self, wanted: Attributes) -> Attributes:
        for each in self.of(Container.name, wanted["project_id"]):
            if wanted["container_id"] in (each["container_id"], each["id"]):
                return each
        raise RefusedError(404, "CLOUD_PROVIDER_CONTAINER_NOT_FOUND", f"No container {wanted['container_id']} exists.")


class AccessList(Kind):
    """An entry of a project's IP access list."""

    name = "mongodbatlas_project_ip_access_list"

    def import_id(self, each: Attributes) -> str:
        """What `terraform import` is given."""
        return f"{each['project_id']}-{self._entry(each)}"

    def create(self, wanted: Attributes) -> Attributes:
        """Makes it, or refuses."""
        self.project(wanted)
        entry = self._entry(wanted)
        if any(self._entry(each) == entry for each in self.of(self.name, wanted["project_id"])):
            raise RefusedError(409, "DUPLICATE_ACCESS_LIST_ENTRY", f"{entry} is on the access list already.")
        if wanted["aws_security_group"]:
            peers = (Peering(self.objects).read(each) for each in self.of(Peering.name, wanted["project_id"]))
            if not any(peer["status_name"] == "AVAILABLE" for peer in peers):
                code = "AWS_SECURITY_GROUP_WITHOUT_PEERING"
                raise RefusedError(400, code, f"{entry} cannot be resolved: no peering of the project is active.")
        return _decided(wanted, {"id": _encoded(entry=entry, project_id=wanted["project_id"])})

    @staticmethod
    def _entry(each: Attributes) -> str:
        return str(each["cidr_block"] or each["ip_address"] or each["aws_security_group"])


class CustomRole(Kind):
    """A role of exact actions."""

    name = "mongodbatlas_custom_db_role"

    def import_id(self, each: Attributes) -> str:
        """What `terraform import` is given."""
        return f"{each['project_id']}-{each['role_name']}"

    def create(self, wanted: Attributes) -> Attributes:
        """Makes it, or refuses."""
        self.project(wanted)
        self.refuse_twin(wanted, "DUPLICATE_CUSTOM_ROLE", "role_name")
        role_id = _encoded(project_id=wanted["project_id"], role_name=wanted["role_name"])
        return _decided(wanted, {"id": role_id})

    def delete(self, each: Attributes) -> None:
        """Refuses what still needs it; what goes with it goes."""
        for user in self.of(User.name, each["project_id"]):
            if any(role["role_name"] == each["role_name"] for role in user["roles"]):
                code = "CUSTOM_ROLE_IN_USE"
                raise RefusedError(409, code, f"User {user['username']} would be left without {each['role_name']}.")


class User(Kind):
    """A database user."""

    name = "mongodbatlas_database_user"

    def import_id(self, each: Attributes) -> str:
        """What `terraform import` is given."""
        return f"{each['project_id']}/{each['username']}/{each['auth_database_name']}"

    def create(self, wanted: Attributes) -> Attributes:
        """Makes it, or refuses."""
        self.project(wanted)
        self.refuse_twin(wanted, "USER_ALREADY_EXISTS", "username", "auth_database_name")
        if wanted["aws_iam_type"] == "ROLE" and (wanted["auth_database_name"] != "$external" or wanted["password"]):
            raise RefusedError(400, "INVALID_ATTRIBUTE", "An IAM role is a user of $external and has no password.")
        if wanted["aws_iam_type"] == "ROLE" and not re.match(r"arn:aws[\w-]*:iam::\d{12}:role/", wanted["username"]):
            raise RefusedError(400, "INVALID_ATTRIBUTE", f"{wanted['username']} is no ARN of an IAM role.")
        known = {each["role_name"] for each in self.of(CustomRole.name, wanted["project_id"])}
        for role in wanted["roles"] or []:
            if role["role_name"] not in known | {"atlasAdmin", "dbAdmin", "read", "readAnyDatabase", "readWrite"}:
                raise RefusedError(400, "UNSUPPORTED_ROLE", f"No role {role['role_name']} exists.")
        values = {key: wanted[key] for key in ("auth_database_name", "project_id", "username")}
        off = dict.fromkeys(("x509_type", "ldap_auth_type", "oidc_auth_type"), "NONE")
        return _decided(wanted, {"id": _encoded(**values), "aws_iam_type": "NONE", **off})


KINDS: tuple[type[Kind], ...] = (Project, Container, Cluster, Peering, AccessList, CustomRole, User)


def _decided(wanted: Attributes, defaults: Attributes) -> Attributes:
    """What was asked for, with Atlas's own where nothing was: in blocks too."""
    result = dict(wanted)
    for key, value in defaults.items():
        asked = result.get(key)
        if asked is None:
            result[key] = value
        elif isinstance(asked, list) and isinstance(value, list) and all(isinstance(each, dict) for each in value):
            result[key] = [_decided(each, own) for each, own in zip(asked, value, strict=True)]
    return result


def _machines(config: Attributes) -> Attributes:
    """What Atlas decides about the machines of a region."""
    disk = {"disk_size_gb": 10, "disk_iops": 3000, "ebs_volume_type": "STANDARD"}
    scaling = {
        "compute_enabled": False,
        "compute_scale_down_enabled": False,
        "compute_min_instance_size": "",
        "compute_max_instance_size": "",
        "disk_gb_enabled": True,
    }
    specs = {key: [disk] * len(value) for key, value in config.items() if key.endswith("_specs") and value}
    scalings = {key: [scaling] * len(value) for key, value in config.items() if key.endswith("_scaling") and value}
    return {**specs, **scalings}


def _configs(cluster: Attributes) -> list[Attributes]:
    return [config for spec in cluster["replication_specs"] for config in spec["region_configs"]]


def _regions(cluster: Attributes) -> list[str]:
    return [config["region_name"] for config in _configs(cluster)]


def _block(container: Attributes) -> ipaddress.IPv4Network | ipaddress.IPv6Network:
    return ipaddress.ip_network(container["atlas_cidr_block"])


def _aws_region(region_name: str) -> str:
    return region_name.lower().replace("_", "-")


def _encoded(**values: str) -> str:
    """An id of the provider's: names and values in Base64."""
    return "-".join(
        f"{base64.b64encode(key.encode()).decode()}:{base64.b64encode(str(value).encode()).decode()}"
        for key, value in sorted(values.items())
    )


def _hex() -> str:
    return secrets.token_hex(12)


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
