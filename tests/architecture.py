"""The rules of the house, read from the code: each takes a tree and returns one line for each breach.

`src` is the folder that holds the package `hopline`. test_architecture.py applies every rule to this tree, and to
a small wrong one, so that no rule can go blind.
"""

import ast
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

__all__ = [
    "backends_built_elsewhere",
    "block_faces",
    "drawer_names",
    "foreign_imports",
    "impure_cores",
    "long_files",
    "long_functions",
    "private_imports",
    "started_at_import",
    "started_in_constructors",
]

BLOCKS = ("http", "ratelimit", "cache", "workers", "lock", "dbpool")

# What a block may import beyond the standard library and the ground floor: what its extra installs.
THIRD_PARTY = {
    "http": {"httptools", "uvloop"},
    "ratelimit": {"redis"},
    "cache": {"redis"},
    "workers": {"redis", "asyncpg"},
    "lock": {"redis"},
    "dbpool": {"asyncpg"},
    "metrics": {"prometheus_client"},
    "testing": set(),  # no test framework: whoever tests brings their own
}
GROUND_FLOOR = {"clock", "errors", "metrics"}  # and every private module beside them

# What decides without touching the world. All of what they import from hopline is held to the same.
PURE = (
    "http/collector.py",
    "http/conditions.py",
    "http/connection.py",
    "http/router.py",
    "shortener/links/codes.py",
    "shortener/links/urls.py",
    "shortener/clicks/event.py",
    "cache/lru.py",
    "metrics/snapshot.py",
)
WORLD = {
    *("asyncio", "concurrent", "fcntl", "http.client", "io", "logging", "mmap", "multiprocessing", "os", "pathlib"),
    *("queue", "select", "selectors", "shutil", "signal", "socket", "sqlite3", "ssl", "subprocess", "tempfile"),
    *("threading", "time", "urllib.request", "hopline.clock", "hopline._concurrency"),
}
WORLDLY_CALLS = {"open", "print", "input", "now", "utcnow", "today"}

BACKENDS = {"SqliteLinkStore", "SqliteClickStore", "Journal", "Cache", "ApiKeys", "VersionTable", "Ingester"}
# Who may build them: the one place that puts parts together, and the commands that open the data folder themselves.
BUILDERS = {"shortener/main.py", "cli/keys.py", "cli/backup.py", "cli/restore.py", "cli/doctor.py", "cli/checks.py"}

DRAWERS = {"utils", "util", "utilities", "common", "helpers", "helper", "misc"}
STARTERS = {"start", "create_task", "ensure_future", "start_new_thread", "spawn", "async_spawn"}
MAX_FILE_LINES = 399
MAX_FUNCTION_LINES = 40
WRITTEN = {".py", ".sql", ".css", ".js", ".html"}


@dataclass(frozen=True)
class Module:
    """One Python file: its path below hopline/, its dotted name, its parts of speech."""

    path: str
    name: str
    tree: ast.Module

    @property
    def storey(self) -> str:
        """The first part below hopline: a block's name, `shortener`, `clock`, …"""
        return [*self.name.split("."), ""][1]


@dataclass(frozen=True)
class Import:
    """The module that an import statement really means."""

    line: int
    target: str
    runs: bool  # False under `if TYPE_CHECKING`

    @property
    def storey(self) -> str:
        """The first part below hopline; empty for anything else."""
        top, _, rest = self.target.partition(".")
        return rest.split(".")[0] if top == "hopline" else ""


@cache
def modules(src: Path) -> tuple[Module, ...]:
    """Every module of the package."""
    found = []
    for path in sorted((src / "hopline").rglob("*.py")):
        relative = path.relative_to(src)
        parts = [part for part in relative.with_suffix("").parts if part != "__init__"]
        inner = relative.relative_to("hopline").as_posix()
        found.append(Module(inner, ".".join(parts), ast.parse(path.read_text("utf-8"), str(path))))
    return tuple(found)


def imports(src: Path, module: Module) -> Iterator[Import]:
    """What `module` imports; `from hopline.http import engine` is the module hopline.http.engine."""
    dry = {
        id(node)
        for branch in ast.walk(module.tree)
        if isinstance(branch, ast.If) and "TYPE_CHECKING" in ast.unparse(branch.test)
        for statement in branch.body
        for node in ast.walk(statement)
    }
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield Import(node.lineno, alias.name, id(node) not in dry)
        elif isinstance(node, ast.ImportFrom):
            base = _absolute(module, node)
            for alias in node.names:
                yield Import(node.lineno, _meant(src, base, alias.name), id(node) not in dry)


