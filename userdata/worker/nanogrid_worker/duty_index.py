"""What is left to do about jobs, by the index of the jobs table that finds it: see docs/protocol.md, Duties."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from nanogrid_worker.aws import Aws
from nanogrid_worker.jobs import FINAL_TTL
from nanogrid_worker.results import Document
from nanogrid_worker.times import epoch_s, now

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.type_defs import AttributeValueTypeDef

INDEX = "by-duty"

Kind = Literal["LEASE", "DELIVER"]
_PAGE = 50


@dataclass(frozen=True)
class Duty:
    """An entry of the index.

    Attributes:
        due_at: when somebody has to see to it, in epoch seconds; a duty is taken by moving it.
    """

    job_id: str
    kind: Kind
    due_at: int


@dataclass(frozen=True)
class Unsent:
    """A job whose message is in the table alone."""

    tenant: str
    message: str


@dataclass(frozen=True)
class Owing:
    """A final job and what it still waits for.

    Attributes:
        owes: ARCHIVE, CALLBACK, or both.
        attempts: how often the callback was tried.
    """

    job_id: str
    tenant: str
    function_id: str
    function_version: int
    code_key: str
    code_sha256: str
    result: Document
    finished_at: str
    owes: frozenset[str]
    callback_url: str
    attempts: int


class DutyIndex:
    """The sparse index `by-duty` and the items behind it. Every write is conditional on the duty as it was seen."""

    def __init__(self, aws: Aws, table: str) -> None:
        self._dynamodb = aws.dynamodb
        self._table = table

    def due(self, kind: Kind) -> Iterator[Duty]:
        """Duties that are due, the oldest first."""
        pages = self._dynamodb.get_paginator("query").paginate(
            TableName=self._table,
            IndexName=INDEX,
            KeyConditionExpression="duty = :kind AND dutyAt <= :now",
            ExpressionAttributeValues={":kind": {"S": kind}, ":now": {"N": str(epoch_s(now()))}},
            PaginationConfig={"PageSize": _PAGE},
        )
        for page in pages:
            for item in page["Items"]:
                yield Duty(item["jobId"]["S"], kind, int(item["dutyAt"]["N"]))

    def take(self, duty: Duty, for_s: int) -> Duty | None:
        """Takes a duty for so long; None if somebody else has it, or it is done."""
        taken = Duty(duty.job_id, duty.kind, epoch_s(now()) + for_s)
        is_taken = self._if_seen(duty, "SET dutyAt = :until", {":until": {"N": str(taken.due_at)}})
        return taken if is_taken else None

    def unsent(self, job_id: str) -> tuple[Duty, Unsent | None] | None:
        """A job's LEASE and its message, without one if the job has ended; None if there is no LEASE (any more)."""
        item = self._read(job_id)
        if item.get("duty", {}).get("S") != "LEASE":
            return None
        is_open = item["status"]["S"] in ("PENDING", "PROCESSING") and "message" in item
        unsent = Unsent(item["tenant"]["S"], item["message"]["S"]) if is_open else None
        return Duty(job_id, "LEASE", int(item["dutyAt"]["N"])), unsent

    def owing(self, job_id: str) -> tuple[Duty, Owing] | None:
        """A job that has a DELIVER, and what it waits for; None if it has none any more."""
        item = self._read(job_id)
        if item.get("duty", {}).get("S") != "DELIVER":
            return None
        owing = Owing(
            job_id=job_id,
            tenant=item["tenant"]["S"],
            function_id=item["functionId"]["S"],
            function_version=int(item["functionVersion"]["N"]),
            code_key=item.get("codeKey", {}).get("S", ""),
            code_sha256=item.get("codeSha256", {}).get("S", ""),
            result=json.loads(item["result"]["S"]),
            finished_at=item["finishedAt"]["S"],
            owes=frozenset(item.get("owes", {}).get("SS", [])),
            callback_url=item.get("callbackUrl", {}).get("S", ""),
            attempts=int(item.get("callbackAttempts", {}).get("N", "0")),
        )
        return Duty(job_id, "DELIVER", int(item["dutyAt"]["N"])), owing

    def done(self, taken: Duty) -> bool:
        """Removes a LEASE whose message has been sent; False if the job was claimed in between."""
        return self._if_seen(taken, "REMOVE duty, dutyAt", {})

    def settle(
        self, taken: Duty, owes: frozenset[str], next_at: int, callback_status: str | None, attempts: int
    ) -> None:
        """Notes what came of a DELIVER.

        Args:
            taken: the duty, as take() gave it.
            owes: what is left; nothing ends the duty.
            next_at: when it is tried again, in epoch seconds.
            callback_status: what became of the callback; None leaves it.
            attempts: how often the callback was tried until now.
        """
        sets = ["expiresAt = :expires"]
        values: dict[str, AttributeValueTypeDef] = {":expires": {"N": str(epoch_s(now() + FINAL_TTL))}}
        if callback_status is not None:
            sets.append("callbackStatus = :callback, callbackAttempts = :attempts")
            values |= {":callback": {"S": callback_status}, ":attempts": {"N": str(attempts)}}
        if owes:
            sets.append("owes = :owes, dutyAt = :next")
            values |= {":owes": {"SS": sorted(owes)}, ":next": {"N": str(next_at)}}
        removes = "" if owes else " REMOVE owes, duty, dutyAt"
        self._if_seen(taken, f"SET {', '.join(sets)}{removes}", values)

    def _read(self, job_id: str) -> dict[str, AttributeValueTypeDef]:
        reply = self._dynamodb.get_item(TableName=self._table, Key={"jobId": {"S": job_id}}, ConsistentRead=True)
        return reply.get("Item", {})

    def _if_seen(self, duty: Duty, update: str, values: dict[str, AttributeValueTypeDef]) -> bool:
        seen: dict[str, AttributeValueTypeDef] = {":seen": {"N": str(duty.due_at)}, ":kind": {"S": duty.kind}}
        try:
            self._dynamodb.update_item(
                TableName=self._table,
                Key={"jobId": {"S": duty.job_id}},
                UpdateExpression=update,
                ConditionExpression="duty = :kind AND dutyAt = :seen",
                ExpressionAttributeValues={**seen, **values},
            )
        except self._dynamodb.exceptions.ConditionalCheckFailedException:
            return False
        return True
