"""The places where controller and worker meet, made in the stand-ins, with the test in the controller's role."""

import base64
import hashlib
import io
import json
import os
import uuid
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

import boto3
import redis
import requests

from support.processes import wait_until

if TYPE_CHECKING:
    from mypy_boto3_sqs.literals import QueueAttributeNameType

REGION: Final = "ap-northeast-2"
ACCOUNT = "123456789012"
MAX_RECEIVES = 5
ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"


@dataclass(frozen=True)
class Clouds:
    """Where the stand-ins listen."""

    aws_port: int
    gcs_port: int

    @property
    def environment(self) -> dict[str, str]:
        """What points the libraries at them."""
        return {
            "AWS_ENDPOINT_URL": f"http://127.0.0.1:{self.aws_port}",
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "secret-of-the-worker",
            "AWS_EC2_METADATA_DISABLED": "true",
            "STORAGE_EMULATOR_HOST": f"http://127.0.0.1:{self.gcs_port}",
        }


def ulid() -> str:
    """A random ULID; its time is of no use here."""
    number = uuid.uuid4().int
    return "".join(ALPHABET[number >> 5 * place & 31] for place in reversed(range(26)))


def zip_of(files: dict[str, str]) -> bytes:
    """A zip of text files."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as zipped:
        for name, text in files.items():
            zipped.writestr(name, text)
    return buffer.getvalue()


def _attribute(value: int | str | set[str]) -> dict[str, Any]:
    if isinstance(value, set):
        return {"SS": sorted(value)}
    return {"N": str(value)} if isinstance(value, int) else {"S": value}


class Grid:
    """One deployment's queue, dead letters, tables, buckets, archive and Redis."""

    def __init__(self, clouds: Clouds, redis_port: int) -> None:
        self.clouds = clouds
        self.redis_port = redis_port
        self.redis = redis.Redis(port=redis_port, socket_timeout=5)
        name = f"t-{uuid.uuid4().hex[:12]}"
        session = boto3.Session("test", "test", region_name=REGION)
        endpoint = clouds.environment["AWS_ENDPOINT_URL"]
        self.sqs = session.client("sqs", endpoint_url=endpoint)
        self.s3 = session.client("s3", endpoint_url=endpoint)
        self.dynamodb = session.client("dynamodb", endpoint_url=endpoint)
        self.code_bucket, self.user_data_bucket, self.archive_bucket = (
            f"{name}-code",
            f"{name}-data",
            f"{name}-archive",
        )
        self.jobs_table = f"{name}-jobs"
        for bucket in (self.code_bucket, self.user_data_bucket):
            self.s3.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": REGION})
        self.dynamodb.create_table(
            TableName=self.jobs_table,
            KeySchema=[{"AttributeName": "jobId", "KeyType": "HASH"}],
            AttributeDefinitions=[
                {"AttributeName": "jobId", "AttributeType": "S"},
                {"AttributeName": "duty", "AttributeType": "S"},
                {"AttributeName": "dutyAt", "AttributeType": "N"},
            ],
            GlobalSecondaryIndexes=[
                {
                    "IndexName": "by-duty",
                    "KeySchema": [
                        {"AttributeName": "duty", "KeyType": "HASH"},
                        {"AttributeName": "dutyAt", "KeyType": "RANGE"},
                    ],
                    "Projection": {"ProjectionType": "KEYS_ONLY"},
                }
            ],
            BillingMode="PAY_PER_REQUEST",
        )
        self.dead_letters_url = self.sqs.create_queue(QueueName=f"{name}-dead")["QueueUrl"]
        redrive = {
            "deadLetterTargetArn": f"arn:aws:sqs:{REGION}:{ACCOUNT}:{name}-dead",
            "maxReceiveCount": str(MAX_RECEIVES),
        }
        attributes: dict[QueueAttributeNameType, str] = {
            "RedrivePolicy": json.dumps(redrive),
            "VisibilityTimeout": "60",
        }
        self.queue_url = self.sqs.create_queue(QueueName=f"{name}-tasks", Attributes=attributes)["QueueUrl"]
        # The host is one that nothing resolves: the worker has to talk to its endpoint.
        self.worker_queue_url = f"http://aws.test/{ACCOUNT}/{name}-tasks"
        reply = requests.post(
            f"{clouds.environment['STORAGE_EMULATOR_HOST']}/storage/v1/b",
            json={"name": self.archive_bucket},
            timeout=10,
        )
        reply.raise_for_status()

    def job(self, code: str | dict[str, str] | bytes = "", inline: bool = True, **fields: Any) -> dict[str, Any]:
        """A message for a function, whose code is in the code bucket and, if inline, in the message."""
        files = {"main.py": code} if isinstance(code, str) else code
        data = files if isinstance(files, bytes) else zip_of(files)
        function_id = f"fn_{ulid()}"
        key = f"functions/default/{function_id}/1.zip"
        self.s3.put_object(Bucket=self.code_bucket, Key=key, Body=data)
        return {
            "schema": 1,
            "kind": "run",
            "job_id": f"job_{ulid()}",
            "tenant": "default",
            "function_id": function_id,
            "function_version": 1,
            "runtime": "python",
            "handler": "main.handler",
            "code": base64.b64encode(data).decode() if inline else None,
            "code_key": key,
            "code_sha256": hashlib.sha256(data).hexdigest(),
            "input": None,
            "input_key": None,
            "timeout_s": 20,
            "memory_mb": 128,
            "environment": {},
            "secrets": {},
            "dependencies_key": None,
            "callback_url": None,
            "egress": False,
            "enqueued_at": datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "deadline": None,
            "traceparent": None,
            **fields,
        }

    def accept(self, job: dict[str, Any]) -> None:
        """Writes a job down as the controller does before it enqueues."""
        item = {
            "jobId": {"S": job["job_id"]},
            "tenant": {"S": job["tenant"]},
            "functionId": {"S": job["function_id"]},
            "functionVersion": {"N": str(job["function_version"])},
            "status": {"S": "PENDING"},
            "kind": {"S": job["kind"]},
            "codeKey": {"S": job["code_key"]},
            "codeSha256": {"S": job["code_sha256"]},
            "createdAt": {"S": job["enqueued_at"]},
            **({"callbackUrl": {"S": job["callback_url"]}} if job["callback_url"] else {}),
        }
        self.dynamodb.put_item(TableName=self.jobs_table, Item=item)

    def send(self, body: str) -> None:
        """Puts a message into the queue."""
        self.sqs.send_message(QueueUrl=self.queue_url, MessageBody=body)

    def submit(self, code: str | dict[str, str] | bytes = "", **fields: Any) -> str:
        """Accepts and enqueues a job; its id."""
        job = self.job(code, **fields)
        self.accept(job)
        self.send(json.dumps(job))
        return str(job["job_id"])

    def item(self, job_id: str) -> dict[str, Any]:
        """The job in the table, its values without their types."""
        item = self.dynamodb.get_item(TableName=self.jobs_table, Key={"jobId": {"S": job_id}}, ConsistentRead=True)
        return {key: next(iter(value.values())) for key, value in item["Item"].items()}

    def change(self, job_id: str, expression: str, **values: Any) -> None:
        """Changes a job's item: `change(id, "SET dutyAt = :at", at=0)`."""
        reserved = {f"#{name}": name for name in ("status", "result") if f"{name} = " in expression}
        for placeholder, name in reserved.items():
            expression = expression.replace(f"{name} = ", f"{placeholder} = ")
        request: dict[str, Any] = {
            "TableName": self.jobs_table,
            "Key": {"jobId": {"S": job_id}},
            "UpdateExpression": expression,
            "ExpressionAttributeValues": {f":{name}": _attribute(value) for name, value in values.items()},
            **({"ExpressionAttributeNames": reserved} if reserved else {}),
        }
        self.dynamodb.update_item(**request)

    def wait_for_status(self, job_id: str, *statuses: str, timeout_s: float = 40) -> dict[str, Any]:
        """Waits until the job has one of the statuses; the job's item."""
        wait_until(lambda: self.item(job_id)["status"] in statuses, timeout_s, f"{job_id} is {' or '.join(statuses)}")
        return self.item(job_id)

    def result(self, job_id: str, timeout_s: float = 40) -> dict[str, Any]:
        """Waits for a job's result."""
        item = self.wait_for_status(job_id, "SUCCESS", "FAILED", timeout_s=timeout_s)
        result: dict[str, Any] = json.loads(item["result"])
        return result

    def run(self, code: str | dict[str, str] | bytes = "", **fields: Any) -> dict[str, Any]:
        """Submits a job and waits for its result."""
        return self.result(self.submit(code, **fields))

    def told(self, key: str) -> str:
        """A string in Redis; empty without one."""
        value = self.redis.get(key) or b""
        assert isinstance(value, bytes)
        return value.decode()

    def messages(self, url: str | None = None) -> tuple[int, int]:
        """How many messages are visible and how many in flight."""
        attributes = self.sqs.get_queue_attributes(QueueUrl=url or self.queue_url, AttributeNames=["All"])["Attributes"]
        visible = attributes["ApproximateNumberOfMessages"]
        return int(visible), int(attributes["ApproximateNumberOfMessagesNotVisible"])

    @contextmanager
    def listening(self, job_id: str) -> Iterator[Callable[[], list[dict[str, Any]]]]:
        """Subscribes to a job's events; what it gives answers with all views that were told so far."""
        with self.hearing(job_id) as heard:
            yield lambda: [event for event in heard() if "type" not in event]

    @contextmanager
    def hearing(self, job_id: str) -> Iterator[Callable[[], list[dict[str, Any]]]]:
        """Subscribes to a job's events; what it gives answers with all that were told so far, its log too."""
        heard: list[dict[str, Any]] = []
        with self.redis.pubsub(ignore_subscribe_messages=True) as events:  # type: ignore[no-untyped-call]
            events.subscribe(f"nanogrid:job:{job_id}:events")
            events.get_message(timeout=5)

            def hear() -> list[dict[str, Any]]:
                while message := events.get_message(timeout=0.05):
                    heard.append(json.loads(message["data"]))
                return heard

            yield hear

    def wait_delivered(self, job_id: str, timeout_s: float = 20) -> dict[str, Any]:
        """Waits until a final job owes nothing any more; the job's item."""
        wait_until(lambda: "duty" not in self.item(job_id), timeout_s, f"{job_id} owes nothing")
        return self.item(job_id)

    def archived(self, name: str) -> bytes:
        """An object of the archive."""
        url = f"{self.clouds.environment['STORAGE_EMULATOR_HOST']}/storage/v1/b/{self.archive_bucket}/o"
        reply = requests.get(f"{url}/{quote(name, safe='')}", params={"alt": "media"}, timeout=10)
        reply.raise_for_status()
        return reply.content


def without_proxies() -> dict[str, str]:
    """This process's path, and nothing that could lead a worker elsewhere."""
    return {name: os.environ[name] for name in ("PATH", "DOCKER_HOST", "LANG") if name in os.environ}
