"""The jobs table, the truth about a job: who may run it, and how it ended. Every write here is conditional."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Literal

from nanogrid_worker.aws import Aws
from nanogrid_worker.errors import InfrastructureError
from nanogrid_worker.results import Document, encode
from nanogrid_worker.times import epoch_s, iso, now

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.type_defs import AttributeValueTypeDef, UpdateItemInputTypeDef

# A lease outlasts the message's visibility, so that a message which came back too early meets a lease that still holds.
_LEASE_MARGIN_S = 10
_FINAL_TTL = timedelta(hours=24)

# Attributes whose names DynamoDB reserves for itself.
_RESERVED = {"#status": "status", "#result": "result", "#archive": "archive"}
_NOT_FINAL = "#status IN (:pending, :processing)"
_MINE = "leaseOwner = :me AND #status = :processing"
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
        self.lease_s = visibility_timeout_s + _LEASE_MARGIN_S

    def claim(self, job_id: str) -> Claimed | AlreadyFinal | HeldElsewhere:
        """Takes a job that nobody else has a lease on.

        Raises:
            InfrastructureError: the table does not know the job.
        """
        time = now()
        request = self._update(
            job_id,
            "SET #status = :processing, leaseOwner = :me, leaseExpiresAt = :until, startedAt = :started"
            " ADD attempts :one",
            f"{_NOT_FINAL} AND (attribute_not_exists(leaseOwner) OR leaseExpiresAt < :now OR leaseOwner = :me)",
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

    def renew(self, job_id: str) -> bool:
        """Prolongs the lease; False if it is lost or the job was cancelled."""
        return self._if_mine(job_id, "SET leaseExpiresAt = :until", {":until": self._lease_end(now())})

    def release(self, job_id: str) -> bool:
        """Gives the job back, as if it had never been claimed; False if it was not ours any more."""
        return self._if_mine(
            job_id,
            "SET #status = :pending REMOVE leaseOwner, leaseExpiresAt, startedAt",
            {":pending": {"S": "PENDING"}},
        )

    def finish(self, job_id: str, result: Document, archive_owed: bool) -> bool:
        """Writes the result; False if the lease was lost, and then nothing is written."""
        document = encode(result).decode()
        finished_at = datetime.fromisoformat(result["finished_at"])
        sets = "SET #status = :final, #result = :result, finishedAt = :finished, expiresAt = :expires"
        is_written = self._if_mine(
            job_id,
            f"{sets}{', #archive = :owed' if archive_owed else ''} REMOVE leaseOwner, leaseExpiresAt",
            {
                ":final": {"S": result["status"]},
                ":result": {"S": document},
                ":finished": {"S": result["finished_at"]},
                ":expires": {"N": str(epoch_s(finished_at + _FINAL_TTL))},
                **({":owed": {"S": "OWED"}} if archive_owed else {}),
            },
        )
        # A write whose reply was lost is made again by the client, and then finds itself in its way.
        return is_written or self._stored(job_id).get("result", {}).get("S") == document

    def archived(self, job_id: str) -> None:
        """Notes that the archive has its copy."""
        request = self._update(
            job_id, "SET #archive = :done", "#archive = :owed", {":done": {"S": "DONE"}, ":owed": {"S": "OWED"}}
        )
        self._apply(request)

    def status(self, job_id: str) -> str | None:
        """The job's status now, read consistently; None for an unknown job."""
        return self._stored(job_id).get("status", {}).get("S")

    def _stored(self, job_id: str) -> dict[str, AttributeValueTypeDef]:
        reply = self._dynamodb.get_item(TableName=self._table, Key={"jobId": {"S": job_id}}, ConsistentRead=True)
        return reply.get("Item", {})

    def _if_mine(
        self,
        job_id: str,
        update: str,
        values: dict[str, AttributeValueTypeDef],
    ) -> bool:
        mine: dict[str, AttributeValueTypeDef] = {":me": {"S": self._me}, ":processing": {"S": "PROCESSING"}}
        request = self._update(job_id, update, _MINE, {**mine, **values})
        return self._apply(request)

    def _apply(self, request: UpdateItemInputTypeDef) -> bool:
        try:
            self._dynamodb.update_item(**request)
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
        return HeldElsewhere(item["leaseOwner"]["S"], int(item["leaseExpiresAt"]["N"]) - epoch_s(time) + 1)
