"""Copies are clones where the file system has them, which is found out by trying."""

import shutil
import subprocess

import psycopg
import pytest

from neon.local import cloning
from neon.local.postgres import EmbeddedPostgres

CP = shutil.which("cp")


@pytest.mark.skipif(CP is None, reason="no cp")
def test_it_says_what_cp_finds(tmp_path):
    (tmp_path / "source").write_bytes(b"x" * 10_000)
    command = [CP, "--reflink=always", tmp_path / "source", tmp_path / "target"]
    cp = subprocess.run(command, capture_output=True, text=True)
    if "unrecognized" in cp.stderr or "illegal" in cp.stderr:
        pytest.skip("cp knows nothing of clones")
    assert cloning.clones(tmp_path) is (cp.returncode == 0)
    assert {path.name for path in tmp_path.iterdir()} <= {"source", "target"}


@pytest.mark.parametrize(("clones", "method"), [(True, "clone"), (False, "copy")])
def test_the_server_copies_by_what_was_found(tmp_path, monkeypatch, clones, method):
    monkeypatch.setattr(cloning, "clones", lambda folder: clones)
    server = EmbeddedPostgres(tmp_path / "postgres", {"fsync": "off"})
    try:
        with psycopg.connect(**server.address(), dbname="postgres") as connection:
            assert connection.execute("SHOW file_copy_method").fetchone() == (method,)
    finally:
        server.leave()
