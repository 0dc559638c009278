"""The AWS services that programs work with: S3, SQS, DynamoDB, and the Redis behind ElastiCache."""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from typing import Any

import pytest
import redis
import requests
from botocore.exceptions import ClientError
from conftest import REGION, StandIns

from standins.aws.fairness import Fairness, Waiting

Clients = Callable[..., Any]


def new_bucket(s3: Any, **more: Any) -> str:
    """A bucket of its own for a test."""
    name = f"test-{secrets.token_hex(6)}"
    s3.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": REGION, **more})
    return name


def new_queue(sqs: Any, **attributes: str) -> str:
    """A queue of its own for a test; returns its URL."""
    url: str = sqs.create_queue(QueueName=f"test-{secrets.token_hex(6)}", Attributes=attributes)["QueueUrl"]
    return url


def new_table(dynamodb: Any) -> str:
    """A table of its own for a test, with the key `id`."""
    name = f"test-{secrets.token_hex(6)}"
    dynamodb.create_table(
        TableName=name,
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    return name


def subnets(ec2: Any) -> list[str]:
    """Two subnets of the default VPC."""
    return [subnet["SubnetId"] for subnet in ec2.describe_subnets()["Subnets"]][:2]


def outcomes(attempt: Callable[[int], Any], times: int, lost: str) -> list[bool]:
    """Runs attempts at once; True for each that won, False for each refused with `lost`."""

    def one(number: int) -> bool:
        try:
            attempt(number)
            return True
        except ClientError as error:
            if error.response["Error"]["Code"] != lost:
                raise
            return False

    with ThreadPoolExecutor(times) as pool:
        return list(pool.map(one, range(times)))


# S3


def test_a_large_upload_comes_back_byte_for_byte(aws: Clients) -> None:
    """standins: an upload in parts, with checksums and chunked encoding, comes back byte for byte."""
    s3 = aws("s3")
    bucket, content = new_bucket(s3), secrets.token_bytes(20 * 1024 * 1024)
    s3.upload_fileobj(BytesIO(content), bucket, "a b/ü+%2F.bin", ExtraArgs={"ChecksumAlgorithm": "SHA256"})
    assert s3.get_object(Bucket=bucket, Key="a b/ü+%2F.bin")["Body"].read() == content


def test_an_empty_object_is_put(aws: Clients) -> None:
    """standins S3: an object without content is put at once; boto3 asks first whether it may send it."""
    s3 = aws("s3", connect_timeout=5, read_timeout=5)
    bucket = new_bucket(s3)
    s3.put_object(Bucket=bucket, Key="empty", Body=b"")
    assert s3.head_object(Bucket=bucket, Key="empty")["ContentLength"] == 0


def test_an_object_is_created_once(aws: Clients) -> None:
    """standins: of many writers that create one object if it does not exist, one wins; Terraform's lock rests on it."""
    s3 = aws("s3")
    bucket = new_bucket(s3)
    won = outcomes(
        lambda number: s3.put_object(Bucket=bucket, Key="lock", Body=str(number), IfNoneMatch="*"),
        20,
        "PreconditionFailed",
    )
    assert won.count(True) == 1


def test_a_tls_only_bucket_can_be_read(aws: Clients) -> None:
    """standins: a bucket whose policy refuses plain HTTP serves its objects."""
    s3 = aws("s3")
    bucket = new_bucket(s3)
    deny = {"Effect": "Deny", "Principal": "*", "Action": "s3:*", "Resource": f"arn:aws:s3:::{bucket}/*"}
    condition = {"Condition": {"Bool": {"aws:SecureTransport": "false"}}}
    policy = {"Version": "2012-10-17", "Statement": [{**deny, **condition}]}
    s3.put_bucket_policy(Bucket=bucket, Policy=json.dumps(policy))
    s3.put_object(Bucket=bucket, Key="key", Body=b"content")
    assert s3.get_object(Bucket=bucket, Key="key")["Body"].read() == b"content"
    assert json.loads(s3.get_bucket_policy(Bucket=bucket)["Policy"]) == policy


def test_a_statement_without_a_condition_still_denies(aws: Clients) -> None:
    """standins: a statement without a condition is enforced."""
    s3 = aws("s3")
    bucket = new_bucket(s3)
    s3.put_object(Bucket=bucket, Key="key", Body=b"content")
    statement = {"Effect": "Deny", "Principal": "*", "Action": "s3:GetObject", "Resource": f"arn:aws:s3:::{bucket}/*"}
    s3.put_bucket_policy(Bucket=bucket, Policy=json.dumps({"Version": "2012-10-17", "Statement": [statement]}))
    with pytest.raises(ClientError, match=r"403|Forbidden|AccessDenied"):
        s3.get_object(Bucket=bucket, Key="key")


def test_a_bucket_has_the_tags_it_was_made_with(aws: Clients) -> None:
    """standins: tags sent with a bucket's creation are its tags."""
    s3 = aws("s3")
    bucket = new_bucket(s3, Tags=[{"Key": "stack", "Value": "data"}, {"Key": "empty", "Value": ""}])
    tags = s3.get_bucket_tagging(Bucket=bucket)["TagSet"]
    assert {tag["Key"]: tag["Value"] for tag in tags} == {"stack": "data", "empty": ""}


def test_a_versioned_bucket_can_be_emptied(aws: Clients) -> None:
    """standins: versions and delete markers of a versioned bucket can be deleted, and then the bucket."""
    s3 = aws("s3")
    bucket = new_bucket(s3)
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    s3.put_object(Bucket=bucket, Key="key", Body=b"1")
    s3.delete_object(Bucket=bucket, Key="key")
    listed = s3.list_object_versions(Bucket=bucket)
    everything = [{"Key": v["Key"], "VersionId": v["VersionId"]} for v in listed["Versions"] + listed["DeleteMarkers"]]
    assert len(everything) == 2
    s3.delete_objects(Bucket=bucket, Delete={"Objects": everything})
    s3.delete_bucket(Bucket=bucket)


def test_a_form_uploads_with_a_presigned_post(aws: Clients) -> None:
    """standins: a form with a presigned POST uploads straight to the bucket."""
    s3 = aws("s3", s3={"addressing_style": "path"})
    bucket = new_bucket(s3)
    post = s3.generate_presigned_post(bucket, "upload.zip")
    reply = requests.post(post["url"], data=post["fields"], files={"file": b"\x00\r\nzip\n"}, timeout=10)
    assert reply.status_code in (200, 204)
    assert s3.get_object(Bucket=bucket, Key="upload.zip")["Body"].read() == b"\x00\r\nzip\n"


# SQS


def test_a_queue_returns_its_attributes_as_sent(aws: Clients) -> None:
    """standins: a queue returns every attribute as it was sent, also after another one was changed."""
    sqs = aws("sqs")
    dead, queue = new_queue(sqs), new_queue(sqs)
    arn = sqs.get_queue_attributes(QueueUrl=dead, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    sent = {
        "Policy": json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Deny", "Action": "sqs:*"}]}),
        "RedrivePolicy": f'{{"deadLetterTargetArn":"{arn}","maxReceiveCount":5}}',
        "RedriveAllowPolicy": '{"redrivePermission":"denyAll"}',
        "VisibilityTimeout": "60",
        "SqsManagedSseEnabled": "true",
    }
    for name, value in sent.items():
        sqs.set_queue_attributes(QueueUrl=queue, Attributes={name: value})
    received = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["All"])["Attributes"]
    assert {name: received.get(name) for name in sent} == sent
    for name in ("Policy", "RedrivePolicy", "RedriveAllowPolicy"):
        sqs.set_queue_attributes(QueueUrl=queue, Attributes={name: ""})
        assert name not in sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["All"])["Attributes"]


