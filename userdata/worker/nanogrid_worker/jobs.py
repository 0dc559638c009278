"""The jobs table, the truth about a job: who may run it, and how it ended. Every write here is conditional.

What is left to do about a job when the process that owed it has died is in duty_index.py.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Literal

from nanogrid_worker.aws import Aws
from nanogrid_worker.errors import InfrastructureError
from nanogrid_worker.results import Document, encode
from nanogrid_worker.times import epoch_s, iso, now

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.type_defs import AttributeValueTypeDef, UpdateItemInputTypeDef

FINAL_TTL = timedelta(hours=24)
"""How long a final job is kept after its last change."""
RUNNING_TTL = timedelta(days=14)
"""How long a job that outlives its message is kept after its last renewal."""
FIRST_DELIVERY_S = 60
"""How long the worker that ended a job has for what the job owes, before any other may do it."""

_MAX_ERROR_CHARS = 500

# Attributes whose names DynamoDB reserves for itself.
_RESERVED = {"#status": "status", "#result": "result"}
_NOT_FINAL = "#status IN (:pending, :processing)"
_MINE = "leaseOwner = :me AND #status = :processing"
_LEASE_DUTY = "duty = :lease, dutyAt = :until, expiresAt = :expires"
_STATUSES: dict[str, AttributeValueTypeDef] = {":pending": {"S": "PENDING"}, ":processing": {"S": "PROCESSING"}}


@dataclass(frozen=True)
class Claimed:
    """The job is this worker's."""

    started_at: datetime
    attempt: int


@dataclass(frozen=True)
class AlreadyFinal:
    """The job has ended before."""

    status: str


@dataclass(frozen=True)
class HeldElsewhere:
    """Another worker has a lease on the job."""

    owner: str
    remaining_s: int


