"""Systems Manager: public parameters that name machine images."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from moto.ec2.models import ec2_backends
from moto.ec2.models.amis import Ami
from moto.ssm.models import Parameter, ParameterDict

from standins.aws.gaps.extend import wrap


@dataclass(frozen=True)
class _Family:
    """A vendor's public parameters and what its images are like."""

    pattern: re.Pattern[str]
    image_name: str
    owner: str
    root_device: str


_FAMILIES = (
    _Family(
        re.compile(
            r"/aws/service/canonical/ubuntu/(?P<flavour>server|server-minimal|pro-server)/(?P<release>\d\d\.\d\d|[a-z]+)"
            r"/stable/(?P<serial>current|\d{8}(\.\d+)?)/(?P<architecture>amd64|arm64)/hvm/(?P<volume>ebs-gp2|ebs-gp3)/ami-id"
        ),
        "ubuntu/images/hvm-ssd/ubuntu-{release}-{architecture}-{flavour}-{serial}",
        "099720109477",
        "/dev/sda1",
    ),
    _Family(
        re.compile(r"/aws/service/deeplearning/ami/(?P<architecture>x86_64|arm64)/(?P<flavour>[\w.-]+)/latest/ami-id"),
        "Deep Learning {flavour} ({architecture})",
        "898082745236",
        "/dev/sda1",
    ),
)


class VendorImages:
    """moto knows Amazon Linux's and ECS's public parameters only: it lacks Canonical's Ubuntu and Deep Learning images.

    A parameter of theirs gets an image id derived from its name and region, and the image exists in EC2.
    """

    def install(self) -> None:
        """Extends moto."""

        @wrap(ParameterDict, "_check_loading_status")
        def load(original: Callable[..., None], parameters: ParameterDict, key: str) -> None:
            original(parameters, key)
            name = str(key or "").split(":", 1)[0]
            if not name.startswith("/aws/service/") or dict.__contains__(parameters, name):
                return
            for family in _FAMILIES:
                match = family.pattern.fullmatch(name)
                if match:
                    dict.__setitem__(
                        parameters, name, [_parameter(parameters, name, _image(parameters, name, family, match))]
                    )


def _parameter(parameters: ParameterDict, name: str, value: str) -> Parameter:
    # moto leaves two of CloudFormation's methods open, and makes parameters all the same.
    return Parameter(  # type: ignore[abstract]
        account_id=parameters.account_id,
        name=name,
        value=value,
        parameter_type="String",
        description=None,
        allowed_pattern=None,
        keyid=None,
        last_modified_date=datetime.now(UTC),
        version=1,
        data_type="aws:ec2:image",
    )


def _image(parameters: ParameterDict, name: str, family: _Family, match: re.Match[str]) -> str:
    image_id = "ami-" + hashlib.sha256(f"{parameters.region_name}{name}".encode()).hexdigest()[:17]
    details: dict[str, Any] = match.groupdict()
    backend = ec2_backends[parameters.account_id][parameters.region_name]
    backend.amis[image_id] = Ami(
        backend,
        image_id,
        name=family.image_name.format(**details),
        owner_id=family.owner,
        owner_alias="amazon",
        public=True,
        virtualization_type="hvm",
        architecture="arm64" if details["architecture"] == "arm64" else "x86_64",
        hypervisor="xen",
        root_device_type="ebs",
        root_device_name=family.root_device,
        region_name=f"{parameters.region_name}a",
    )
    return image_id
