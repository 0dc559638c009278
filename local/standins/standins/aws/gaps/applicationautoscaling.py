"""Application Auto Scaling: tags of scalable targets."""

from __future__ import annotations

import json

import moto.applicationautoscaling.urls
from moto.applicationautoscaling.responses import ApplicationAutoScalingResponse
from moto.utilities.tagging_service import TaggingService

from standins.aws.gaps.extend import serve


class ApplicationAutoScaling(ApplicationAutoScalingResponse):
    """moto's Application Auto Scaling has no tags; the provider reads them of every scalable target."""

    _tags = TaggingService()

    @classmethod
    def install(cls) -> None:
        """Extends moto."""
        serve(moto.applicationautoscaling.urls, ApplicationAutoScalingResponse, cls)

    def register_scalable_target(self) -> str:
        """Registers or changes a scalable target, with its tags."""
        answer = super().register_scalable_target()
        self._tag(json.loads(answer)["ScalableTargetARN"])
        return answer

    def tag_resource(self) -> str:
        """Sets tags of a scalable target."""
        self._tag(self._get_param("ResourceARN"))
        return "{}"

    def untag_resource(self) -> str:
        """Takes tags from a scalable target."""
        self._tags.untag_resource_using_names(self._get_param("ResourceARN"), self._get_param("TagKeys") or [])
        return "{}"

    def list_tags_for_resource(self) -> str:
        """Lists the tags of a scalable target."""
        return json.dumps({"Tags": self._tags.get_tag_dict_for_resource(self._get_param("ResourceARN"))})

    def _tag(self, arn: str) -> None:
        self._tags.tag_resource(arn, TaggingService.convert_dict_to_tags_input(self._get_param("Tags") or {}))
