"""Google Cloud: archives that are written once, buckets as they were asked for, and IAM."""

from __future__ import annotations

import secrets
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import requests
from conftest import StandIns
from google.api_core.exceptions import Conflict, NotFound, PreconditionFailed
from google.cloud import storage

#: Bytes that a parser of mail or text would change.
AWKWARD = b"PK\x03\x04\r\n--\r\n\x00\xff\n\r\r\n " + secrets.token_bytes(70_000) + b"\r\n\r\n"


@pytest.fixture
def bucket(standins: StandIns) -> storage.Bucket:
    """A new bucket; its handle was not fetched, as a creator's cannot be."""
    client = standins.gcs()
    name = f"test_{secrets.token_hex(6)}"
    client.create_bucket(name)
    return client.bucket(name)


@pytest.mark.parametrize("way", ["multipart", "resumable"])
def test_an_archive_is_written_once(bucket: storage.Bucket, way: str) -> None:
    """standins: an upload with if_generation_match=0 creates an object once, and a second one leaves it as it was."""
    chunk = {"chunk_size": 256 * 1024} if way == "resumable" else {}
    blob = bucket.blob("tenant/fn 1/code.zip", **chunk)
    content = AWKWARD if way == "multipart" else secrets.token_bytes(600_000)
    blob.upload_from_string(content, content_type="application/zip", if_generation_match=0)
    with pytest.raises(PreconditionFailed):
        bucket.blob("tenant/fn 1/code.zip", **chunk).upload_from_string(b"other", if_generation_match=0)
    assert bucket.blob("tenant/fn 1/code.zip").download_as_bytes() == content


def test_of_many_archivers_one_writes(bucket: storage.Bucket) -> None:
    """standins: of many workers that archive the same version at once, one writes."""

    def archive(number: int) -> bool:
        try:
            bucket.blob("code.zip").upload_from_string(str(number), if_generation_match=0)
            return True
        except PreconditionFailed:
            return False

    with ThreadPoolExecutor(12) as pool:
        assert list(pool.map(archive, range(12))).count(True) == 1


def test_a_read_and_a_deletion_can_be_conditional(bucket: storage.Bucket) -> None:
    """standins: a deletion for another generation is refused, one for the object's own is done."""
    blob = bucket.blob("key")
    blob.upload_from_string(b"1")
    blob.reload()
    with pytest.raises(PreconditionFailed):
        bucket.blob("key").delete(if_generation_match=blob.generation + 1)
    bucket.blob("key").delete(if_generation_match=blob.generation)
    with pytest.raises(NotFound):
        bucket.blob("key").download_as_bytes()


def test_a_bucket_is_as_it_was_asked_for(standins: StandIns) -> None:
    """standins: a bucket keeps its place, access, versioning, lifecycle and labels, and a patch can remove them."""
    client = standins.gcs()
    bucket = client.bucket(f"test_{secrets.token_hex(6)}")
    bucket.versioning_enabled = True
    bucket.iam_configuration.uniform_bucket_level_access_enabled = True
    bucket.iam_configuration.public_access_prevention = "enforced"
    bucket.labels = {"stack": "archive", "owner": "me"}
    bucket.add_lifecycle_set_storage_class_rule("NEARLINE", age=30)
    client.create_bucket(bucket, location="asia-northeast3")

    found = client.get_bucket(bucket.name)
    assert found.location == "ASIA-NORTHEAST3"
    assert found.location_type == "region"
    assert found.versioning_enabled is True
    assert found.iam_configuration.uniform_bucket_level_access_enabled is True
    assert found.iam_configuration.public_access_prevention == "enforced"
    assert found.labels == {"stack": "archive", "owner": "me"}
    assert [rule["condition"]["age"] for rule in found.lifecycle_rules] == [30]

    found.labels = {"stack": "archive"}
    found.clear_lifecycle_rules()
    found.patch()
    again = client.get_bucket(bucket.name)
    assert again.labels == {"stack": "archive"}
    assert list(again.lifecycle_rules) == []
    assert again.versioning_enabled is True
    assert again.metageneration == 2
    with pytest.raises(Conflict):
        client.create_bucket(bucket.name)
    again.delete()
    with pytest.raises(NotFound):
        client.get_bucket(bucket.name)


