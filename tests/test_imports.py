"""Who may import whom, and what stays small: read from the sources, except for what a bare import loads."""

import ast
import functools
import graphlib
import subprocess
import sys
from pathlib import Path

import pytest

import jaxblur
from docs.draw_architecture import FLOORS

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("jaxblur", "train", "eval")
MODULES = sorted(path for package in PACKAGES for path in (ROOT / package).rglob("*.py"))
SOURCES = [
    *MODULES,
    *sorted((ROOT / "tests").rglob("*.py")),
    *sorted((ROOT / "benchmarks").rglob("*.py")),
    *sorted((ROOT / "docs").glob("*.py")),
]

MAX_LINES = 320
FORBIDDEN = {
    "jaxblur": {
        "train",
        "eval",
        "optax",
        "orbax",
        "tensorflow_datasets",
        "grain",
        "matplotlib",
        "tensorboardX",
        "tensorflow",
    },
    "train": {"eval", "tensorflow"},
    "eval": {"train", "tensorflow"},
}


def _name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def _package(path: Path) -> str:
    return path.relative_to(ROOT).parts[0]


@functools.cache
def _imported(path: Path, source: str | None = None) -> set[str]:
    """What a source imports, "a.b.c" for `from a.b import c`: also inside functions, and by `import_module("...")`."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8") if source is None else source)):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            package = [] if node.level == 0 else list(path.relative_to(ROOT).parts[: -node.level])
            module = ".".join(package + ([node.module] if node.module else []))
            found.update(f"{module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Call) and ast.unparse(node.func).endswith(("import_module", "__import__")):
            found.update(arg.value for arg in node.args if isinstance(arg, ast.Constant))
    return found


def test_every_form_of_import_is_seen():
    source = (
        "import a.b as x\nfrom c.d import e\nfrom . import f\nfrom ..m import n\n"
        "def g():\n  import h\n  import_module('i.j')\n"
    )
    names = _imported(ROOT / "jaxblur" / "edges" / "canny.py", source)
    assert names == {"a.b", "c.d.e", "jaxblur.edges.f", "jaxblur.m.n", "h", "i.j"}
    assert {_package(path) for path in MODULES} == set(PACKAGES)


def test_import_direction():
    wrong = {
        _name(path): bad
        for path in MODULES
        if (bad := {name.split(".")[0] for name in _imported(path)} & FORBIDDEN[_package(path)])
    }
    assert wrong == {}


# `__init__` has the public names, which only the command may use: a room that did would know all others.
_TOP_DOWN = (("__main__",), FLOORS[0], ("__init__",), *FLOORS[1:])
FLOOR = {room: -depth for depth, rooms in enumerate(_TOP_DOWN) for room in rooms}
ROOM = {
    path: path.relative_to(ROOT / "jaxblur").parts[0].removesuffix(".py")
    for path in MODULES
    if _package(path) == "jaxblur"
}


def test_every_room_has_a_floor():
    """So no other module lies in the root of the package either."""
    assert set(ROOM.values()) == set(FLOOR)


def test_no_room_hides_a_public_name():
    """Once imported, `jaxblur/estimate.py` would take the place of the function: it is `estimator.py`."""
    assert set(FLOOR) & set(jaxblur.__all__) == {"synthesis"}


def test_rooms_import_from_floors_below():
    wrong = []
    for path, own in ROOM.items():
        for name in _imported(path):
            package, *inner = name.split(".")
            # What has no floor of its own is a public name.
            room = inner[0] if inner and inner[0] in FLOOR else "__init__"
            if package == "jaxblur" and room != own and FLOOR[room] >= FLOOR[own]:
                wrong.append((_name(path), name))
    assert wrong == []


def test_no_module_imports_itself_by_way_of_others():
    """So the modules of a room have an order in which they can be read, too."""
    modules = {
        _name(path).removesuffix(".py").removesuffix("/__init__").replace("/", "."): path for path in MODULES
    }
    graph = {module: set() for module in modules}
    for module, path in modules.items():
        for name in _imported(path):
            # The name itself is a module, or belongs to one.
            graph[module].update([known for known in (name, name.rpartition(".")[0]) if known in modules][:1])
    assert set(graphlib.TopologicalSorter(graph).static_order()) == set(modules)


def test_modules_are_short():
    lines = {_name(path): len(path.read_text(encoding="utf-8").splitlines()) for path in SOURCES}
    assert {name: count for name, count in lines.items() if count > MAX_LINES} == {}


@pytest.mark.parametrize("package", PACKAGES)
def test_no_module_is_named_like_one_of_the_standard_library(package):
    names = {path.stem for path in MODULES if _package(path) == package}
    assert not names & sys.stdlib_module_names


def _run(code: str, *arguments: str) -> str:
    """The last line that a fresh interpreter prints, and what went wrong."""
    command = [sys.executable, "-c", code, *arguments]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    return (done.stdout.splitlines() or [""])[-1] + done.stderr


@pytest.mark.parametrize("arguments", [(), ("--help",), ("estimate", "--help")], ids=" ".join)
def test_import_and_help_do_not_load_jax(arguments):
    code = "import runpy, sys\ntry:\n  runpy.run_module('jaxblur', run_name='__main__')\nexcept SystemExit: pass\n"
    code = code if arguments else "import jaxblur, sys\n"
    heavy = "print(sorted({'jax', 'jaxlib', 'flax', 'scipy'} & set(sys.modules)))"
    assert _run(code + heavy, *arguments) == "[]"


def test_using_every_public_name_loads_nothing_of_the_extras():
    extras = FORBIDDEN["jaxblur"] | {"tensorstore", "array_record"}
    code = "import sys, jaxblur\n[getattr(jaxblur, name) for name in jaxblur.__all__]\n"
    assert _run(f"{code}print(sorted({extras} & set(sys.modules)))") == "[]"
