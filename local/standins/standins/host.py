"""The process around the two WSGI applications: sockets on loopback, threads, start and stop."""

from __future__ import annotations

import errno
import logging
import os
import socket
import threading
from wsgiref.types import WSGIApplication

from waitress.channel import HTTPChannel
from waitress.parser import HTTPRequestParser
from waitress.server import BaseWSGIServer, create_server

from standins.ledger import Ledger, Status
from standins.options import LOOPBACK, Options

log = logging.getLogger("standins")

#: Requests that one port works on at a time. Long polls of SQS hold one each, and Terraform sends ten in parallel.
THREADS = 64
#: Connections that one port keeps open, idle ones included: a Terraform provider process keeps dozens.
CONNECTIONS = 1000
#: Seconds after which an idle connection is closed.
IDLE_SECONDS = 300


class PortTakenError(Exception):
    """A port that was asked for is in use; the message names it and says what to do."""


class _Parser(HTTPRequestParser):
    """A request whose body is empty is whole with its headers, whatever it expects.

    waitress would ask for the body, as `Expect: 100-continue` wants, and wait for it without end. boto3 sends that with
    every PUT to S3.
    """

    def parse_header(self, header_plus: bytes) -> None:
        """Reads the headers."""
        super().parse_header(header_plus)
        if self.content_length == 0 and not self.chunked:
            self.expect_continue = False


class _Channel(HTTPChannel):
    """A connection."""

    parser_class = _Parser


class Listener:
    """One port and the threads that answer on it."""

    def __init__(self, name: str, port: int) -> None:
        self._name = name
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            self._socket.bind((LOOPBACK, port))
        except OSError as error:
            self._socket.close()
            if error.errno not in (errno.EADDRINUSE, errno.EACCES):
                raise
            reason = (
                "is in use by another program"
                if error.errno == errno.EADDRINUSE
                else "needs more rights than this user has"
            )
            option = f"--{name}-port"
            raise PortTakenError(
                f"port {port} on {LOOPBACK}, wanted for {option}, {reason}. "
                f"Stop that program (`ss -ltnp 'sport = :{port}'` names it) or choose another port with {option}."
            ) from error
        self.port: int = self._socket.getsockname()[1]

    def serve(self, application: WSGIApplication) -> None:
        """Starts answering, in threads of its own."""
        server = create_server(
            application,
            sockets=[self._socket],
            threads=THREADS,
            connection_limit=CONNECTIONS,
            channel_timeout=IDLE_SECONDS,
            backlog=256,
            ident=None,
            asyncore_use_poll=True,
            # An answer leaves in one piece. Terraform's AWS provider hangs up between headers and body at times, and
            # then asks once more for what has been done already.
            send_bytes=1024**2,
            max_request_body_size=5 * 1024**3,
        )
        # It is another class for several sockets only.
        assert isinstance(server, BaseWSGIServer)
        server.channel_class = _Channel
        self._server = server
        self._thread = threading.Thread(target=self._server.run, name=self._name, daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Closes the port. Requests in work are dropped after a second."""
        self._server.task_dispatcher.shutdown(timeout=1)
        self._server.close()


class StandIns:
    """Both stand-ins, answering."""

    def __init__(self, aws: Listener, gcp: Listener) -> None:
        self._aws = aws
        self._gcp = gcp
        self.aws_url = f"http://{LOOPBACK}:{aws.port}"
        self.gcp_url = f"http://{LOOPBACK}:{gcp.port}"

    @classmethod
    def start(cls, options: Options) -> StandIns:
        """Takes both ports, then starts both stand-ins.

        Raises PortTakenError before anything has started.
        """
        aws = Listener("aws", options.aws_port)
        gcp = Listener("gcp", options.gcp_port)
        standins = cls(aws, gcp)

        # moto reads its settings from the environment when it is imported.
        os.environ["S3_IGNORE_SUBDOMAIN_BUCKETNAME"] = "true"
        os.environ["MOTO_ACCOUNT_ID"] = options.account
        os.environ["MOTO_IAM_LOAD_MANAGED_POLICIES"] = "true"
        from standins.aws import aws_application
        from standins.gcp import gcp_application

        status = Status(standins.aws_url, standins.gcp_url)
        aws.serve(Ledger("aws", aws_application(options, aws.port), status))
        gcp.serve(Ledger("gcp", gcp_application(options), status))
        log.info("AWS at %s, Google Cloud at %s", standins.aws_url, standins.gcp_url)
        return standins

    def stop(self) -> None:
        """Closes both ports and forgets everything."""
        self._aws.close()
        self._gcp.close()
