"""Who may import whom, and what stays small: read from the sources, except for what a bare import loads."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("jaxblur", "train", "eval")
MODULES = sorted(path for package in PACKAGES for path in (ROOT / package).rglob("*.py"))
SOURCES = [*MODULES, *sorted((ROOT / "tests").rglob("*.py")), *sorted((ROOT / "benchmarks").rglob("*.py"))]

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
    return str(path.relative_to(ROOT))


def _imported(source: str) -> set[str]:
    """Top-level packages that a source imports anywhere: also inside functions, and by `import_module("...")`."""
    found = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module is not None:
            found.add(node.module)
        elif isinstance(node, ast.Call) and ast.unparse(node.func).endswith(("import_module", "__import__")):
            found.update(arg.value for arg in node.args if isinstance(arg, ast.Constant))
    return {name.split(".")[0] for name in found}


def test_every_form_of_import_is_seen():
    source = (
        "import a.b as x\nfrom c.d import e\nfrom . import f\ndef g():\n  import h\n  import_module('i.j')\n"
    )
    assert _imported(source) == {"a", "c", "h", "i"}
    assert {path.relative_to(ROOT).parts[0] for path in MODULES} == set(PACKAGES)


def test_import_direction():
    wrong = {
        _name(path): bad
        for path in MODULES
        if (bad := _imported(path.read_text(encoding="utf-8")) & FORBIDDEN[path.relative_to(ROOT).parts[0]])
    }
    assert wrong == {}


def test_modules_are_short():
    lines = {_name(path): len(path.read_text(encoding="utf-8").splitlines()) for path in SOURCES}
    assert {name: count for name, count in lines.items() if count > MAX_LINES} == {}


@pytest.mark.parametrize("package", PACKAGES)
def test_no_module_is_named_like_one_of_the_standard_library(package):
    names = {path.stem for path in MODULES if path.relative_to(ROOT).parts[0] == package}
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
