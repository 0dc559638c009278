"""The task queue: long polls, and what becomes of a message."""

import random
import time
from dataclasses import dataclass

from nanogrid_worker.aws import Aws
from nanogrid_worker.settings import Settings

_FIRST_RETRY_S = 15


@dataclass(frozen=True)
class Message:
    """A message as received. Its receipt is good for this delivery alone.

    Attributes:
        received_at: when, by time.monotonic().
    """

    id: str
    receipt: str
    body: str
    receives: int
    received_at: float


class TaskQueue:
    """The queue that the settings name."""

    def __init__(self, aws: Aws, settings: Settings) -> None:
        self._sqs = aws.sqs
        self._url = settings.sqs_queue_url
        self.visibility_s = settings.visibility_timeout_s
        self._wait_s = settings.poll_wait_s

    def receive(self) -> Message | None:
        """Waits for a message, for one poll at most."""
        reply = self._sqs.receive_message(
            QueueUrl=self._url,
            MaxNumberOfMessages=1,
            WaitTimeSeconds=self._wait_s,
            VisibilityTimeout=self.visibility_s,
            MessageSystemAttributeNames=["ApproximateReceiveCount"],
        )
        for message in reply.get("Messages", []):
            return Message(
                id=message["MessageId"],
                receipt=message["ReceiptHandle"],
                body=message["Body"],
                receives=int(message["Attributes"]["ApproximateReceiveCount"]),
                received_at=time.monotonic(),
            )
        return None

    def send_again(self, body: str, tenant: str) -> None:
        """Sends a message that has been deleted once more, for the tenant's share of the queue."""
        self._sqs.send_message(QueueUrl=self._url, MessageBody=body, MessageGroupId=tenant)

    def keep(self, message: Message) -> None:
        """Hides a message for another visibility timeout."""
        self._hide(message, self.visibility_s)

    def give_back(self, message: Message) -> None:
        """Makes a message visible to other workers now."""
        self._hide(message, 0)

    def retry_later(self, message: Message) -> None:
        """Makes a message visible after a wait that grows with its receives, up to the visibility timeout."""
        longest = min(self.visibility_s, _FIRST_RETRY_S * 2 ** (message.receives - 1))
        self._hide(message, round(longest * random.uniform(0.75, 1.0)))  # noqa: S311 (jitter)

    def look_again(self, message: Message, after_s: int) -> None:
        """Makes a message visible when somebody else's lease should have ended."""
        self._hide(message, max(1, after_s))

    def delete(self, message: Message) -> None:
        """Removes a message for good."""
        self._sqs.delete_message(QueueUrl=self._url, ReceiptHandle=message.receipt)

    def _hide(self, message: Message, seconds: int) -> None:
        self._sqs.change_message_visibility(
            QueueUrl=self._url, ReceiptHandle=message.receipt, VisibilityTimeout=seconds
        )
