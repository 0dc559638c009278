"""Lambda: where a function's log goes, who reads queues for it, and what an image's own settings are."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from moto.awslambda.models import EventSourceMapping, LambdaBackend, LambdaFunction
from moto.sqs.models import sqs_backends

from standins.aws.gaps.extend import wrap

_KEY = "LoggingConfig"


class FunctionLogs:
    """moto drops a function's logging configuration: its format and its log group."""

    def install(self) -> None:
        """Extends moto."""

        @wrap(LambdaFunction, "__init__")
        def init(original: Callable[..., None], function: LambdaFunction, *arguments: Any, **named: Any) -> None:
            original(function, *arguments, **named)
            spec = named["spec"] if "spec" in named else arguments[1]
            vars(function)[_KEY] = spec.get(_KEY)

        @wrap(LambdaFunction, "update_configuration")
        def update(original: Callable[..., Any], function: LambdaFunction, changes: dict[str, Any]) -> Any:
            if _KEY in changes:
                vars(function)[_KEY] = changes[_KEY]
            return original(function, changes)

        @wrap(LambdaFunction, "get_configuration")
        def configuration(
            original: Callable[..., dict[str, Any]], function: LambdaFunction, *rest: Any, **named: Any
        ) -> Any:
            kept = vars(function).get(_KEY)
            usual = {"LogFormat": "Text", "LogGroup": f"/aws/lambda/{function.function_name}"}
            return {**original(function, *rest, **named), _KEY: {**usual, **(kept or {})}}


class EventSources:
    """moto runs a function itself, in a container, for each message that is sent to its queue.

    Here the program that runs the functions reads their queues, as Lambda's pollers do.
    """

    def install(self) -> None:
        """Extends moto."""

        @wrap(LambdaBackend, "create_event_source_mapping")
        def create(
            original: Callable[..., EventSourceMapping], backend: LambdaBackend, spec: dict[str, Any]
        ) -> EventSourceMapping:
            mapping = original(backend, spec)
            for queue in sqs_backends[backend.account_id][backend.region_name].queues.values():
                queue.lambda_event_source_mappings.pop(mapping.function_arn, None)
            return mapping


class ImageSettings:
    """moto answers with settings of an image where none were given; Terraform would see a change."""

    def install(self) -> None:
        """Extends moto."""

        @wrap(LambdaFunction, "get_configuration")
        def configuration(
            original: Callable[..., dict[str, Any]], function: LambdaFunction, *rest: Any, **named: Any
        ) -> Any:
            found = original(function, *rest, **named)
            given = any((found.get("ImageConfigResponse") or {}).get("ImageConfig", {}).values())
            return {key: value for key, value in found.items() if given or key != "ImageConfigResponse"}