def test_a_queue_is_named_by_an_address_that_answers(standins: StandIns) -> None:
    """standins: a queue made through the proxy has a URL at the stand-in's own address."""
    behind_proxy = standins.client("sqs", proxies={"http": standins.aws_url})
    behind_proxy.meta.events.register("before-sign", lambda **_: None)
    url = new_queue(behind_proxy)
    assert url.startswith(f"{standins.aws_url}/123456789012/")
    assert standins.client("sqs").send_message(QueueUrl=url, MessageBody="hello")["MessageId"]


def test_a_deleted_queue_is_gone_at_once(aws: Clients) -> None:
    """standins: a deleted queue is gone at once, and the error has the code that the provider waits for."""
    sqs = aws("sqs")
    queue = new_queue(sqs)
    sqs.delete_queue(QueueUrl=queue)
    with pytest.raises(ClientError) as caught:
        sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["All"])
    assert caught.value.response["Error"]["QueryErrorCode"] == "QueueDoesNotExist"
    assert caught.value.response["Error"]["Code"] == "AWS.SimpleQueueService.NonExistentQueue"


def test_a_long_poll_ends_when_a_message_comes(aws: Clients) -> None:
    """standins: a waiting receive gets a message as soon as it is sent, and holds nobody up until then."""
    sqs, dynamodb = aws("sqs"), aws("dynamodb")
    queue = new_queue(sqs)
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(lambda: (sqs.receive_message(QueueUrl=queue, WaitTimeSeconds=20), time.monotonic()))
        time.sleep(0.3)
        began = time.monotonic()
        dynamodb.list_tables()
        sent = time.monotonic()
        assert sent - began < 2
        sqs.send_message(QueueUrl=queue, MessageBody="hello")
        reply, received = waiting.result(timeout=10)
    assert reply["Messages"][0]["Body"] == "hello"
    assert received - sent < 2


