"""Plays the internet: pages on port 80 of every address, and on port 53 of one a name server.

Usage: answer.py <address of the name server> <address of all names>
"""

import socket
import socketserver
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Page(BaseHTTPRequestHandler):
    """Says which address was reached, to a request for a token of the metadata service too."""

    def do_GET(self) -> None:
        """Answers."""
        self._answer()

    def do_PUT(self) -> None:
        """Answers."""
        self._answer()

    def _answer(self) -> None:
        body = str(self.connection.getsockname()[0]).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Keeps quiet."""


class Pages(ThreadingHTTPServer):
    """Listens on IPv4 and IPv6."""

    address_family = socket.AF_INET6


class Names(socketserver.BaseRequestHandler):
    """Repeats the question, and answers it with one A record, where one is asked for."""

    def handle(self) -> None:
        """Answers."""
        query, sock = self.request
        question = query[12 : query.index(0, 12) + 5]
        is_a = question[-4:-2] == bytes([0, 1])
        # Id, standard response, one question, one answer or none. The answer's name points at the question's.
        head = query[:2] + bytes.fromhex("8180 0001") + bytes([0, is_a]) + bytes(4)
        answer = bytes.fromhex("c00c 0001 0001 0000003c 0004") + socket.inet_aton(sys.argv[2])
        sock.sendto(head + question + (answer if is_a else b""), self.client_address)


if __name__ == "__main__":
    names = socketserver.ThreadingUDPServer((sys.argv[1], 53), Names)
    threading.Thread(target=names.serve_forever, daemon=True).start()
    Pages(("::", 80), Page).serve_forever()
