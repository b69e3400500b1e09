"""Loaded by every Python process of a guarded run: no address but this machine's is reached.

An attempt fails, and is a line in the file that SONGATLAS_NETWORK_LOG names, so that a library that
tries in vain and goes on is noticed too.
"""

import os
import socket
import sys
import traceback
from typing import Any

LOG = os.environ.get("SONGATLAS_NETWORK_LOG")
HERE = ("localhost", "127.0.0.1", "::1", "", "0.0.0.0", "::", None, socket.gethostname())


def _refuse(what: str, address: object) -> None:
    stack = "".join(traceback.format_stack(limit=12)[:-2]).replace("\n", " | ")
    with open(str(LOG), "a", encoding="utf-8") as file:  # noqa: PTH123
        file.write(f"{what} {address!r} by {' '.join(sys.argv)[:200]}: {stack}\n")
    raise OSError(f"the network is closed: {what} {address!r}")


def _host(address: Any) -> Any:
    host = address[0] if isinstance(address, tuple) else address
    return host.decode() if isinstance(host, bytes) else host


def _is_here(host: Any) -> bool:
    return host in HERE or str(host).startswith("127.")


def _guard(name: str) -> None:
    original = getattr(socket.socket, name)

    def guarded(self: socket.socket, *arguments: Any) -> Any:
        network = self.family in (socket.AF_INET, socket.AF_INET6)
        if network and not _is_here(_host(arguments[-1])):
            _refuse(name, arguments[-1])
        return original(self, *arguments)

    setattr(socket.socket, name, guarded)


def _guard_lookup(name: str) -> None:
    original = getattr(socket, name)

    def guarded(host: Any, *arguments: Any, **named: Any) -> Any:
        if not _is_here(_host(host)):
            _refuse(name, host)
        return original(host, *arguments, **named)

    setattr(socket, name, guarded)


if LOG:
    for method in ("connect", "connect_ex", "sendto"):
        _guard(method)
    for function in ("getaddrinfo", "gethostbyname", "gethostbyname_ex"):
        _guard_lookup(function)
