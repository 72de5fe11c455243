"""Development's reload: which changes are seen, and that they reach the workers."""

import os
from pathlib import Path

import pytest

from hopline.http import watching
from hopline.http.watching import changes, snapshot
from tests.http.supervision import Supervised
from tests.http.test_reload import ask


def test_a_change_of_a_python_file_reloads_and_a_broken_one_leaves_the_old_in_place(tmp_path: Path) -> None:
    version = tmp_path / "version.py"
    version.write_text("v0")
    with Supervised("watched", version) as server:
        version.write_text("broken")
        server.until(lambda: "the new version is broken" in server.output())
        assert "version.py changed; reloading" in server.output()
        assert ask(server).startswith("v0 ")
        version.write_text("v1")
        server.until(lambda: {ask(server).split()[0] for _ in range(10)} == {"v1"})
        assert server.stop() == 0


def test_new_changed_and_removed_files_are_seen_and_nothing_else(tmp_path: Path) -> None:
    for name in ("a.py", "b/b.py", "b/c.txt", ".venv/d.py", "__pycache__/e.py", "gone.py"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    before = snapshot([tmp_path])
    assert sorted(before) == [str(tmp_path / name) for name in ("a.py", "b/b.py", "gone.py")]
    assert changes(before, snapshot([tmp_path])) == []
    (tmp_path / "gone.py").unlink()
    (tmp_path / "b/new.py").touch()
    os.utime(tmp_path / "a.py", (1, 1))
    (tmp_path / "b/c.txt").write_text("else")
    assert changes(before, snapshot([tmp_path])) == [str(tmp_path / name) for name in ("a.py", "b/new.py", "gone.py")]


def test_a_single_file_and_a_missing_folder_may_be_named(tmp_path: Path) -> None:
    (tmp_path / "a.toml").touch()
    assert list(snapshot([tmp_path / "a.toml", tmp_path / "missing"])) == [str(tmp_path / "a.toml")]


def test_the_number_of_files_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watching, "MOST_FILES", 3)
    for number in range(5):
        (tmp_path / f"{number}.py").touch()
    assert len(snapshot([tmp_path])) == 3
