"""S3 on this machine (moto), behind a door that is slow and now and then shut."""

import importlib.util
import os
import shutil
import subprocess
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

SHUT_EVERY = 9
"""Of so many requests one is answered with 503."""

SLOW_EVERY = 40
SLOW_S = 1.0

WITHIN_S = 30.0


def missing() -> str | None:
    """What is not installed, or nothing."""
    for module, name in (
        ("snakemake_storage_plugin_s3", "snakemake-storage-plugin-s3 (make kubernetes)"),
        ("snakemake_executor_plugin_kubernetes", "its plugin for Kubernetes (make kubernetes)"),
    ):
        if importlib.util.find_spec(module) is None:
            return name
    # In an environment of its own: what it pins is not what we pin.
    return None if shutil.which("moto_server") else "moto_server (pipx install 'moto[server]')"


@dataclass
class Storage:
    """Where it answers, and how it has answered."""

    url: str
    answers: list[int] = field(default_factory=list)

    @property
    def environment(self) -> dict[str, str]:
        """Of processes that use it through Snakemake."""
        return {
            **os.environ,
            "SNAKEMAKE_STORAGE_S3_ENDPOINT_URL": self.url,
            "SNAKEMAKE_STORAGE_S3_ACCESS_KEY": "x",
            "SNAKEMAKE_STORAGE_S3_SECRET_KEY": "y",
        }


@contextmanager
def storage() -> Iterator[Storage]:
    """The storage, while the block runs."""
    command = ["moto_server", "-H", "127.0.0.1", "-p", "0"]
    moto = subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True)
    try:
        behind = _address(moto)
        door = ThreadingHTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler)
        found = Storage(f"http://127.0.0.1:{door.server_port}")
        door.RequestHandlerClass = _door(behind, found.answers)
        threading.Thread(target=door.serve_forever, daemon=True).start()
        yield found
        door.shutdown()
    finally:
        moto.terminate()
        moto.wait()


def _address(moto: subprocess.Popen) -> str:
    until = time.monotonic() + WITHIN_S
    assert moto.stderr is not None
    while time.monotonic() < until:
        line = moto.stderr.readline()
        if "Running on http" in line:
            # Nobody else reads what it says; a full pipe would stop it.
            threading.Thread(target=moto.stderr.read, daemon=True).start()
            return line.split("Running on ")[1].strip()
    raise AssertionError("moto did not start")


def _door(behind: str, answers: list[int]) -> type[BaseHTTPRequestHandler]:
    class Door(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            number = len(answers)
            if number % SLOW_EVERY == SLOW_EVERY - 1:
                time.sleep(SLOW_S)
            if number % SHUT_EVERY == SHUT_EVERY - 1:
                self.reply(503, {}, b"")
                return
            # Without a type urllib would call it a form.
            headers = {"Content-Type": "application/octet-stream", **dict(self.headers)}
            asked = urllib.request.Request(
                behind + self.path, body or None, headers, method=self.command
            )
            try:
                with urllib.request.urlopen(asked) as found:
                    self.reply(found.status, dict(found.headers), found.read())
            except urllib.error.HTTPError as error:
                self.reply(error.code, dict(error.headers), error.read())

        def reply(self, code: int, headers: dict[str, str], body: bytes) -> None:
            answers.append(code)
            self.send_response(code)
            for name, value in headers.items():
                if name.lower() not in ("content-length", "transfer-encoding", "connection"):
                    self.send_header(name, value)
            length = headers.get("Content-Length") if self.command == "HEAD" else None
            self.send_header("Content-Length", length or str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_GET = do_PUT = do_POST = do_DELETE = do_HEAD = answer  # noqa: N815

        def log_message(self, *_: object) -> None:
            pass

    return Door