def _absolute(module: Module, node: ast.ImportFrom) -> str:
    if not node.level:
        return node.module or ""
    package = module.name.split(".")
    if not module.path.endswith("__init__.py"):
        package = package[:-1]
    above = package[: len(package) - node.level + 1]
    return ".".join(above + ([node.module] if node.module else []))


def _meant(src: Path, base: str, name: str) -> str:
    """`base.name` where that is a module and not something that `base` exports under the same name."""
    folder = src.joinpath(*base.split("."))
    is_module = (folder / f"{name}.py").is_file() or (folder / name).is_dir()
    return f"{base}.{name}" if is_module and name not in exported(folder / "__init__.py") else base


def exported(path: Path) -> list[str]:
    """The names in the `__all__` of a file; empty where it has none."""
    if not path.is_file():
        return []
    for node in ast.parse(path.read_text("utf-8")).body:
        if isinstance(node, ast.Assign) and "__all__" in [ast.unparse(target) for target in node.targets]:
            names: list[str] = ast.literal_eval(node.value)
            return list(names)
    return []


def private_imports(src: Path) -> list[str]:
    """Rule 1: a block is used from outside through its `__init__` or `protocol` only."""
    faults = []
    for module in modules(src):
        for use in imports(src, module):
            inside = use.target.split(".")[2:3]
            if use.storey in BLOCKS and use.storey != module.storey and inside not in ([], ["protocol"]):
                faults.append(
                    f"{module.path}:{use.line} reaches into a block: {use.target}; import from hopline.{use.storey}"
                )
    return faults


def foreign_imports(src: Path) -> list[str]:
    """Rule 2: no block imports another, nor anything above it; the ground floor imports no block."""
    faults = []
    for module in modules(src):
        if module.storey in THIRD_PARTY:
            packages, storeys = THIRD_PARTY[module.storey], {module.storey}
        elif _is_ground(module.storey) and module.storey != "__main__":
            packages, storeys = set(), set()
        else:
            continue  # the application may import everything
        for use in imports(src, module):
            if use.target.split(".")[0] == "hopline":
                allowed = use.target == "hopline" or use.storey in storeys or _is_ground(use.storey)
                # Conformance suites are written against what a block promises.
                allowed = allowed or (module.storey == "testing" and use.storey in {*BLOCKS, "shortener"})
            else:
                allowed = use.target.split(".")[0] in packages | sys.stdlib_module_names
            if not allowed:
                faults.append(f"{module.path}:{use.line} may not import {use.target}")
    return faults


def _is_ground(storey: str) -> bool:
    return storey in GROUND_FLOOR or storey.startswith("_")


def impure_cores(src: Path, cores: tuple[str, ...] = PURE) -> list[str]:
    """Rule 3: a pure core, and all of hopline that it imports, does no I/O, takes no lock, reads no clock."""
    by_path = {module.path: module for module in modules(src)}
    by_name = {module.name: module for module in modules(src)}
    faults = [f"{path} is listed as a pure core but does not exist" for path in cores if path not in by_path]
    for path in cores:
        seen: set[str] = set()
        waiting = [by_path[path]] if path in by_path else []
        while waiting:
            module = waiting.pop()
            if module.name in seen:
                continue
            seen.add(module.name)
            faults += [f"pure core {path}: {fault}" for fault in _worldly(src, module)]
            uses = [by_name[use.target] for use in imports(src, module) if use.runs and use.target in by_name]
            # A package on the way is no dependency: its `__init__` only gathers names.
            waiting += [use for use in uses if not use.path.endswith("__init__.py")]
    return faults


def _worldly(src: Path, module: Module) -> Iterator[str]:
    for use in imports(src, module):
        if use.runs and any(use.target == banned or use.target.startswith(banned + ".") for banned in WORLD):
            yield f"{module.path}:{use.line} imports {use.target}"
    for name, call in _calls(module.tree):
        if name in WORLDLY_CALLS:
            yield f"{module.path}:{call.lineno} calls {ast.unparse(call.func)}()"


