"""The documents stay true: what they name exists, their equations are those of the code, their figure is current."""

import dataclasses
import inspect
import pkgutil
import re
from pathlib import Path

import pytest

from docs import draw_architecture
from jaxblur.multiscale import fuse
from jaxblur.multiscale.parameters import MultiscaleParameters

ROOT = Path(__file__).resolve().parents[1]
PAGES = ("README.md", "CONTRIBUTING.md", "docs/architecture.md")
TOP = ("jaxblur", "train", "eval", "tests", "docs", "benchmarks", "examples", ".ci")


def _text(page: str) -> str:
    return (ROOT / page).read_text(encoding="utf-8")


def _section(title: str) -> str:
    """Of docs/architecture.md, with the sections below it."""
    (level,) = re.findall(rf"^(#+) {title}$", _text("docs/architecture.md"), re.MULTILINE)
    _, _, after = _text("docs/architecture.md").partition(f"\n{level} {title}\n")
    return re.split(rf"^#{{1,{len(level)}}} ", after, maxsplit=1, flags=re.MULTILINE)[0]


def _paths(page: str) -> set[Path]:
    """Files and folders of the repository that a page names or links, and modules that it runs."""
    text = _text(page)
    words = re.findall(rf"(?<![\w/.=-])(?:{'|'.join(map(re.escape, TOP))})/[\w./-]*", text)
    links = [link for link in re.findall(r"\]\(([^)#]+)[^)]*\)", text) if "://" not in link]
    modules = re.findall(rf"python -m ((?:{'|'.join(TOP[:-1])})(?:\.\w+)*)", text)
    paths = {ROOT / word.rstrip(".") for word in words} | {(ROOT / page).parent / link for link in links}
    for module in modules:
        path = ROOT / module.replace(".", "/")
        paths.add(path if path.is_dir() else path.with_suffix(".py"))
    return paths


@pytest.mark.parametrize("page", PAGES)
def test_what_is_named_exists(page):
    paths = _paths(page)
    assert paths
    assert sorted(str(path) for path in paths if not path.exists()) == []


def test_files_named_without_their_folder_exist():
    """Such as "canny_strips.py" in a row on another file, and those in the figure."""
    names = re.findall(
        r"(?<![\w/.])(?:\w+/)*\w+\.py\b", _text("docs/architecture.md") + draw_architecture.draw()
    )
    known = {path.relative_to(ROOT).as_posix() for top in TOP for path in (ROOT / top).rglob("*.py")}
    assert len(names) > 50
    assert {name for name in names if not any(f"/{path}".endswith(f"/{name}") for path in known)} == set()


def _exists(name: str) -> bool:
    """Whether a dotted name is that of a member of a module, or of a field of a class there."""
    parent, _, last = name.rpartition(".")
    try:
        owner = pkgutil.resolve_name(parent)
    except (ImportError, AttributeError):
        return False
    return hasattr(owner, last) or last in getattr(owner, "__annotations__", ())


def _symbol_rows() -> list[tuple[str, str]]:
    """Symbols and code names of the table."""
    rows = [
        line.strip("|").split(" | ") for line in _section("Symbols").splitlines() if line.startswith("| $")
    ]
    assert all(len(row) == 4 for row in rows)
    return [(row[0].strip(), row[3]) for row in rows]


def _code_names() -> list[str]:
    return [name for _, code in _symbol_rows() for name in re.findall(r"`([\w.]+)`", code)]


def test_symbols_are_in_the_code():
    assert all("`jaxblur." in code for _, code in _symbol_rows())
    assert [name for name in _code_names() if not _exists(name)] == []


def test_every_symbol_has_one_row():
    symbols = [symbol for row, _ in _symbol_rows() for symbol in row.split(", ")]
    assert len(symbols) == len(set(symbols)) > 40


def test_every_parameter_of_the_fusion_has_a_symbol():
    prefix = f"{MultiscaleParameters.__module__}.{MultiscaleParameters.__name__}."
    fields = {prefix + field.name for field in dataclasses.fields(MultiscaleParameters)}
    assert fields <= set(_code_names())


def _plain(equation: str) -> str:
    """LaTeX, or what stands in a docstring, as one line of text without spaces."""
    equation = re.sub(
        r"sum over \w+(?: (\w))? of", lambda found: "sum" + (f"_{found[1]}" if found[1] else ""), equation
    )
    equation = re.sub(r"10\^\{(-\d)\}", r"1e\1", equation)
    equation = re.sub(r"\\mathrm\{(\w+)\}", r"\1", equation)
    equation = re.sub(r"\\sqrt\{([^{}]*)\}", r"sqrt(\1)", equation)
    equation = re.sub(r"\^\{([^{}]*)\}", r"^(\1)", equation)
    return re.sub(r"[\\{}\s]", "", equation)


def test_equations_of_the_fusion_are_those_of_its_docstrings():
    functions = [value for _, value in inspect.getmembers(fuse, inspect.isfunction)]
    code = _plain("\n".join(value.__doc__ or "" for value in functions if value.__module__ == fuse.__name__))
    equations = re.findall(r"```math\n(.*?)\n```", _section("Multiscale fusion"), re.DOTALL)
    assert len(equations) >= 10
    assert [equation for equation in equations if _plain(equation) not in code] == []


def test_figure_is_what_its_script_draws():
    assert draw_architecture.TARGET.read_text(encoding="utf-8") == draw_architecture.draw()


def test_figure_shows_every_room():
    """That all rooms are among `FLOORS`, `test_imports` checks."""
    figure = draw_architecture.draw()
    rooms = [room for floor in draw_architecture.FLOORS for room in floor]
    assert [room for room in rooms if f">{room}</text>" not in figure] == []
    assert set(draw_architecture.COLOURS) <= set(rooms)


def test_page_has_the_floors_and_rooms_of_the_figure():
    section = _section("Rooms and the import rule")
    (floors,) = re.findall(r"```text\n(.*?)```", section, re.DOTALL)
    assert tuple(tuple(line.split()) for line in floors.splitlines()) == draw_architecture.FLOORS
    described = re.findall(r"`jaxblur/(\w+)(?:/|\.py)`", section.partition("```text")[0])
    assert sorted(described) == sorted(room for floor in draw_architecture.FLOORS for room in floor)
