"""What the steps do: they ask the stages, again where that helps, and never twice for what is there."""

import json
import os
import time
from dataclasses import dataclass
from typing import Any

import httpx
from tenacity import RetryCallState, Retrying, retry_if_exception_type, stop_after_delay, stop_any
from tenacity.stop import stop_base
from tenacity.wait import wait_base, wait_random_exponential

from music_common.log import logger, set_up_log

log = logger(__name__)

_CONNECT_S = 5
_AGAIN = frozenset({408, 425, 429, 502, 503, 504})
"""Answers after which another attempt may go well, however long it takes."""
_FAULT = 500
_ATTEMPTS_AT_FAULTS = 4


@dataclass(frozen=True)
class Patience:
    """How long a step tries.

    Values come from MUSIC_STEP_SECONDS, MUSIC_CALL_SECONDS and MUSIC_LONGEST_WAIT_SECONDS.
    """

    step_s: float = 1800
    """All attempts together: a GPU node that has to be started first takes some minutes."""
    call_s: float = 660
    """One attempt: somewhat more than the time after which a stage counts as stuck."""
    longest_wait_s: float = 20
    """Between two attempts, at most; jittered."""


def patience() -> Patience:
    """Read how long a step tries from its environment."""
    usual = Patience()
    return Patience(
        float(os.environ.get("MUSIC_STEP_SECONDS", usual.step_s)),
        float(os.environ.get("MUSIC_CALL_SECONDS", usual.call_s)),
        float(os.environ.get("MUSIC_LONGEST_WAIT_SECONDS", usual.longest_wait_s)),
    )


class Unavailable(Exception):
    """A stage does not answer, or not now. Another attempt may go well."""

    def __init__(self, message: str, retry_after_s: float | None = None) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class Faulty(Exception):
    """A stage failed at it in an unexpected way. That may pass; it does not after some attempts."""


class Refused(Exception):
    """A stage says that it will not do it. Another attempt would hear the same."""


class NoCandidate(Exception):
    """All candidates failed."""


class _AsTheStageSays(wait_base):
    """Waits with jitter, and at least as long as Retry-After says, within the bound."""

    def __init__(self, longest_s: float) -> None:
        self._longest_s = longest_s
        self._jittered = wait_random_exponential(multiplier=0.2, max=longest_s)

    def __call__(self, retry_state: RetryCallState) -> float:
        error = retry_state.outcome.exception() if retry_state.outcome else None
        told_s = error.retry_after_s if isinstance(error, Unavailable) else None
        return min(self._longest_s, max(self._jittered(retry_state), told_s or 0))


def transcribe(first_stage: str, run: str) -> str:
    """Have the run's recording transcribed. Return the words."""
    return str(_ask(first_stage, "/transcriptions", {"run": run})["text"])


def classify(first_stage: str, run: str) -> str:
    """Have the run's words classified. Return the mood."""
    return str(_ask(first_stage, "/moods", {"run": run})["mood"])


def generate(second_stage: str, run: str, index: int) -> str:
    """Have one candidate made. Return what became of it as JSON: one that fails leaves the others."""
    try:
        return json.dumps({**_ask(second_stage, "/candidates", {"run": run, "index": index}), "status": "succeeded"})
    except (Unavailable, Faulty, Refused) as error:
        log.error("a candidate failed", run=run, index=index, error=str(error))
        return json.dumps({"index": index, "status": "failed", "error": str(error)})


def collect(run: str, candidates: list[str]) -> str:
    """Return the candidates that there are, as JSON.

    Raises:
        NoCandidate: where there is none, with what each one failed with.
    """
    results = sorted((json.loads(each) for each in candidates), key=lambda each: int(each["index"]))
    succeeded = [each for each in results if each["status"] == "succeeded"]
    if not succeeded:
        raise NoCandidate("; ".join(f"candidate {each['index']}: {each['error']}" for each in results))
    log.info("collected", run=run, succeeded=len(succeeded), failed=len(results) - len(succeeded))
    return json.dumps(results)


def _ask(stage: str, path: str, body: dict[str, Any]) -> dict[str, Any]:
    """Ask a stage until it answers.

    Raises:
        Unavailable: where it has not in time.
        Faulty: where it fails at every attempt.
        Refused: where it says no.
    """
    set_up_log(os.environ.get("MUSIC_LOG_LEVEL", "INFO"))
    limits = patience()
    retries = Retrying(
        retry=retry_if_exception_type((Unavailable, Faulty)),
        stop=stop_any(stop_after_delay(limits.step_s), _FailsOn()),
        wait=_AsTheStageSays(limits.longest_wait_s),
        before_sleep=_say(path, body),
        reraise=True,
    )
    return retries(_ask_once, stage + path, body, limits)


def _ask_once(url: str, body: dict[str, Any], limits: Patience) -> dict[str, Any]:
    start = time.monotonic()
    try:
        response = httpx.post(url, json=body, timeout=httpx.Timeout(limits.call_s, connect=_CONNECT_S))
    except httpx.HTTPError as error:
        raise Unavailable(f"{url}: {error or type(error).__name__}") from error
    if response.is_success:
        document: dict[str, Any] = response.json()
        log.info("asked", url=url, s=round(time.monotonic() - start, 2), **body)
        return document
    said = _words(response)
    if response.status_code in _AGAIN:
        after = response.headers.get("retry-after", "")
        raise Unavailable(f"{url}: {said}", float(after) if after.isdigit() else None)
    if response.status_code == _FAULT:
        raise Faulty(said)
    raise Refused(said)


class _FailsOn(stop_base):
    """Stops where a stage has failed in an unexpected way at several attempts."""

    def __call__(self, retry_state: RetryCallState) -> bool:
        error = retry_state.outcome.exception() if retry_state.outcome else None
        return isinstance(error, Faulty) and retry_state.attempt_number >= _ATTEMPTS_AT_FAULTS


def _words(response: httpx.Response) -> str:
    try:
        return str(response.json()["detail"])
    except (ValueError, KeyError, TypeError):
        return f"{response.status_code} {response.reason_phrase}"


def _say(path: str, body: dict[str, Any]) -> Any:
    def say(state: RetryCallState) -> None:
        error = state.outcome.exception() if state.outcome else None
        log.warning("asking again", path=path, attempt=state.attempt_number, error=str(error), **body)

    return say