def _calls(tree: ast.AST) -> Iterator[tuple[str, ast.Call]]:
    """Every call below `tree`, with the last part of the called name."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            yield ast.unparse(node.func).rpartition(".")[2], node


def backends_built_elsewhere(src: Path) -> list[str]:
    """Rule 5: shortener/main.py is the only place that builds backends."""
    faults = []
    for module in modules(src):
        if module.storey not in ("shortener", "cli") or module.path in BUILDERS:
            continue
        for _, call in _calls(module.tree):
            built = BACKENDS & set(ast.unparse(call.func).split("."))
            if built:
                faults.append(f"{module.path}:{call.lineno} builds {built.pop()}; be given it by shortener/main.py")
    return faults


def _written(root: Path) -> Iterator[Path]:
    for top in ("src", "tests", "tools", "benchmarks"):
        for path in sorted((root / top).rglob("*")):
            parts = path.relative_to(root).parts
            if path.suffix in WRITTEN and path.is_file() and "_sync" not in parts and "data" not in parts:
                yield path


def long_files(root: Path) -> list[str]:
    """Rule 6, first half: a hand-written file stays under 400 lines."""
    faults = []
    for path in _written(root):
        count = len(path.read_text("utf-8").splitlines())
        if count > MAX_FILE_LINES:
            faults.append(f"{path.relative_to(root)} has {count} lines; which two things are in it?")
    return faults


def long_functions(root: Path) -> list[str]:
    """Rule 6, second half: a function has at most 40 lines."""
    faults = []
    for path in _written(root):
        tree = ast.parse(path.read_text("utf-8")) if path.suffix == ".py" else ast.Module([], [])
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                count = (node.end_lineno or node.lineno) - node.lineno + 1
                if count > MAX_FUNCTION_LINES:
                    faults.append(f"{path.relative_to(root)}:{node.lineno} {node.name} has {count} lines")
    return faults


def block_faces(src: Path) -> list[str]:
    """Every block's `__init__` has an example in its docstring and an `__all__` whose names exist."""
    faults = []
    for block in (*BLOCKS, "metrics", "testing"):
        if not (src / "hopline" / block).is_dir():
            continue
        face = src / "hopline" / block / "__init__.py"
        if not face.is_file():
            faults.append(f"{block}/ has no __init__.py")
            continue
        tree = ast.parse(face.read_text("utf-8"))
        if not re.search(rf"^ +(>>> )?(from|import) hopline\.{block}\b", ast.get_docstring(tree) or "", re.MULTILINE):
            faults.append(f"{block}/__init__.py: the docstring shows no example that imports hopline.{block}")
        names = exported(face)
        if not names:
            faults.append(f"{block}/__init__.py has no __all__")
        missing = [name for name in names if name not in _bound(tree)]
        faults += [f"{block}/__init__.py: __all__ names {name!r}, which is not there" for name in missing]
    return faults


def _bound(tree: ast.Module) -> set[str]:
    """The names that a module's top level binds."""
    names: set[str] = set()
    for node in tree.body:
        if isinstance(node, ast.Import | ast.ImportFrom):
            names |= {alias.asname or alias.name for alias in node.names}
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            names.add(node.name)
        elif isinstance(node, ast.Assign):
            names |= {ast.unparse(target) for target in node.targets}
        elif isinstance(node, ast.AnnAssign):
            names.add(ast.unparse(node.target))
    return names


def drawer_names(root: Path) -> list[str]:
    """A module is named for what it is about; a drawer is about nothing."""
    paths = [path for top in ("src", "tests", "tools", "benchmarks") for path in sorted((root / top).rglob("*"))]
    drawers = [path for path in paths if path.suffix in ("", ".py") and path.stem.strip("_") in DRAWERS]
    return [f"{path.relative_to(root)}: name it for what is in it" for path in drawers]


def started_in_constructors(src: Path) -> list[str]:
    """Constructors store; open() starts."""
    faults = []
    for module in modules(src):
        for node in ast.walk(module.tree):
            if isinstance(node, ast.FunctionDef) and node.name in ("__init__", "__post_init__"):
                for name, call in _calls(node):
                    if name in STARTERS:
                        faults.append(f"{module.path}:{call.lineno} starts something in {node.name}; do it in open()")
    return faults


def started_at_import(src: Path) -> list[str]:
    """Importing every module leaves the process with one thread and no children."""
    script = (
        "import importlib, sys, threading, multiprocessing\n"
        "for name in sys.argv[1:]:\n"
        "    importlib.import_module(name)\n"
        "    for other in threading.enumerate()[1:] + multiprocessing.active_children():\n"
        "        sys.exit(f'importing {name} starts {other.name}')\n"
    )
    names = [module.name for module in modules(src) if not module.path.endswith("__main__.py")]
    run = subprocess.run(
        [sys.executable, "-c", script, *names],
        env={**os.environ, "PYTHONPATH": str(src)},
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    return run.stderr.strip().splitlines()[-1:] if run.returncode else []
