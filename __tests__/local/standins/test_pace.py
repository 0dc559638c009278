"""What the stand-in remembers between requests: it answers as moto does that remembers nothing, in this process."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from conftest import REGION, StandIns
from moto import mock_aws

Clients = Callable[..., Any]

ITEM = {
    "id": {"S": "x"},
    "status": {"S": "PENDING"},
    "count": {"N": "7"},
    "list": {"L": [{"N": str(n)} for n in range(5)]},
    "map": {"M": {"a": {"S": "in a"}, "deep": {"M": {"n": {"N": "1"}}}}},
    "tags": {"SS": ["one", "two"]},
    "extra": {"S": "e"},
}
V = {":v": {"S": "v"}}
S = {"#s": "status"}

UPDATES: dict[str, dict[str, Any]] = {
    "set": {
        "UpdateExpression": "SET #s = :v, fresh = :v",
        "ExpressionAttributeNames": S,
        "ExpressionAttributeValues": V,
    },
    "all clauses": {
        "UpdateExpression": "SET #s = :v REMOVE extra, absent ADD #c :n DELETE tags :t",
        "ExpressionAttributeNames": {**S, "#c": "count"},
        "ExpressionAttributeValues": {**V, ":n": {"N": "2"}, ":t": {"SS": ["one"]}},
    },
    "functions": {
        "UpdateExpression": "SET a = if_not_exists(absent, :v), #l = list_append(#l, :l), #c = #c - :n",
        "ExpressionAttributeNames": {"#l": "list", "#c": "count"},
        "ExpressionAttributeValues": {**V, ":l": {"L": [V[":v"]]}, ":n": {"N": "2"}},
    },
    "paths": {
        "UpdateExpression": "SET #m.deep.n = :v, #l[1] = :v",
        "ExpressionAttributeNames": {"#m": "map", "#l": "list"},
        "ExpressionAttributeValues": V,
    },
    "list elements": {"UpdateExpression": "REMOVE #l[0], #l[2], #l[4]", "ExpressionAttributeNames": {"#l": "list"}},
    "condition holds": {
        "UpdateExpression": "SET a = :v",
        "ConditionExpression": "#s IN (:p, :v) AND (attribute_not_exists(a) OR #m.a = :v) AND NOT #c BETWEEN :n AND :n",
        "ExpressionAttributeNames": {**S, "#m": "map", "#c": "count"},
        "ExpressionAttributeValues": {**V, ":p": {"S": "PENDING"}, ":n": {"N": "1"}},
    },
    "condition fails": {
        "UpdateExpression": "SET a = :v",
        "ConditionExpression": "#s = :v",
        "ExpressionAttributeNames": S,
        "ExpressionAttributeValues": V,
        "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
    },
    "new item": {"Key": {"id": {"S": "new"}}, "UpdateExpression": "SET a = :v", "ExpressionAttributeValues": V},
    "no expression": {"AttributeUpdates": {"a": {"Value": {"S": "1"}, "Action": "PUT"}}},
    "bad syntax": {"UpdateExpression": "SET a == :v", "ExpressionAttributeValues": V},
    "unknown value": {"UpdateExpression": "SET a = :w", "ExpressionAttributeValues": V},
    "unused value": {"UpdateExpression": "REMOVE extra", "ExpressionAttributeValues": V},
    "unused name": {
        "UpdateExpression": "SET a = :v",
        "ExpressionAttributeNames": S,
        "ExpressionAttributeValues": V,
    },
    "reserved word": {"UpdateExpression": "SET status = :v", "ExpressionAttributeValues": V},
    "two clauses": {"UpdateExpression": "SET a = :v SET b = :v", "ExpressionAttributeValues": V},
    "same path": {"UpdateExpression": "SET a = :v, a = :v", "ExpressionAttributeValues": V},
    "overlapping paths": {"UpdateExpression": "SET a.b = :v, a.b.c = :v", "ExpressionAttributeValues": V},
    "key": {"UpdateExpression": "SET id = :v", "ExpressionAttributeValues": V},
    "missing path": {"UpdateExpression": "SET a.b = :v", "ExpressionAttributeValues": V},
    "missing attribute": {"UpdateExpression": "SET a = absent + :n", "ExpressionAttributeValues": {":n": {"N": "1"}}},
    "wrong type": {
        "UpdateExpression": "SET a = extra + :n",
        "ExpressionAttributeValues": {":n": {"N": "1"}},
    },
    "empty": {"UpdateExpression": " "},
}


@pytest.fixture(scope="module")
def reference() -> Iterator[Any]:
    """moto in this process, where nothing of the stand-in is installed."""
    with mock_aws():
        yield boto3.client("dynamodb", REGION, aws_access_key_id="local", aws_secret_access_key="local")


@pytest.fixture(scope="module")
def answers(standins: StandIns) -> dict[str, list[Any]]:
    """What the stand-in answers to each update, asked three times. Asked before moto is put into this process."""
    dynamodb = standins.client("dynamodb", parameter_validation=False)
    make_table(dynamodb)
    return {name: [outcome(dynamodb, update) for _ in range(3)] for name, update in UPDATES.items()}


def make_table(dynamodb: Any, key: str = "id", name: str = "pace") -> None:
    """A table with an index, whose key has a type."""
    dynamodb.create_table(
        TableName=name,
        KeySchema=[{"AttributeName": key, "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": each, "AttributeType": "S"} for each in {key, "extra"}],
        BillingMode="PAY_PER_REQUEST",
        GlobalSecondaryIndexes=[
            {
                "IndexName": "by-extra",
                "KeySchema": [{"AttributeName": "extra", "KeyType": "HASH"}],
                "Projection": {"ProjectionType": "ALL"},
            }
        ],
    )


def outcome(dynamodb: Any, update: dict[str, Any]) -> Any:
    """What an update of the item answers, or refuses with, and the table's items after it."""
    request = {"Key": {"id": ITEM["id"]}, **update}
    dynamodb.delete_item(TableName="pace", Key=request["Key"])
    dynamodb.put_item(TableName="pace", Item=ITEM)
    said = [attempt(dynamodb, {**request, "ReturnValues": values}) for values in ("UPDATED_NEW", "ALL_OLD")]
    return said, dynamodb.scan(TableName="pace")["Items"]


