"""Refuses, from its import until the process ends, every address but those of this machine."""

from __future__ import annotations

import ipaddress
import os
import sys
from pathlib import Path
from typing import Any

refused: list[str] = []
LOG = "REFUSED_ADDRESSES"  # a file that gets them, too: some come when the process ends


def _guard(event: str, args: tuple[Any, ...]) -> None:
    if event in ("socket.connect", "socket.sendto"):
        address = args[1]
        host = address[0] if isinstance(address, tuple) else "127.0.0.1"
    elif event in ("socket.getaddrinfo", "socket.gethostbyname"):
        host = args[0]
    else:
        return
    host = host.decode() if isinstance(host, bytes) else str(host or "localhost")
    if not _is_here(host):
        refused.append(host)
        if LOG in os.environ:
            with Path(os.environ[LOG]).open("a") as log:
                log.write(f"{host}\n")
        raise ConnectionRefusedError(f"only loopback in these tests: {host}")


def _is_here(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


sys.addaudithook(_guard)
