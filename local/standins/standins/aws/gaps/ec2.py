"""EC2: attributes of instances, launch templates and security group rules that moto drops."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import moto.ec2.urls
from moto.core.responses import ActionResult
from moto.ec2.exceptions import InvalidLaunchTemplateIdNotFound
from moto.ec2.models.instances import Instance
from moto.ec2.models.security_groups import SecurityGroupRule
from moto.ec2.models.vpc_peering_connections import VPCPeeringConnection
from moto.ec2.responses import EC2Response
from moto.ec2.utils import parse_user_data

from standins.aws.gaps.extend import define, serve, wrap


class Ec2(EC2Response):
    """moto's EC2 drops an instance's CPU credits and recovery, and cannot switch monitoring, credits or recovery later.

    An instance has no security groups when they were given on its network interface, and a network interface stays
    attached to an instance that is gone. A launch template's own tags come back as tags for what it launches, and never
    change; instances cannot be launched from a later version with user data. A template that is gone is missed by
    another error than EC2's, so that Terraform fails where it deletes one again because the first answer was lost. A
    rule between two security groups loses its description. Whoever accepts a peering of another account sees the
    other's tags instead of their own.
    """

    @classmethod
    def install(cls) -> None:
        """Extends moto."""
        serve(moto.ec2.urls, EC2Response, cls)

        @wrap(Instance, "prep_nics")
        def prep_nics(
            original: Callable[..., None], instance: Instance, specified: list[dict[str, Any]], *rest: Any, **named: Any
        ) -> None:
            existing = {nic.get("NetworkInterfaceId") for nic in specified}
            original(instance, specified, *rest, **named)
            for nic in instance.nics.values():
                nic.delete_on_termination = nic.id not in existing
            if not instance.security_groups and 0 in instance.nics:
                instance.security_groups = list(instance.nics[0].group_set)

        @wrap(Instance, "terminate")
        def terminate(original: Callable[..., Any], instance: Instance, *arguments: Any, **named: Any) -> Any:
            kept = [nic for nic in instance.nics.values() if not nic.delete_on_termination]
            answer = original(instance, *arguments, **named)
            for index, nic in list(instance.nics.items()):
                if nic in kept:
                    instance.detach_eni(nic)
                    instance.nics[index] = nic
            return answer

        @wrap(SecurityGroupRule, "__init__")
        def rule(original: Callable[..., None], rule: SecurityGroupRule, *arguments: Any, **named: Any) -> None:
            original(rule, *arguments, **named)
            prefix_list = named.get("prefix_list_id", arguments[7] if len(arguments) > 7 else None) or {}
            vars(rule).update(prefix_list_description=prefix_list.get("Description"))

        def description(rule: SecurityGroupRule) -> str | None:
            found: str | None = getattr(rule, "prefix_list_description", None)
            return rule.ip_range.get("Description") or rule.source_group.get("Description") or found

        define(SecurityGroupRule, "description", property(description))

        def tags(peering: VPCPeeringConnection) -> list[dict[str, str]]:
            backend = getattr(peering, "seen_by", peering.ec2_backend)
            found: list[dict[str, str]] = backend.describe_tags(filters={"resource-id": [peering.id]})
            return found

        define(VPCPeeringConnection, "get_tags", tags)

    # Peerings

    def describe_vpc_peering_connections(self) -> ActionResult:
        """Lists peerings with the tags of the account that asks."""
        for peering in self.ec2_backend.vpc_pcxs.values():
            vars(peering).update(seen_by=self.ec2_backend)
        return super().describe_vpc_peering_connections()

    # Instances

    def run_instances(self) -> ActionResult:
        """Runs instances with the CPU credits and the recovery that were asked for."""
        result = super().run_instances()
        instances: list[Instance] = vars(result.result)["instances"]
        usual = "standard" if str(self._get_param("InstanceType", "")).startswith("t2.") else "unlimited"
        for instance in instances:
            vars(instance).update(
                cpu_credits=self._get_param("CreditSpecification.CpuCredits", usual),
                maintenance_options=_maintenance(self._get_param("MaintenanceOptions.AutoRecovery", "default")),
            )
        return result

    def describe_instance_credit_specifications(self) -> ActionResult:
        """Lists instances' CPU credits."""
        instances = self.ec2_backend.describe_instance_credit_specifications(self._get_param("InstanceIds", []))
        return ActionResult(
            {
                "InstanceCreditSpecifications": [
                    {"InstanceId": instance.id, "CpuCredits": getattr(instance, "cpu_credits", "standard")}
                    for instance in instances
                ]
            }
        )

    def modify_instance_credit_specification(self) -> ActionResult:
        """Changes instances' CPU credits."""
        wanted = self._get_param("InstanceCreditSpecifications", [])
        for specification in wanted:
            instance = self.ec2_backend.get_instance(specification["InstanceId"])
            vars(instance).update(cpu_credits=specification["CpuCredits"])
        done = [{"InstanceId": specification["InstanceId"]} for specification in wanted]
        return ActionResult(
            {"SuccessfulInstanceCreditSpecifications": done, "UnsuccessfulInstanceCreditSpecifications": []}
        )

    def modify_instance_maintenance_options(self) -> ActionResult:
        """Changes an instance's recovery."""
        instance = self.ec2_backend.get_instance(self._get_param("InstanceId"))
        recovery = self._get_param("AutoRecovery", "default")
        vars(instance).update(maintenance_options=_maintenance(recovery))
        return ActionResult({"InstanceId": instance.id, "AutoRecovery": recovery})

    # moto types what it has not written: both only raise.
    def monitor_instances(self) -> ActionResult:  # type: ignore[override]
        """Switches detailed monitoring on."""
        return self._monitoring("enabled")

    def unmonitor_instances(self) -> ActionResult:  # type: ignore[override]
        """Switches detailed monitoring off."""
        return self._monitoring("disabled")

    def _monitoring(self, state: str) -> ActionResult:
        ids = self._get_param("InstanceIds", [])
        for instance_id in ids:
            self.ec2_backend.get_instance(instance_id).monitoring_state = state
        return ActionResult({"InstanceMonitorings": [{"InstanceId": i, "Monitoring": {"State": state}} for i in ids]})

    # Launch templates

    def create_launch_template(self) -> ActionResult:
        """Makes a launch template whose own tags stay its own."""
        result = super().create_launch_template()
        data = self.ec2_backend.get_launch_template_by_name(self._get_param("LaunchTemplateName")).versions[0].data
        launched = [tags for tags in data.get("TagSpecifications", []) if tags["ResourceType"] != "launch-template"]
        if launched:
            data["TagSpecifications"] = launched
        else:
            data.pop("TagSpecifications", None)
        return result

    def create_launch_template_version(self) -> ActionResult:
        """Makes a version whose user data can be launched."""
        result = super().create_launch_template_version()
        name, template_id = self._get_param("LaunchTemplateName"), self._get_param("LaunchTemplateId")
        backend = self.ec2_backend
        template = (
            backend.get_launch_template(template_id) if template_id else backend.get_launch_template_by_name(name)
        )
        data = template.versions[-1].data
        data["UserData"] = parse_user_data(data.get("UserData"))
        return result

    def delete_launch_template(self) -> ActionResult:
        """Deletes a launch template, or says that there is none of this id."""
        template_id = self._get_param("LaunchTemplateId")
        if template_id and template_id not in self.ec2_backend.launch_templates:
            raise InvalidLaunchTemplateIdNotFound(template_id)
        return super().delete_launch_template()

    def describe_launch_templates(self) -> ActionResult:
        """Lists launch templates with the tags that they have now."""
        for template in self.ec2_backend.launch_templates.values():
            template.tags = template.get_tags()
        return super().describe_launch_templates()


def _maintenance(recovery: str) -> dict[str, str]:
    return {"AutoRecovery": recovery, "RebootMigration": "default"}
