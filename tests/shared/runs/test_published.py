"""Published files are fetched whole and as published, or not at all; `weights` says what lies in the folder."""

import shutil
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread

import pytest
from toy.experiments import PAPER
from toy.left import halves

from shared.cli import main
from shared.errors import UserError
from shared.report.downloads import print_downloads
from shared.runs.published import Published

CONTENT = b"hello\n"
FILE = Published(  # hashes as sha256sum and git hash-object print them
    name="net.pth",
    what="a net",
    source="https://example.org/net",
    licence="MIT",
    size=6,
    sha256="5891b5b522d5df08",
    git_blob="ce013625030ba8dba906f756967f9e9ca394464a",
    setting="source=net.pth",
    without="--set source=CASME2 does without it",
)
WRONG = {"cut.pth": b"hel", "flipped.pth": b"hellO\n", "other.pth": b"another file\n"}


@pytest.fixture(scope="module")
def server():
    """Serves CONTENT as net.pth, what is WRONG under its names, and of half.pth only the first half."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            name = self.path.strip("/")
            if name not in ("net.pth", "half.pth", *WRONG):
                return self.send_error(404)
            content = WRONG.get(name, CONTENT)
            self.send_response(200)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content[:3] if name == "half.pth" else content)

        def log_message(self, *_):
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as made:
        Thread(target=made.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{made.server_port}/"
        made.shutdown()


def test_a_file_is_fetched_once_and_is_what_was_published(server, tmp_path):
    (tmp_path / ".net.pth.killed.tmp").write_bytes(b"hel")  # of a download whose process was killed
    file = replace(FILE, url=f"{server}net.pth")
    file.fetch(tmp_path)
    assert (tmp_path / "net.pth").read_bytes() == CONTENT and not file.fault(tmp_path / "net.pth")
    assert not halves(tmp_path)
    replace(file, url=f"{server}missing.pth").fetch(tmp_path)  # it is there, so nothing is asked for


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("half.pth", "it was cut off after 3 of 6 bytes"),
        ("cut.pth", "it has 3 bytes, the published file 6"),
        ("flipped.pth", "its SHA-256 hash is "),
        ("other.pth", "it has 13 bytes"),
        ("missing.pth", "HTTP Error 404"),
    ],
)
def test_anything_else_is_not_kept(name, said, server, tmp_path):
    with pytest.raises(UserError, match=f"net.pth was .*fetched from .*{said}"):
        replace(FILE, url=server + name).fetch(tmp_path)
    assert not (tmp_path / "net.pth").exists() and not halves(tmp_path)


def test_an_interrupted_download_starts_again(server, tmp_path, monkeypatch):
    file = replace(FILE, url=f"{server}net.pth")

    def interrupted(source, target):
        target.write(source.read(3))
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(shutil, "copyfileobj", interrupted)
        with pytest.raises(KeyboardInterrupt):
            file.fetch(tmp_path)
    assert not (tmp_path / "net.pth").exists() and not halves(tmp_path)
    file.fetch(tmp_path)
    assert (tmp_path / "net.pth").read_bytes() == CONTENT


@pytest.mark.parametrize("known", ["sha256", "git_blob"])
def test_either_hash_tells_the_file(known, tmp_path):
    only = replace(FILE, **{"size": None, "sha256": "", "git_blob": "", known: getattr(FILE, known)})
    (path := tmp_path / "net.pth").write_bytes(CONTENT)
    assert not only.fault(path)
    path.write_bytes(WRONG["flipped.pth"])
    assert "that of the published file" in only.fault(path)


def test_the_list_says_what_is_there(server, tmp_path, capsys):
    uses = lambda config: ("net.pth",) * config.pretrain  # noqa: E731
    unknown = replace(FILE, what="another net", source="https://example.org/2", size=None, sha256="", git_blob="")
    paper = replace(PAPER, files=uses, published=(replace(FILE, url=f"{server}net.pth"), unknown))

    def said(get: bool = False) -> list[str]:
        assert print_downloads([paper], tmp_path, get) == 0
        return [line.split(maxsplit=1)[1] for line in capsys.readouterr().out.splitlines() if "  found " in line]

    assert said() == [f"not in {tmp_path}"] * 2
    path = tmp_path / "net.pth"
    for content, first, second in (
        (b"hellO\n", "not this file, because its SHA-256", "there; nothing is known"),
        (b"hel", "not this file, because it has 3 bytes", "there; nothing is known"),
        (CONTENT, "this file", "another file of this name, a net"),
    ):
        path.write_bytes(content)
        for line, expected in zip(said(get=True), (first, second), strict=True):  # what is there is never replaced
            assert line.startswith(f"{path}: {expected}")
        assert path.read_bytes() == content
    path.unlink()
    assert said(get=True)[0] == f"{path}: this file" and path.read_bytes() == CONTENT

    print_downloads([paper], tmp_path, False)
    printed = capsys.readouterr().out
    assert "needed   toy: 2 of 3 rows: table1/w/ pre-training; table2/on SAMM (source=net.pth)" in printed
    path.unlink()
    with pytest.raises(UserError, match="HTTP Error 404"):
        print_downloads([replace(paper, published=(replace(FILE, url=f"{server}missing.pth"),))], tmp_path, True)
    assert "not verified" in capsys.readouterr().out


def test_a_paper_that_is_not_there_has_no_weights(capsys):
    with pytest.raises(SystemExit) as ended:
        main(None, ["weights", "ma2m1"])
    assert ended.value.code == 2 and "nearest: ma2mi" in capsys.readouterr().err