def test_a_long_poll_without_messages_ends_in_time(aws: Clients) -> None:
    """standins: a waiting receive ends empty after the time that it asked for."""
    sqs = aws("sqs")
    queue = new_queue(sqs)
    began = time.monotonic()
    assert "Messages" not in sqs.receive_message(QueueUrl=queue, WaitTimeSeconds=1)
    assert 0.9 < time.monotonic() - began < 3


def test_a_message_is_received_by_one_worker(aws: Clients) -> None:
    """standins: of many workers that wait on one queue, each message reaches one."""
    sqs = aws("sqs")
    queue = new_queue(sqs, VisibilityTimeout="60")
    for number in range(20):
        sqs.send_message(QueueUrl=queue, MessageBody=str(number))

    def receive(_worker: int) -> list[str]:
        bodies = []
        while messages := sqs.receive_message(QueueUrl=queue, WaitTimeSeconds=0).get("Messages"):
            bodies += [message["Body"] for message in messages]
        return bodies

    with ThreadPoolExecutor(8) as pool:
        received = sorted(int(body) for bodies in pool.map(receive, range(8)) for body in bodies)
    assert received == list(range(20))


def send(sqs: Any, queue: str, group: str, count: int) -> None:
    """Sends messages of a group."""
    for start in range(0, count, 10):
        entries = [
            {"Id": str(number), "MessageBody": group, "MessageGroupId": group}
            for number in range(start, min(start + 10, count))
        ]
        sqs.send_message_batch(QueueUrl=queue, Entries=entries)


def receive(sqs: Any, queue: str, count: int) -> list[Any]:
    """Receives that many messages and leaves them in flight."""
    received: list[Any] = []
    while len(received) < count:
        most = min(10, count - len(received))
        received += sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=most, WaitTimeSeconds=0)["Messages"]
    return received


def test_a_group_that_holds_most_of_the_consumers_is_served_after_the_others(aws: Clients) -> None:
    """standins: while a group has 30 messages in flight, those of quiet groups are received before its backlog."""
    sqs = aws("sqs")
    queue = new_queue(sqs, VisibilityTimeout="60")
    send(sqs, queue, "noisy", 60)
    receive(sqs, queue, 30)
    send(sqs, queue, "quiet", 2)
    send(sqs, queue, "other", 1)
    bodies = [message["Body"] for message in receive(sqs, queue, 5)]
    assert bodies == ["quiet", "quiet", "other", "noisy", "noisy"]


def test_among_noisy_groups_the_one_with_the_fewest_in_flight_comes_first(aws: Clients) -> None:
    """standins: of two noisy groups, the one with fewer messages in flight is served first, whoever sent first."""
    sqs = aws("sqs")
    queue = new_queue(sqs, VisibilityTimeout="60")
    send(sqs, queue, "more", 45)
    receive(sqs, queue, 40)
    send(sqs, queue, "fewer", 35)
    receive(sqs, queue, 30)
    assert [message["Body"] for message in receive(sqs, queue, 10)] == ["fewer"] * 5 + ["more"] * 5