def test_a_bucket_with_objects_is_not_deleted(bucket: storage.Bucket) -> None:
    """standins: a bucket that is not empty is not deleted."""
    bucket.blob("key").upload_from_string(b"1")
    with pytest.raises(Conflict):
        bucket.delete()


def test_two_writers_of_a_policy_do_not_undo_each_other(bucket: storage.Bucket) -> None:
    """standins: a policy that rests on an older one is refused."""
    first, second = bucket.get_iam_policy(), bucket.get_iam_policy()
    first.bindings = [
        {"role": "roles/storage.objectCreator", "members": {"serviceAccount:a@b.iam.gserviceaccount.com"}}
    ]
    bucket.set_iam_policy(first)
    second.bindings = []
    with pytest.raises(PreconditionFailed):
        bucket.set_iam_policy(second)
    assert [binding["role"] for binding in bucket.get_iam_policy().bindings] == ["roles/storage.objectCreator"]


def call(standins: StandIns, method: str, path: str, document: Any = None) -> requests.Response:
    """Asks IAM something about the project `p`."""
    return requests.request(method, f"{standins.gcp_url}/v1/projects/p/{path}", json=document, timeout=5)


def test_workload_identity_federation_can_be_set_up(standins: StandIns) -> None:
    """standins: a pool with an AWS provider, and a service account that its principals may use, come back as sent."""
    pools = "locations/global/workloadIdentityPools"
    made = call(standins, "POST", f"{pools}?workloadIdentityPoolId=test-pool", {"displayName": "test"}).json()
    assert made["done"] is True
    assert made["response"]["name"] == "projects/123456789012/locations/global/workloadIdentityPools/test-pool"
    provider = {"aws": {"accountId": "123456789012"}, "attributeMapping": {"google.subject": "assertion.arn"}}
    path = f"{pools}/test-pool/providers"
    call(standins, "POST", f"{path}?workloadIdentityPoolProviderId=test-aws", provider).raise_for_status()
    assert provider.items() <= call(standins, "GET", f"{path}/test-aws").json().items()

    account = call(standins, "POST", "serviceAccounts", {"accountId": "test-writer"}).json()
    assert account["email"] == "test-writer@p.iam.gserviceaccount.com"
    path = f"serviceAccounts/{account['email']}"
    policy = call(standins, "POST", f"{path}:getIamPolicy").json()
    policy["bindings"] = [{"role": "roles/iam.workloadIdentityUser", "members": ["principalSet://x"]}]
    assert call(standins, "POST", f"{path}:setIamPolicy", {"policy": policy}).status_code == 200
    assert call(standins, "POST", f"{path}:setIamPolicy", {"policy": policy}).status_code == 409

    for gone in (path, f"{pools}/test-pool"):
        assert call(standins, "DELETE", gone).status_code == 200
        assert call(standins, "GET", gone).status_code == 404
    assert call(standins, "GET", f"{pools}/test-pool/providers/test-aws").status_code == 404


@pytest.mark.parametrize(
    ("path", "document", "named"),
    [
        ("locations/global/workloadIdentityPools?workloadIdentityPoolId=abc", {}, "'abc'"),
        ("locations/global/workloadIdentityPools?workloadIdentityPoolId=gcp-pool", {}, "'gcp-pool'"),
        ("serviceAccounts", {"accountId": "short"}, "'short'"),
    ],
)
def test_an_id_against_the_rules_is_refused(standins: StandIns, path: str, document: Any, named: str) -> None:
    """standins: an id that IAM would refuse is refused, with the rule."""
    reply = call(standins, "POST", path, document)
    assert reply.status_code == 400
    assert named in reply.json()["error"]["message"]
    assert "characters" in reply.json()["error"]["message"]
