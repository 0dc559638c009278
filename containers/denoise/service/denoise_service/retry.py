"""Bounded retries with jitter, for calls whose library has none that fits."""

from collections.abc import Callable

from tenacity import RetryCallState, Retrying, retry_if_exception_type, wait_random_exponential
from tenacity.stop import stop_base

from denoise_service.log import logger

log = logger(__name__)


def retrying(what: str, on: type[Exception], stop: stop_base, longest_wait_s: float) -> Retrying:
    """Return retries that log each failure and raise the last one.

    Args:
        what: the call, for the log.
        on: what is worth another attempt.
        stop: when to give up.
        longest_wait_s: bound of the wait between two attempts.
    """
    return Retrying(
        retry=retry_if_exception_type(on),
        stop=stop,
        wait=wait_random_exponential(multiplier=0.1, max=longest_wait_s),
        before_sleep=_say(what),
        reraise=True,
    )


def _say(what: str) -> Callable[[RetryCallState], None]:
    def say(state: RetryCallState) -> None:
        error = state.outcome.exception() if state.outcome else None
        log.warning("call failed, trying again", call=what, attempt=state.attempt_number, error=str(error))

    return say