def test_a_group_whose_backlog_is_gone_is_quiet_again(aws: Clients) -> None:
    """standins: a group that was noisy waits no longer than others once it has no backlog and its work is done."""
    sqs = aws("sqs")
    queue = new_queue(sqs, VisibilityTimeout="60")
    send(sqs, queue, "once", 40)
    for message in receive(sqs, queue, 40):
        sqs.delete_message(QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"])
    send(sqs, queue, "busy", 40)
    receive(sqs, queue, 35)
    send(sqs, queue, "once", 1)
    assert receive(sqs, queue, 1)[0]["Body"] == "once"


def test_messages_without_a_group_stay_in_order(aws: Clients) -> None:
    """standins: messages without a group are received in the order in which they were sent."""
    sqs = aws("sqs")
    queue = new_queue(sqs, VisibilityTimeout="60")
    for number in range(50):
        sqs.send_message(QueueUrl=queue, MessageBody=str(number))
    assert [message["Body"] for message in receive(sqs, queue, 50)] == [str(number) for number in range(50)]


class Clock:
    """Time that a test moves."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        """The time now."""
        return self.now


def in_turn(fairness: Fairness, waiting: list[Waiting], in_flight: list[Waiting]) -> list[str]:
    """The groups of waiting messages in the order in which they would be received."""
    return [waiting[position].group for position in fairness.order(waiting, in_flight)]


def test_a_group_with_few_slow_messages_is_noisy_by_the_time_it_takes() -> None:
    """standins: a group that took most of the consumers' time is served after the others, whatever is in flight."""
    clock = Clock()
    fairness = Fairness(clock)
    for group in ("slow", "fast", "slow"):
        fairness.sent(Waiting(group, None))
    fairness.worked(Waiting("slow", clock.now - 100))
    fairness.worked(Waiting("fast", clock.now - 1))
    waiting = [Waiting("slow", None), Waiting("fast", None)]
    assert in_turn(fairness, waiting, []) == ["fast", "slow"]
    clock.now += 299
    fairness.sent(Waiting("slow", None))
    assert in_turn(fairness, waiting, []) == ["fast", "slow"]


def test_a_group_that_sends_nothing_for_five_minutes_is_quiet_again() -> None:
    """standins: a noisy group that has sent nothing for five minutes is served in its turn."""
    clock = Clock()
    fairness = Fairness(clock)
    fairness.sent(Waiting("noisy", None))
    waiting = [Waiting("noisy", None), Waiting("quiet", None)]
    running = [Waiting("noisy", clock.now)] * 30
    assert in_turn(fairness, waiting, running) == ["quiet", "noisy"]
    clock.now += 299
    fairness.sent(Waiting("quiet", None))
    assert in_turn(fairness, waiting, running) == ["quiet", "noisy"]
    clock.now += 1
    assert in_turn(fairness, waiting, running) == ["noisy", "quiet"]


@pytest.mark.parametrize(("own", "all_in_flight", "noisy"), [(29, 29, False), (30, 299, True), (30, 300, False)])
def test_a_group_is_noisy_from_thirty_in_flight_and_over_a_tenth(own: int, all_in_flight: int, noisy: bool) -> None:
    """standins: a group is noisy with 30 messages in flight that are over a tenth of all, not with less."""
    clock = Clock()
    fairness = Fairness(clock)
    running = [Waiting("many", clock.now)] * own
    running += [Waiting(f"other-{number}", clock.now) for number in range(all_in_flight - own)]
    waiting = [Waiting("many", None), Waiting("new", None)]
    assert (in_turn(fairness, waiting, running) == ["new", "many"]) is noisy


# DynamoDB


def test_a_conditional_write_succeeds_once(aws: Clients) -> None:
    """standins: of many workers that claim one job, one wins."""
    dynamodb = aws("dynamodb")
    table = new_table(dynamodb)
    won = outcomes(
        lambda number: dynamodb.put_item(
            TableName=table,
            Item={"id": {"S": "job"}, "owner": {"N": str(number)}},
            ConditionExpression="attribute_not_exists(id)",
        ),
        30,
        "ConditionalCheckFailedException",
    )
    assert won.count(True) == 1


def test_counters_lose_no_step(aws: Clients) -> None:
    """standins: increments from many threads all count."""
    dynamodb = aws("dynamodb")
    table = new_table(dynamodb)

    def increment(_number: int) -> None:
        dynamodb.update_item(
            TableName=table,
            Key={"id": {"S": "counter"}},
            UpdateExpression="ADD attempts :one",
            ExpressionAttributeValues={":one": {"N": "1"}},
        )

    with ThreadPoolExecutor(20) as pool:
        list(pool.map(increment, range(100)))
    item = dynamodb.get_item(TableName=table, Key={"id": {"S": "counter"}})["Item"]
    assert item["attempts"]["N"] == "100"


# ElastiCache


def test_a_replication_group_has_members_and_its_endpoint_is_the_real_redis(standins: StandIns) -> None:
    """standins: a replication group has member clusters, and what it names as its endpoint is a Redis that answers."""
    cache, ec2 = standins.client("elasticache"), standins.client("ec2")
    cache.create_cache_subnet_group(
        CacheSubnetGroupName="test-group", CacheSubnetGroupDescription="test", SubnetIds=subnets(ec2)
    )
    cache.create_replication_group(
        ReplicationGroupId="test-group",
        ReplicationGroupDescription="test",
        Engine="redis",
        EngineVersion="7.1",
        CacheNodeType="cache.t3.micro",
        NumCacheClusters=2,
        AutomaticFailoverEnabled=True,
        CacheSubnetGroupName="test-group",
        SecurityGroupIds=["sg-1"],
        TransitEncryptionEnabled=True,
        Tags=[{"Key": "stack", "Value": "data"}],
    )
    group = cache.describe_replication_groups(ReplicationGroupId="test-group")["ReplicationGroups"][0]
    assert group["MemberClusters"] == ["test-group-001", "test-group-002"]
    endpoint = group["NodeGroups"][0]["PrimaryEndpoint"]
    assert endpoint == {"Address": "127.0.0.1", "Port": standins.redis_port}
    assert redis.Redis(endpoint["Address"], endpoint["Port"], socket_timeout=5).ping()
    for name in group["MemberClusters"]:
        member = cache.describe_cache_clusters(CacheClusterId=name, ShowCacheNodeInfo=True)["CacheClusters"][0]
        assert member["EngineVersion"] == "7.1.0"
        assert member["CacheSubnetGroupName"] == "test-group"
        assert member["CacheParameterGroup"]["CacheParameterGroupName"] == "default.redis7"
        assert member["SecurityGroups"][0]["SecurityGroupId"] == "sg-1"
        assert member["TransitEncryptionEnabled"] is True
    assert cache.list_tags_for_resource(ResourceName=group["ARN"])["TagList"] == [{"Key": "stack", "Value": "data"}]
    cache.delete_replication_group(ReplicationGroupId="test-group")
    with pytest.raises(ClientError) as caught:
        cache.describe_replication_groups(ReplicationGroupId="test-group")
    assert caught.value.response["Error"]["Code"] == "ReplicationGroupNotFoundFault"
    assert cache.describe_cache_clusters()["CacheClusters"] == []
    cache.delete_cache_subnet_group(CacheSubnetGroupName="test-group")


def test_a_user_group_for_redis_needs_a_default_user(aws: Clients) -> None:
    """standins: a user group without a user named default is refused, and with one it has its users."""
    cache = aws("elasticache")
    cache.create_user(
        UserId="test-worker",
        UserName="test-worker",
        Engine="redis",
        AccessString="on ~* +@all",
        AuthenticationMode={"Type": "iam"},
    )
    with pytest.raises(ClientError) as caught:
        cache.create_user_group(UserGroupId="test-users", Engine="redis", UserIds=["test-worker"])
    assert caught.value.response["Error"]["Code"] == "DefaultUserRequired"
    cache.create_user_group(UserGroupId="test-users", Engine="redis", UserIds=["default", "test-worker"])
    user = cache.describe_users(UserId="test-worker")["Users"][0]
    assert user["Authentication"]["Type"] == "iam"
    assert user["UserGroupIds"] == ["test-users"]
    cache.delete_user_group(UserGroupId="test-users")
    cache.delete_user(UserId="test-worker")
