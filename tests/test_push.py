"""`fit --push` sends the network and its card to the hub, nothing else; `from_pretrained` takes them from there.

The hub is a stub on 127.0.0.1, and the commands are processes of their own: huggingface_hub reads HF_ENDPOINT when it
is imported.
"""

import base64
import hashlib
import json
import re
import subprocess
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest
import torch
from toy.shell import ENVIRONMENT

from sca_au import SCANetwork
from shared.runs.weights import packed

PUSH = "import sys; from toy.experiments import PAPER; from shared.cli import main; main(PAPER, sys.argv[1:])"
LOAD = """
from shared.hub import from_pretrained
net = from_pretrained("me/net-1.0")
print(type(net).__name__, net.training, net.about["labels"], net.head.bias.tolist())
from_pretrained("me/other")
"""


@pytest.fixture
def hub(tmp_path):
    """An address, and what was sent to it: file -> content; it serves the files of tmp_path/served as me/net-1.0."""
    sent: dict[str, bytes] = {}

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            if self.path == "/api/repos/create":
                self.reply({"url": f"{address}/me/toy"})
            elif self.path.endswith("/preupload/main"):
                names = [file["path"] for file in json.loads(body)["files"]]
                self.reply({"files": [{"path": n, "uploadMode": "regular", "shouldIgnore": False} for n in names]})
            elif self.path.endswith("/commit/main"):
                for line in map(json.loads, body.splitlines()):
                    if line["key"] == "file":
                        sent[line["value"]["path"]] = base64.b64decode(line["value"]["content"])
                self.reply({"commitUrl": f"{address}/me/toy/commit/1", "commitOid": "1" * 40})
            else:
                self.reply({})

        def do_GET(self):
            path = tmp_path / "served" / self.path.rpartition("/")[2]
            if not self.path.startswith("/me/net-1.0/resolve/main/") or not path.exists():
                return self.send_error(404)
            content = path.read_bytes()
            self.send_response(200)
            self.send_header("Content-Length", str(len(content)))
            self.send_header("ETag", f'"{hashlib.sha256(content).hexdigest()}"')
            self.send_header("X-Repo-Commit", "1" * 40)
            self.end_headers()
            if self.command == "GET":
                self.wfile.write(content)

        do_HEAD = do_GET

        def reply(self, content):
            text = json.dumps(content).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        def log_message(self, *_):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        address = f"http://127.0.0.1:{server.server_port}"
        Thread(target=server.serve_forever, daemon=True).start()
        own = {"HF_ENDPOINT": address, "HF_HUB_DISABLE_XET": "1", "HF_HOME": str(tmp_path / "home"), "HF_TOKEN": "hf_x"}

        def run(code: str, *arguments) -> subprocess.CompletedProcess:
            command = [sys.executable, "-c", code, *map(str, arguments)]
            return subprocess.run(command, env=ENVIRONMENT | own, cwd=tmp_path, capture_output=True, text=True)

        yield run, sent
        server.shutdown()


def test_network_and_card_are_published_and_nothing_else(hub, casme2, tmp_path):
    run, sent = hub
    options = ["fit", "table1/plain", "--data", casme2, "--out", tmp_path / "out", "--push", "me/toy"]
    done = run(PUSH, *options, "--yes")
    assert done.returncode == 0, done.stderr
    assert "agreements of the corpora may forbid" in done.stdout
    listed = re.findall(r"^  (\S+)  ([\d,]+) bytes$", done.stdout, re.MULTILINE)
    assert {name: int(size.replace(",", "")) for name, size in listed} == {k: len(v) for k, v in sent.items()}

    (folder,) = (path.parent for path in (tmp_path / "out").rglob("model.safetensors"))
    assert sent == {name: (folder / name).read_bytes() for name in ("model.safetensors", "README.md")}
    everything = b"".join(sent.values())
    for private in (tmp_path, Path.home(), casme2, "EP01_01", "sub01", ".png", "\x89PNG"):  # paths, samples, pictures
        assert str(private).encode("latin-1") not in everything, private
    assert b'from_pretrained("me/toy")' in sent["README.md"]
    header = json.loads(sent["model.safetensors"][8 : 8 + int.from_bytes(sent["model.safetensors"][:8], "little")])
    assert len(sent["model.safetensors"]) < 10_000 and "about" in header["__metadata__"]


def test_a_path_of_the_machine_is_not_published(tmp_path):
    from shared.errors import UserError
    from shared.hub import publish

    weights, card = tmp_path / "model.safetensors", tmp_path / "README.md"
    for about, text in (
        ({"config": {"start": "/home/me/net-1.0.pth"}}, ""),
        ({"config": {"start": "/home/jörg/net-1.0.pth"}}, ""),
        ({"config": {}}, f"read from {tmp_path / 'data'}"),
    ):
        weights.write_bytes(packed({"w": torch.zeros(1)}, about))
        card.write_text(text, encoding="utf-8")
        with pytest.raises(UserError, match="a path of this machine: not published"):
            publish(weights, "me/net-1.0", [tmp_path], yes=True)


def test_a_network_comes_from_the_hub(hub, tmp_path):
    run, _ = hub
    torch.manual_seed(0)
    arguments = {"M": 2, "size": 40, "width": 8, "reduced": 8}
    net = SCANetwork(**arguments)
    about = {"package": "sca_au", "network": "SCANetwork", "arguments": arguments, "labels": ["AU1", "AU2"]}
    (tmp_path / "served").mkdir()
    (tmp_path / "served" / "model.safetensors").write_bytes(packed(net.state_dict(), about))
    done = run(LOAD)
    assert done.returncode == 1
    assert "UserError: me/other is no folder here, and the hub did not give its model.safetensors" in done.stderr
    assert done.stdout.strip() == f"SCANetwork False ['AU1', 'AU2'] {net.head.bias.tolist()}"
