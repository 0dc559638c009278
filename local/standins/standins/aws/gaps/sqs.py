"""SQS: queue addresses that answer, attributes that stay, fair shares, long polls that wait without holding moto."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from typing import Any
from urllib.parse import ParseResult, urlparse

from moto.core.utils import unix_time
from moto.sqs.models import Message, Queue, SQSBackend

from standins.aws.fairness import Fairness, Waiting
from standins.aws.gaps.extend import define, wrap

#: Seconds after which a waiting receive looks again: messages become visible by time alone, which nobody announces.
LOOK_AGAIN = 0.2


class QueueAddresses:
    """moto names a queue by the host that was asked, which behind a proxy is one that resolves nowhere.

    A queue's URL is an output of Terraform and an input of programs, so it names the stand-in's own address.
    """

    def __init__(self, url: str) -> None:
        self._url = urlparse(url)

    def install(self) -> None:
        """Extends moto."""

        @wrap(Queue, "url")
        def url(original: Callable[[Queue, ParseResult], str], queue: Queue, _request: ParseResult) -> str:
            return original(queue, self._url)


class QueueAttributes:
    """moto forgets a queue's policy whenever another attribute is set, and never returns RedriveAllowPolicy.

    It also returns RedrivePolicy with spaces, which shows as a change. The provider polls GetQueueAttributes until it
    returns what was sent: without these it waits until it times out.
    """

    def install(self) -> None:
        """Extends moto."""
        Queue.BASE_ATTRIBUTES.append("RedriveAllowPolicy")
        define(Queue, "redrive_allow_policy", None)

        @wrap(SQSBackend, "get_queue_attributes")
        def get_attributes(
            original: Callable[..., dict[str, Any]], backend: SQSBackend, name: str, names: list[str]
        ) -> dict[str, Any]:
            attributes = original(backend, name, names)
            if attributes.get("RedrivePolicy"):
                attributes["RedrivePolicy"] = json.dumps(json.loads(attributes["RedrivePolicy"]), separators=(",", ":"))
            return attributes

        @wrap(Queue, "_set_attributes")
        def set_attributes(
            original: Callable[..., None], queue: Queue, attributes: dict[str, Any], now: float | None = None
        ) -> None:
            policy = attributes.get("Policy", getattr(queue, "policy", None))
            original(queue, attributes, now)
            queue.policy = policy or None
            if attributes.get("RedrivePolicy") == "":
                queue._setup_dlq("")
            if attributes.get("RedriveAllowPolicy") == "":
                vars(queue).update(redrive_allow_policy=None)
            if attributes.get("KmsMasterKeyId"):
                vars(queue).update(sqs_managed_sse_enabled="false")


class FairQueues:
    """moto ignores message groups on standard queues, where AWS serves noisy groups after the others.

    What AWS documents of it is in `fairness`. A message without a group is a group of its own.
    """

    def install(self) -> None:
        """Extends moto."""
        in_order: property = vars(Queue)["messages"]

        def messages(queue: Queue) -> list[Message]:
            waiting: list[Message] = in_order.__get__(queue)
            if queue.fifo_queue:
                return waiting
            in_flight = [message for message in queue.pending_messages if not message.visible]
            held = [_waiting(message) for message in in_flight]
            order = _fairness(queue).order([_waiting(message) for message in waiting], held)
            return [waiting[index] for index in order]

        define(Queue, "messages", property(messages))

        @wrap(Message, "mark_received")
        def mark_received(original: Callable[..., None], message: Message, *arguments: Any, **named: Any) -> None:
            original(message, *arguments, **named)
            vars(message).update(received_at=unix_time())

        @wrap(Queue, "add_message")
        def add_message(original: Callable[[Queue, Message], None], queue: Queue, message: Message) -> None:
            original(queue, message)
            _fairness(queue).sent(_waiting(message))

        @wrap(Queue, "delete_message")
        def delete_message(original: Callable[[Queue, str], None], queue: Queue, receipt_handle: str) -> None:
            done = [message for message in queue.pending_messages if message.had_receipt_handle(receipt_handle)]
            original(queue, receipt_handle)
            for message in done:
                _fairness(queue).worked(_waiting(message))


def _fairness(queue: Queue) -> Fairness:
    fairness: Fairness = vars(queue).setdefault("fairness", Fairness(unix_time))
    return fairness


def _waiting(message: Message) -> Waiting:
    return Waiting(message.group_id or message.id, vars(message).get("received_at"))


class LongPolls:
    """moto waits for messages inside the call, where nobody else can work while it is served one call at a time.

    A waiting receive lets go of moto between two looks, and a sent message wakes it.
    """

    def __init__(self, idle: threading.Condition) -> None:
        self._idle = idle

    def install(self) -> None:
        """Extends moto."""

        @wrap(SQSBackend, "receive_message")
        def receive(
            original: Callable[..., list[Message]],
            backend: SQSBackend,
            queue_name: str,
            count: int,
            wait_seconds_timeout: int,
            *arguments: Any,
            **named: Any,
        ) -> list[Message]:
            deadline = time.monotonic() + wait_seconds_timeout
            while True:
                messages = original(backend, queue_name, count, 0, *arguments, **named)
                remaining = deadline - time.monotonic()
                if messages or remaining <= 0:
                    return messages
                self._idle.wait(min(remaining, LOOK_AGAIN))

        @wrap(Queue, "add_message")
        def add_message(original: Callable[[Queue, Message], None], queue: Queue, message: Message) -> None:
            original(queue, message)
            self._idle.notify_all()