def attempt(dynamodb: Any, request: dict[str, Any]) -> Any:
    """What one update answers, without what is new with each request."""
    try:
        answer = dynamodb.update_item(TableName="pace", **request)
    except ClientError as error:
        answer = error.response
    return {name: value for name, value in answer.items() if name != "ResponseMetadata"}


@pytest.mark.parametrize("name", UPDATES)
def test_remembered_expressions_mean_the_same(name: str, answers: dict[str, list[Any]], reference: Any) -> None:
    """pace: an update is answered or refused, the first time and later, word for word as moto does without it."""
    if not reference.list_tables()["TableNames"]:
        make_table(reference)
    expected = outcome(reference, UPDATES[name])
    assert answers[name] == [expected] * 3


def test_names_and_keys_count_where_a_text_is_known(aws: Clients) -> None:
    """pace: a text that was fine for some names and one table is refused where other names or another key forbid it."""
    dynamodb = aws("dynamodb")
    make_table(dynamodb, "a", "pace-by-a")
    make_table(dynamodb, "b", "pace-by-b")

    def update(table: str, names: dict[str, str]) -> None:
        dynamodb.update_item(
            TableName=f"pace-by-{table}",
            Key={table: {"S": "x"}},
            UpdateExpression="SET #one = :v, #two = :v",
            ExpressionAttributeNames=names,
            ExpressionAttributeValues=V,
        )

    update("a", {"#one": "b", "#two": "c"})
    with pytest.raises(ClientError, match="Two document paths overlap"):
        update("a", {"#one": "b", "#two": "b"})
    with pytest.raises(ClientError, match="part of the key"):
        update("b", {"#one": "b", "#two": "c"})


def test_values_are_those_of_the_request(aws: Clients) -> None:
    """pace: the same text with other values writes those, and an item that was read does not change."""
    dynamodb = aws("dynamodb")
    make_table(dynamodb, "id", "pace-values")
    for value in ({"S": "a"}, {"N": "1"}, {"L": [{"S": "b"}]}):
        dynamodb.update_item(
            TableName="pace-values",
            Key={"id": {"S": "x"}},
            UpdateExpression="SET v = :v",
            ExpressionAttributeValues={":v": value},
        )
        assert dynamodb.get_item(TableName="pace-values", Key={"id": {"S": "x"}})["Item"]["v"] == value
