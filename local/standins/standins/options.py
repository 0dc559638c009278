"""What one run of the stand-ins can be told, parsed and checked once."""

from __future__ import annotations

import argparse
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

#: The address that everything listens on. The stand-ins check no credentials, so it is no option.
LOOPBACK = "127.0.0.1"


@dataclass(frozen=True)
class Options:
    """Settings of one run of the stand-ins."""

    aws_port: int = 5566
    """TCP port of the AWS stand-in; 0 takes a free one."""
    gcp_port: int = 5567
    """TCP port of the Google Cloud stand-in; 0 takes a free one."""
    redis_host: str = LOOPBACK
    """Host that ElastiCache's endpoints name: the Redis that really answers."""
    redis_port: int = 6379
    """Port that ElastiCache's endpoints name."""
    account: str = "123456789012"
    """The AWS account that everything belongs to."""
    project_number: str = "123456789012"
    """The number of the Google Cloud project that everything belongs to."""
    authorizer: str = ""
    """URL of what decides whether a request of a role is allowed; empty asks nobody and enforces no IAM."""
    embeddings: str = ""
    """URL of what serves Bedrock's embeddings, as containers/product-inference does; empty: there are none."""
    log_file: Path | None = None
    """Where the log goes; None is standard error."""
    pid_file: Path | None = None
    """Written once both ports answer, removed at the end; None writes none."""
    verbose: bool = False
    """Log every request, not only those that failed."""


def _port(text: str) -> int:
    if not text.isdigit() or int(text) > 65535:
        raise argparse.ArgumentTypeError(f"expected a port from 0 to 65535, got {text!r}")
    return int(text)


def _account(text: str) -> str:
    if not re.fullmatch(r"\d{12}", text):
        raise argparse.ArgumentTypeError(f"expected an AWS account id of 12 digits, got {text!r}")
    return text


def _url(text: str) -> str:
    if text and not re.fullmatch(r"http://[\w.-]+:\d+/?", text):
        raise argparse.ArgumentTypeError(f"expected a URL such as http://127.0.0.1:5570, got {text!r}")
    return text


def _number(text: str) -> str:
    if not re.fullmatch(r"\d{1,19}", text):
        raise argparse.ArgumentTypeError(f"expected a Google Cloud project number, got {text!r}")
    return text


def parse_options(arguments: Sequence[str]) -> Options:
    """Turns a command line into options. Prints what is wrong and exits with code 2 on a bad one."""
    defaults = Options()
    parser = argparse.ArgumentParser(
        prog="python -m standins",
        description=f"Stand-ins of AWS and Google Cloud on {LOOPBACK}, for real Terraform and real programs without an "
        "account. They keep everything in memory: stopping them forgets it.",
    )
    add = parser.add_argument
    add(
        "--aws-port",
        type=_port,
        default=defaults.aws_port,
        metavar="PORT",
        help="AWS (default %(default)s, 0: a free one)",
    )
    add(
        "--gcp-port",
        type=_port,
        default=defaults.gcp_port,
        metavar="PORT",
        help="Google Cloud (default %(default)s, 0: a free one)",
    )
    add(
        "--redis-host",
        default=defaults.redis_host,
        metavar="HOST",
        help="host in ElastiCache's endpoints (default %(default)s)",
    )
    add(
        "--redis-port",
        type=_port,
        default=defaults.redis_port,
        metavar="PORT",
        help="port in them (default %(default)s)",
    )
    add("--account", type=_account, default=defaults.account, metavar="ID", help="AWS account id (default %(default)s)")
    add(
        "--project-number",
        type=_number,
        default=defaults.project_number,
        metavar="N",
        help="of the Google Cloud project (default %(default)s)",
    )
    add(
        "--authorizer",
        type=_url,
        default=defaults.authorizer,
        metavar="URL",
        help="ask URL about each AWS request whose access key id is not `local`, and refuse what it denies "
        "(default: no IAM is enforced)",
    )
    add(
        "--embeddings",
        type=_url,
        default=defaults.embeddings,
        metavar="URL",
        help="take Bedrock's embeddings from POST URL/embeddings (default: Bedrock has none)",
    )
    add("--log-file", type=Path, metavar="FILE", help="append the log to FILE (default: standard error)")
    add(
        "--pid-file",
        type=Path,
        metavar="FILE",
        help="write the process id to FILE once both ports answer, remove it at the end",
    )
    add("--verbose", action="store_true", help="log every request, not only those that failed")
    return Options(**vars(parser.parse_args(arguments)))
