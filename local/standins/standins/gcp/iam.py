"""Google Cloud IAM as far as workload identity federation needs it: pools, providers, service accounts, policies."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable
from typing import Any
from urllib.parse import parse_qs
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

from standins.gcp.errors import ApiError, already_exists, not_found
from standins.gcp.policies import Policies
from standins.http import Reply, json_reply, raw_path, read_body

Document = dict[str, Any]
Handler = Callable[[re.Match[str], Document, dict[str, str]], Document]

_POOLS = r"/v1(?:beta)?/projects/(?P<project>[^/]+)/locations/global/workloadIdentityPools"
_POOL = _POOLS + r"/(?P<pool>[a-z0-9-]+)"
_PROVIDERS = _POOL + r"/providers"
_PROVIDER = _PROVIDERS + r"/(?P<provider>[a-z0-9-]+)"
_ACCOUNTS = r"/v1/projects/(?P<project>[^/]+)/serviceAccounts"
_ACCOUNT = _ACCOUNTS + r"/(?P<account>[^/:]+)"
_ID = re.compile(r"[a-z0-9-]{4,32}")
_ACCOUNT_ID = re.compile(r"[a-z]([-a-z0-9]{4,28}[a-z0-9])")


class Iam:
    """The emulator knows Cloud Storage only. This keeps what IAM is told, and checks the rules that ids have.

    Nothing is enforced, and a deleted pool is gone at once: the real one keeps its id for 30 days.
    """

    def __init__(self, application: WSGIApplication, project_number: str) -> None:
        self._application = application
        self._number = project_number
        self._pools: dict[str, Document] = {}
        self._rules: dict[str, list[Document]] = {}
        self._providers: dict[tuple[str, str], Document] = {}
        self._accounts: dict[str, Document] = {}
        self._policies = Policies()
        self._operations = 0
        routes: list[tuple[str, str, Handler]] = [
            ("POST", _POOLS, self._create_pool),
            ("GET", _POOL, lambda match, *_: self._pool(match)),
            ("PATCH", _POOL, self._change_pool),
            ("DELETE", _POOL, self._delete_pool),
            (
                "GET",
                _POOL + ":listAttestationRules",
                lambda match, *_: {"attestationRules": self._rules.get(self._pool(match)["name"], [])},
            ),
            ("POST", _POOL + ":setAttestationRules", self._set_rules),
            ("POST", _PROVIDERS, self._create_provider),
            ("GET", _PROVIDER, lambda match, *_: self._provider(match)),
            ("PATCH", _PROVIDER, self._change_provider),
            ("DELETE", _PROVIDER, self._delete_provider),
            ("POST", _ACCOUNTS, self._create_account),
            ("GET", _ACCOUNT, lambda match, *_: self._account(match)),
            ("PATCH", _ACCOUNT, self._change_account),
            ("DELETE", _ACCOUNT, self._delete_account),
            ("POST", _ACCOUNT + ":(?P<switch>enable|disable)", self._switch_account),
            ("POST", _ACCOUNT + ":getIamPolicy", self._read_policy),
            ("POST", _ACCOUNT + ":setIamPolicy", self._write_policy),
        ]
        self._routes = [(method, re.compile(path), handler) for method, path, handler in routes]

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answers a WSGI request."""
        path = raw_path(environ).replace("%40", "@").replace("%3A", ":")
        if not path.startswith(("/v1/projects/", "/v1beta/projects/")):
            return self._application(environ, start_response)
        return self._answer(environ, path).send(start_response)

    def _answer(self, environ: WSGIEnvironment, path: str) -> Reply:
        query = {key: values[0] for key, values in parse_qs(environ.get("QUERY_STRING", "")).items()}
        for method, pattern, handler in self._routes:
            match = pattern.fullmatch(path)
            if match and method == environ["REQUEST_METHOD"]:
                try:
                    return json_reply(200, handler(match, json.loads(read_body(environ) or b"{}"), query))
                except ApiError as error:
                    return error.reply()
        raise NotImplementedError(f"no such method of IAM: {environ['REQUEST_METHOD']} {path}")

    def _done(self, document: Document) -> Document:
        self._operations += 1
        return {"name": f"{document['name']}/operations/{self._operations}", "done": True, "response": document}

    # Workload identity pools

    def _create_pool(self, _match: re.Match[str], wanted: Document, query: dict[str, str]) -> Document:
        pool = _checked_id(query.get("workloadIdentityPoolId", ""), "workloadIdentityPoolId")
        if pool in self._pools:
            raise already_exists(f"The workload identity pool {pool}")
        name = f"projects/{self._number}/locations/global/workloadIdentityPools/{pool}"
        self._pools[pool] = {**wanted, "name": name, "state": "ACTIVE"}
        return self._done(self._pools[pool])

    def _pool(self, match: re.Match[str]) -> Document:
        if match["pool"] not in self._pools:
            raise not_found(f"The workload identity pool {match['pool']}")
        return self._pools[match["pool"]]

    def _change_pool(self, match: re.Match[str], wanted: Document, query: dict[str, str]) -> Document:
        return self._done(_masked(self._pool(match), wanted, query))

    def _delete_pool(self, match: re.Match[str], *_: Any) -> Document:
        pool = self._pool(match)
        del self._pools[match["pool"]]
        self._rules.pop(pool["name"], None)
        self._providers = {key: provider for key, provider in self._providers.items() if key[0] != match["pool"]}
        return self._done({**pool, "state": "DELETED"})

    def _set_rules(self, match: re.Match[str], wanted: Document, _query: dict[str, str]) -> Document:
        pool = self._pool(match)
        self._rules[pool["name"]] = wanted.get("attestationRules", [])
        return self._done(pool)

    # Their providers

    def _create_provider(self, match: re.Match[str], wanted: Document, query: dict[str, str]) -> Document:
        provider = _checked_id(query.get("workloadIdentityPoolProviderId", ""), "workloadIdentityPoolProviderId")
        key = (match["pool"], provider)
        if key in self._providers:
            raise already_exists(f"The provider {provider} of the pool {match['pool']}")
        self._providers[key] = {
            **wanted,
            "name": f"{self._pool(match)['name']}/providers/{provider}",
            "state": "ACTIVE",
        }
        return self._done(self._providers[key])

    def _provider(self, match: re.Match[str]) -> Document:
        key = (match["pool"], match["provider"])
        if key not in self._providers:
            raise not_found(f"The provider {match['provider']} of the pool {match['pool']}")
        return self._providers[key]

    def _change_provider(self, match: re.Match[str], wanted: Document, query: dict[str, str]) -> Document:
        return self._done(_masked(self._provider(match), wanted, query))

    def _delete_provider(self, match: re.Match[str], *_: Any) -> Document:
        provider = self._provider(match)
        del self._providers[(match["pool"], match["provider"])]
        return self._done({**provider, "state": "DELETED"})

    # Service accounts

    def _create_account(self, match: re.Match[str], wanted: Document, _query: dict[str, str]) -> Document:
        account_id = str(wanted.get("accountId", ""))
        if not _ACCOUNT_ID.fullmatch(account_id):
            raise ApiError(
                400,
                "INVALID_ARGUMENT",
                f"accountId {account_id!r} must have 6 to 30 characters: small letters, digits and hyphens.",
            )
        email = f"{account_id}@{match['project']}.iam.gserviceaccount.com"
        if email in self._accounts:
            raise already_exists(f"The service account {email}")
        unique = f"1{len(self._accounts):020}"
        self._accounts[email] = {
            **wanted.get("serviceAccount", {}),
            "name": f"projects/{match['project']}/serviceAccounts/{email}",
            "projectId": match["project"],
            "uniqueId": unique,
            "email": email,
            "oauth2ClientId": unique,
            "etag": "MDEwMjE5MjA=",
        }
        return self._accounts[email]

    def _account(self, match: re.Match[str]) -> Document:
        wanted = match["account"]
        for email, account in self._accounts.items():
            if wanted in (email, account["uniqueId"]):
                return account
        raise not_found(f"The service account {wanted}")

    def _change_account(self, match: re.Match[str], wanted: Document, _query: dict[str, str]) -> Document:
        account = self._account(match)
        changes = wanted.get("serviceAccount", {})
        for field in str(wanted.get("updateMask", "displayName,description")).split(","):
            key = {"display_name": "displayName"}.get(field, field)
            if key in changes:
                account[key] = changes[key]
        return account

    def _delete_account(self, match: re.Match[str], *_: Any) -> Document:
        email = self._account(match)["email"]
        del self._accounts[email]
        self._policies.forget(email)
        return {}

    def _switch_account(self, match: re.Match[str], *_: Any) -> Document:
        account = self._account(match)
        if match["switch"] == "disable":
            account["disabled"] = True
        else:
            account.pop("disabled", None)
        return {}

    def _read_policy(self, match: re.Match[str], *_: Any) -> Document:
        return self._policies.read(self._account(match)["email"])

    def _write_policy(self, match: re.Match[str], wanted: Document, _query: dict[str, str]) -> Document:
        email = self._account(match)["email"]
        if not self._policies.write(email, wanted.get("policy", {})):
            raise ApiError(
                409,
                "ABORTED",
                "There were concurrent policy changes. Please retry the whole read-modify-write.",
                "aborted",
            )
        return self._policies.read(email)


def _checked_id(text: str, parameter: str) -> str:
    if not _ID.fullmatch(text) or text.startswith("gcp-"):
        rule = "must have 4 to 32 characters: small letters, digits and hyphens, and not begin with gcp-"
        message = f"{parameter} {text!r} {rule}."
        raise ApiError(400, "INVALID_ARGUMENT", message)
    return text


def _masked(document: Document, wanted: Document, query: dict[str, str]) -> Document:
    """Changes the fields that the update mask names."""
    for field in query.get("updateMask", ",".join(wanted)).split(","):
        key = field.split(".", 1)[0]
        if wanted.get(key) is None:
            document.pop(key, None)
        else:
            document[key] = wanted[key]
    return document
