"""The rules of the house hold for this tree, and each of them sees a tree that breaks it."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests import architecture
from tools import unasync

ROOT = Path(__file__).resolve().parent.parent
SRC = ROOT / "src"

FACE = '"""A block.\n\nExample::\n\n    from hopline.http import App\n"""\n\nfrom hopline.http.app import App\n\n'


def test_a_block_is_used_from_outside_only_through_its_face_or_protocol() -> None:
    assert architecture.private_imports(SRC) == []


def test_no_block_imports_another() -> None:
    assert architecture.foreign_imports(SRC) == []


def test_pure_cores_touch_nothing() -> None:
    assert architecture.impure_cores(SRC) == []


def test_sync_twins_are_what_the_generator_writes() -> None:
    assert unasync.check(ROOT) == []


def test_backends_are_built_in_one_place() -> None:
    assert architecture.backends_built_elsewhere(SRC) == []


def test_files_stay_under_400_lines() -> None:
    assert architecture.long_files(ROOT) == []


def test_functions_stay_within_40_lines() -> None:
    assert architecture.long_functions(ROOT) == []


def test_every_block_shows_its_names_and_an_example() -> None:
    assert architecture.block_faces(SRC) == []


def test_no_module_is_a_drawer() -> None:
    assert architecture.drawer_names(ROOT) == []


def test_constructors_start_nothing() -> None:
    assert architecture.started_in_constructors(SRC) == []


def test_importing_starts_nothing() -> None:
    assert architecture.started_at_import(SRC) == []


Rule = Callable[[Path], list[str]]


def of_src(rule: Rule) -> Rule:
    """A rule about `src`, told the root."""
    return lambda root: rule(root / "src")


def one_core(root: Path) -> list[str]:
    return architecture.impure_cores(root / "src", ("http/core.py",))


WRONG_TREES: list[tuple[str, Rule, dict[str, str], str]] = [
    (
        "a module of a block imported from outside",
        of_src(architecture.private_imports),
        {"shortener/x.py": "from hopline.http.engine import run\n", "http/engine.py": ""},
        "shortener/x.py:1 reaches into a block: hopline.http.engine; import from hopline.http",
    ),
    (
        "a module of a block imported as a name of the block",
        of_src(architecture.private_imports),
        {"shortener/x.py": "from hopline.http import engine\n", "http/engine.py": "", "http/__init__.py": ""},
        "shortener/x.py:1 reaches into a block: hopline.http.engine; import from hopline.http",
    ),
    (
        "a module of a block imported relatively",
        of_src(architecture.private_imports),
        {"shortener/x.py": "from ..http import engine\n", "http/engine.py": ""},
        "shortener/x.py:1 reaches into a block: hopline.http.engine; import from hopline.http",
    ),
    (
        "a block that imports another",
        of_src(architecture.foreign_imports),
        {"cache/x.py": "from hopline.http import App\n"},
        "cache/x.py:1 may not import hopline.http",
    ),
    (
        "a block that imports the application inside a function",
        of_src(architecture.foreign_imports),
        {"cache/x.py": "def f():\n    import hopline.shortener.main\n"},
        "cache/x.py:2 may not import hopline.shortener.main",
    ),
    (
        "a block with a third party that its extra does not bring",
        of_src(architecture.foreign_imports),
        {"http/x.py": "import httptools, msgspec\n"},
        "http/x.py:1 may not import msgspec",
    ),
    (
        "a ground floor that stands on a block",
        of_src(architecture.foreign_imports),
        {"_backoff.py": "from hopline.cache import Cache\n"},
        "_backoff.py:1 may not import hopline.cache",
    ),
    (
        "test tools that need a test framework",
        of_src(architecture.foreign_imports),
        {"testing/x.py": "import pytest\n"},
        "testing/x.py:1 may not import pytest",
    ),
    (
        "a pure core that reads a clock",
        one_core,
        {"http/core.py": "from time import monotonic\n"},
        "pure core http/core.py: http/core.py:1 imports time",
    ),
    (
        "a pure core that opens a file",
        one_core,
        {"http/core.py": "def f(path):\n    return open(path)\n"},
        "pure core http/core.py: http/core.py:2 calls open()",
    ),
    (
        "a pure core that asks for today",
        one_core,
        {"http/core.py": "import datetime\n\nday = datetime.date.today()\n"},
        "pure core http/core.py: http/core.py:3 calls datetime.date.today()",
    ),
    (
        "a pure core that takes a lock through what it imports",
        one_core,
        {"http/core.py": "from hopline.http import state\n", "http/state.py": "import threading\n"},
        "pure core http/core.py: http/state.py:1 imports threading",
    ),
    (
        "a pure core that is gone",
        one_core,
        {"http/other.py": ""},
        "http/core.py is listed as a pure core but does not exist",
    ),
    (
        "a twin that was edited",
        lambda root: unasync.check(root)[:1],
        {"lock/_async/x.py": "x = 1\n", "lock/_sync/x.py": "x = 2\n"},
        "src/hopline/lock/_sync/x.py: edited or out of date: differs from line 1 on; run `make generate`",
    ),
    (
        "a backend built where it is used",
        of_src(architecture.backends_built_elsewhere),
        {"shortener/links/service.py": "def f():\n    return SqliteLinkStore('links.db')\n"},
        "shortener/links/service.py:2 builds SqliteLinkStore; be given it by shortener/main.py",
    ),
    (
        "a backend opened by a command that has no business with the data folder",
        of_src(architecture.backends_built_elsewhere),
        {"cli/stats.py": "table = versions.VersionTable.open(path)\n"},
        "cli/stats.py:1 builds VersionTable; be given it by shortener/main.py",
    ),
    (
        "a file of 400 lines",
        architecture.long_files,
        {"long.py": "\n" * 400, "short.py": "\n" * 399, "lock/_sync/made.py": "\n" * 400},
        "src/hopline/long.py has 400 lines; which two things are in it?",
    ),
    (
        "a function of 41 lines",
        architecture.long_functions,
        {"x.py": "def fits():\n" + "    1\n" * 39 + "async def long():\n" + "    1\n" * 40},
        "src/hopline/x.py:41 long has 41 lines",
    ),
    (
        "a block without a face",
        of_src(architecture.block_faces),
        {"http/app.py": ""},
        "http/ has no __init__.py",
    ),
    (
        "a block without an example",
        of_src(architecture.block_faces),
        {"http/__init__.py": '"""A block."""\n\n__all__ = ["App"]\n\nclass App: ...\n'},
        "http/__init__.py: the docstring shows no example that imports hopline.http",
    ),
    (
        "a block that names nothing",
        of_src(architecture.block_faces),
        {"http/__init__.py": FACE},
        "http/__init__.py has no __all__",
    ),
    (
        "a block that names what is not there",
        of_src(architecture.block_faces),
        {"http/__init__.py": FACE + '__all__ = ["App", "Gone"]\n'},
        "http/__init__.py: __all__ names 'Gone', which is not there",
    ),
    (
        "a drawer",
        architecture.drawer_names,
        {"shortener/utils.py": "", "shortener/links/store.py": ""},
        "src/hopline/shortener/utils.py: name it for what is in it",
    ),
    (
        "a constructor that starts a thread",
        of_src(architecture.started_in_constructors),
        {"cache/x.py": "class X:\n    def __init__(self, thread):\n        thread.start()\n"},
        "cache/x.py:3 starts something in __init__; do it in open()",
    ),
    (
        "an import that starts a thread",
        of_src(architecture.started_at_import),
        {
            "__init__.py": "",
            "x.py": "from threading import Event, Thread\n\nThread(None, Event().wait, 't', daemon=True).start()\n",
        },
        "importing hopline.x starts t",
    ),
]


@pytest.mark.parametrize(
    ("rule", "files", "says"), [case[1:] for case in WRONG_TREES], ids=[case[0] for case in WRONG_TREES]
)
def test_breach_is_seen(rule: Rule, files: dict[str, str], says: str, tmp_path: Path) -> None:
    for name, text in files.items():
        path = tmp_path / "src/hopline" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    assert rule(tmp_path) == [says]


def test_what_the_rules_allow_passes(tmp_path: Path) -> None:
    files = {
        "shortener/x.py": "from hopline.http import App\nfrom hopline.cache.protocol import Stats\nimport msgspec\n",
        "http/__init__.py": FACE + '__all__ = ["App"]\n',
        "http/app.py": "import httptools\nfrom hopline import _wheel, clock\n\nclass App: ...\n",
        "http/core.py": "from typing import TYPE_CHECKING\n\nif TYPE_CHECKING:\n    from hopline.clock import Clock\n",
        "shortener/main.py": "store = SqliteLinkStore('links.db')\n",
    }
    for name, text in files.items():
        path = tmp_path / "src/hopline" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    src = tmp_path / "src"

    assert architecture.private_imports(src) == []
    assert architecture.foreign_imports(src) == []
    assert one_core(tmp_path) == []
    assert architecture.block_faces(src) == []
    assert architecture.backends_built_elsewhere(src) == []
