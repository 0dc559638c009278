"""ECS: attributes of services."""

from __future__ import annotations

from typing import Any

import moto.ecs.urls
from botocore import xform_name
from moto.core.responses import ActionResult
from moto.ecs.models import Service
from moto.ecs.responses import EC2ContainerServiceResponse

from standins.aws.gaps.extend import serve

#: What moto takes from no request that makes a service, and returns once it is there.
_DROPPED = (
    "availabilityZoneRebalancing",
    "capacityProviderStrategy",
    "deploymentConfiguration",
    "enableECSManagedTags",
    "enableExecuteCommand",
    "healthCheckGracePeriodSeconds",
    "placementConstraints",
    "placementStrategy",
)


class Ecs(EC2ContainerServiceResponse):
    """moto drops what a service runs on, how it is rolled out and how long its tasks may be unhealthy.

    A service on capacity providers has no launch type, where moto gives it one.
    """

    @classmethod
    def install(cls) -> None:
        """Extends moto."""
        serve(moto.ecs.urls, EC2ContainerServiceResponse, cls)

    def create_service(self) -> ActionResult:
        """Makes a service with all that was asked for."""
        answer = super().create_service()
        self._keep(_service_of(answer))
        return answer

    def update_service(self) -> ActionResult:
        """Changes a service, under the names that it is read by."""
        answer = super().update_service()
        self._keep(_service_of(answer))
        return answer

    def _keep(self, service: Service) -> None:
        attributes = vars(service)
        for name in _DROPPED:
            value = self._get_param(name)
            if value is not None:
                attributes[xform_name(name)] = value
        if attributes.get("capacity_provider_strategy"):
            attributes["launch_type"] = None


def _service_of(answer: ActionResult) -> Service:
    result: Any = answer.result
    service: Service = result["service"]
    return service
