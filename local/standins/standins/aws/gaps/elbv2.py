"""Elastic Load Balancing: limits and attributes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from moto.elbv2.models import ELBv2Backend

from standins.aws.gaps.extend import wrap

_DELAY = "deregistration_delay.timeout_seconds"


class LongestDeregistration:
    """moto refuses a deregistration delay of 3600 s, which AWS allows and calls that may last an hour need."""

    def install(self) -> None:
        """Extends moto."""

        @wrap(ELBv2Backend, "modify_target_group_attributes")
        def modify(
            original: Callable[..., None], backend: ELBv2Backend, target_group_arn: str, attributes: dict[str, Any]
        ) -> None:
            longest = attributes.get(_DELAY) == "3600"
            original(backend, target_group_arn, {**attributes, _DELAY: "3599"} if longest else attributes)
            if longest:
                backend.target_groups[target_group_arn].attributes[_DELAY] = "3600"
