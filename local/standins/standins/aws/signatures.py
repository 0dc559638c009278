"""What S3 knows to check a signature: the secret of an access key id, and botocore's own signer to compute it anew."""

from __future__ import annotations

import hmac
import re
from dataclasses import dataclass
from datetime import UTC, datetime

from botocore.auth import S3SigV4QueryAuth, SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from moto.iam.models import iam_backends
from moto.sts.models import sts_backends

from standins.aws.s3_errors import S3Refusal

#: The secret of every access key id that moto has not made itself: of `local`, and of the roles that programs run with.
SECRET = "local"  # noqa: S105 (opens nothing but the stand-in)
#: The one way of signing that S3 takes in ap-northeast-2.
ALGORITHM = "AWS4-HMAC-SHA256"

_SCOPE = re.compile(r"([^/,]+)/(\d{8})/([^/]+)/s3/aws4_request")
_TIMESTAMP = "%Y%m%dT%H%M%SZ"


@dataclass(frozen=True)
class Signer:
    """Who signed, when, and for where, as a credential scope and a timestamp say it."""

    key_id: str
    region: str
    timestamp: str

    @classmethod
    def parse(cls, credential: str, timestamp: str) -> Signer | None:
        """Reads `X-Amz-Credential` and `X-Amz-Date`; None when they are malformed or do not belong together."""
        scope = _SCOPE.fullmatch(credential)
        if scope is None or not re.fullmatch(r"\d{8}T\d{6}Z", timestamp) or timestamp[:8] != scope[2]:
            return None
        return cls(scope[1], scope[3], timestamp)

    @property
    def signed_at(self) -> datetime:
        """When it was signed."""
        return datetime.strptime(self.timestamp, _TIMESTAMP).replace(tzinfo=UTC)

    def of_request(self, request: AWSRequest, account: str) -> str:
        """The signature of a request with its query, in hex."""
        auth = S3SigV4QueryAuth(self._credentials(account), "s3", self.region, 0)
        request.context["timestamp"] = self.timestamp
        return str(auth.signature(auth.string_to_sign(request, auth.canonical_request(request)), request))

    def of_text(self, text: str, account: str) -> str:
        """The signature of a text, such as a POST policy, in hex."""
        request = AWSRequest()
        request.context["timestamp"] = self.timestamp
        return str(SigV4Auth(self._credentials(account), "s3", self.region).signature(text, request))

    def _credentials(self, account: str) -> Credentials:
        return Credentials(self.key_id, secret_of(self.key_id, account))


def secret_of(key_id: str, account: str) -> str:
    """The secret of an access key id: that which moto gave it, else the one that everything here shares."""
    users = iam_backends[account]["aws"].users.values()
    made = {key.access_key_id: key.secret_access_key for user in users for key in user.access_keys}
    assumed = {role.access_key_id: role.secret_access_key for role in sts_backends[account]["aws"].assumed_roles}
    return str({**made, **assumed}.get(key_id, SECRET))


def require_equal(expected: str, came: str, key_id: str) -> None:
    """Raises S3Refusal unless a signature is the one that was computed here."""
    if not hmac.compare_digest(expected, came):
        raise S3Refusal(
            403,
            "SignatureDoesNotMatch",
            "The request signature we calculated does not match the signature you provided. "
            "Check your key and signing method.",
            AWSAccessKeyId=key_id,
        )