class JobsTable:
    """The jobs table, as one worker sees it."""

    def __init__(self, aws: Aws, table: str, worker_id: str, visibility_timeout_s: int) -> None:
        self._dynamodb = aws.dynamodb
        self._table = table
        self._me = worker_id
        self.lease_s = visibility_timeout_s

    def claim(self, job_id: str) -> Claimed | AlreadyFinal | HeldElsewhere:
        """Takes a job that nobody else has a lease on.

        Raises:
            InfrastructureError: the table does not know the job.
        """
        time = now()
        request = self._update(
            job_id,
            "SET #status = :processing, leaseOwner = :me, leaseExpiresAt = :until, startedAt = :started"
            " REMOVE duty, dutyAt, message ADD attempts :one",
            # A lease ends in the second in which the message that it came with is visible again, not in the next.
            f"{_NOT_FINAL} AND (attribute_not_exists(leaseOwner) OR leaseExpiresAt <= :now OR leaseOwner = :me)",
            {
                **_STATUSES,
                ":me": {"S": self._me},
                ":until": self._lease_end(time),
                ":now": {"N": str(epoch_s(time))},
                ":started": {"S": iso(time)},
                ":one": {"N": "1"},
            },
        )
        request["ReturnValues"] = "UPDATED_NEW"
        request["ReturnValuesOnConditionCheckFailure"] = "ALL_OLD"
        try:
            reply = self._dynamodb.update_item(**request)
        except self._dynamodb.exceptions.ConditionalCheckFailedException as error:
            return self._why_not(job_id, error.response.get("Item", {}), time)  # type: ignore[arg-type]
        # What is stored has milliseconds, and so has what is said later.
        return Claimed(datetime.fromisoformat(iso(time)), int(reply["Attributes"]["attempts"]["N"]))

    def renew(self, job_id: str, is_handed_over: bool) -> bool:
        """Prolongs the lease, and the duty of one that stands alone; False if it is lost or the job was cancelled."""
        until = self._lease_end(now())
        if is_handed_over:
            return self._if_mine(job_id, f"SET leaseExpiresAt = :until, {_LEASE_DUTY}", self._lease_duty(until))
        return self._if_mine(job_id, "SET leaseExpiresAt = :until", {":until": until})

    def hand_over(self, job_id: str, message: str) -> bool:
        """Keeps a message that is about to be deleted, and prolongs the lease, which stands alone from then on."""
        values = self._lease_duty(self._lease_end(now()))
        values[":message"] = {"S": message}
        return self._if_mine(job_id, f"SET leaseExpiresAt = :until, message = :message, {_LEASE_DUTY}", values)

    def release(self, job_id: str, *, is_handed_over: bool, attempt: int, error: str | None = None) -> bool:
        """Gives the job back, for another attempt; False if it was not ours any more.

        Args:
            job_id: the job.
            is_handed_over: whether its message is in the table alone, and has to be sent again.
            attempt: the attempt that ends here.
            error: our failure, in a sentence; None if there was none.
        """
        time = now()
        sets = ["#status = :pending"]
        values: dict[str, AttributeValueTypeDef] = {":pending": {"S": "PENDING"}}
        if is_handed_over:
            sets.append("duty = :lease, dutyAt = :now")
            values |= {":lease": {"S": "LEASE"}, ":now": {"N": str(epoch_s(time))}}
        if error is not None:
            sets.append("lastError = :error")
            values[":error"] = {
                "M": {
                    "message": {"S": error[:_MAX_ERROR_CHARS]},
                    "attempt": {"N": str(attempt)},
                    "at": {"S": iso(time)},
                }
            }
        return self._if_mine(job_id, f"SET {', '.join(sets)} REMOVE leaseOwner, leaseExpiresAt, startedAt", values)

    def finish(self, job_id: str, result: Document, owes: Sequence[str]) -> bool:
        """Writes the result; False if the lease was lost, and then nothing is written.

        Args:
            job_id: the job.
            result: its result document.
            owes: what it still waits for: ARCHIVE, CALLBACK.
        """
        document = encode(result).decode()
        finished_at = datetime.fromisoformat(result["finished_at"])
        sets = ["#status = :final, #result = :result, finishedAt = :finished, expiresAt = :expires"]
        removes = "leaseOwner, leaseExpiresAt, lastError, message"
        values: dict[str, AttributeValueTypeDef] = {
            ":final": {"S": result["status"]},
            ":result": {"S": document},
            ":finished": {"S": result["finished_at"]},
            ":expires": {"N": str(epoch_s(finished_at + FINAL_TTL))},
        }
        if owes:
            sets.append("owes = :owes, duty = :deliver, dutyAt = :soon")
            values |= {
                ":owes": {"SS": list(owes)},
                ":deliver": {"S": "DELIVER"},
                ":soon": {"N": str(epoch_s(finished_at) + FIRST_DELIVERY_S)},
            }
        else:
            removes += ", duty, dutyAt"
        if "CALLBACK" in owes:
            sets.append("callbackStatus = :pending")
            values[":pending"] = {"S": "PENDING"}
        is_written = self._if_mine(job_id, f"SET {', '.join(sets)} REMOVE {removes}", values)
        # A write whose reply was lost is made again by the client, and then finds itself in its way.
        return is_written or self._stored(job_id).get("result", {}).get("S") == document

    def status(self, job_id: str) -> str | None:
        """The job's status now, read consistently; None for an unknown job."""
        return self._stored(job_id).get("status", {}).get("S")

    def _stored(self, job_id: str) -> dict[str, AttributeValueTypeDef]:
        reply = self._dynamodb.get_item(TableName=self._table, Key={"jobId": {"S": job_id}}, ConsistentRead=True)
        return reply.get("Item", {})

    def _if_mine(self, job_id: str, update: str, values: dict[str, AttributeValueTypeDef]) -> bool:
        mine: dict[str, AttributeValueTypeDef] = {":me": {"S": self._me}, ":processing": {"S": "PROCESSING"}}
        try:
            self._dynamodb.update_item(**self._update(job_id, update, _MINE, {**mine, **values}))
        except self._dynamodb.exceptions.ConditionalCheckFailedException:
            return False
        return True

    def _update(
        self, job_id: str, update: str, condition: str, values: dict[str, AttributeValueTypeDef]
    ) -> UpdateItemInputTypeDef:
        return {
            "TableName": self._table,
            "Key": {"jobId": {"S": job_id}},
            "UpdateExpression": update,
            "ConditionExpression": condition,
            "ExpressionAttributeNames": {n: r for n, r in _RESERVED.items() if n in update or n in condition},
            "ExpressionAttributeValues": values,
        }

    def _lease_duty(self, until: AttributeValueTypeDef) -> dict[str, AttributeValueTypeDef]:
        return {":until": until, ":lease": {"S": "LEASE"}, ":expires": {"N": str(epoch_s(now() + RUNNING_TTL))}}

    def _lease_end(self, time: datetime) -> AttributeValueTypeDef:
        return {"N": str(epoch_s(time) + self.lease_s)}

    def _why_not(
        self, job_id: str, item: dict[str, dict[Literal["S", "N"], str]], time: datetime
    ) -> AlreadyFinal | HeldElsewhere:
        if not item:
            raise InfrastructureError(f"{self._table}: no job {job_id}. The controller writes it before it enqueues.")
        status = item["status"]["S"]
        if status not in ("PENDING", "PROCESSING"):
            return AlreadyFinal(status)
        return HeldElsewhere(item["leaseOwner"]["S"], int(item["leaseExpiresAt"]["N"]) - epoch_s(time))
