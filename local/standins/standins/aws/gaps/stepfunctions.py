"""Step Functions: validation of definitions."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import moto.stepfunctions.urls
from moto.core.responses import ActionResult
from moto.stepfunctions.responses import StepFunctionResponse

from standins.aws.gaps.extend import serve

_ENDS = {"Succeed", "Fail"}
_TYPES = _ENDS | {"Task", "Pass", "Choice", "Wait", "Parallel", "Map"}


class StepFunctions(StepFunctionResponse):
    """moto's Step Functions lacks ValidateStateMachineDefinition, asked at every plan of a definition.

    This one knows the grammar of states and transitions; it does not look into paths and intrinsic functions.
    """

    @classmethod
    def install(cls) -> None:
        """Extends moto."""
        serve(moto.stepfunctions.urls, StepFunctionResponse, cls)

    def validate_state_machine_definition(self) -> ActionResult:
        """Says whether a definition is one, and what is wrong with it."""
        try:
            machine = json.loads(self._get_param("definition"))
        except ValueError as error:
            problems = [("INVALID_JSON_DESCRIPTION", f"The definition is not JSON: {error}", "/")]
        else:
            problems = list(_problems(machine, ""))
        diagnostics = [
            {"severity": "ERROR", "code": code, "message": message, "location": location}
            for code, message, location in problems
        ]
        return ActionResult({"result": "FAIL" if diagnostics else "OK", "diagnostics": diagnostics, "truncated": False})


def _problems(machine: Any, location: str) -> Iterator[tuple[str, str, str]]:
    """What is wrong with a state machine, or with one inside a Parallel or Map state: code, message, JSON pointer."""
    states = machine.get("States") if isinstance(machine, dict) else None
    if not isinstance(states, dict) or not states:
        yield (
            "SCHEMA_VALIDATION_FAILED",
            "A state machine needs States, an object with at least one state.",
            f"{location}/States",
        )
        return
    if machine.get("StartAt") not in states:
        yield (
            "MISSING_TRANSITION_TARGET",
            f"StartAt names {machine.get('StartAt')!r}, which is no state.",
            f"{location}/StartAt",
        )
    for name, state in states.items():
        at = f"{location}/States/{name}"
        kind = state.get("Type")
        if kind not in _TYPES:
            yield (
                "SCHEMA_VALIDATION_FAILED",
                f"Type is {kind!r}, expected one of {', '.join(sorted(_TYPES))}.",
                f"{at}/Type",
            )
            continue
        if kind not in _ENDS | {"Choice"} and not state.get("End") and "Next" not in state:
            yield "SCHEMA_VALIDATION_FAILED", "A state needs Next or End.", at
        branches = [state, *state.get("Choices", []), *state.get("Catch", [])]
        targets = [branch["Next"] for branch in branches if "Next" in branch] + [
            state[key] for key in ("Default",) if key in state
        ]
        for target in targets:
            if target not in states:
                yield "MISSING_TRANSITION_TARGET", f"{target!r} is no state.", at
        inner = [*state.get("Branches", []), *(state[key] for key in ("ItemProcessor", "Iterator") if key in state)]
        for index, branch in enumerate(inner):
            yield from _problems(branch, f"{at}/{index}")
