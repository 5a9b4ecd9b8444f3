"""Every public function and class shows a short example, which runs and prints what it says."""

import doctest
import inspect

import pytest

import jaxblur
from jaxblur import synthesis
from tests.tiny_weights import use_tiny_weights

MAX_LINES = 6
DOCUMENTED = {
    name: value
    for module in (jaxblur, synthesis)
    for name in module.__all__
    if inspect.isroutine(inspect.unwrap(value := getattr(module, name))) or inspect.isclass(value)
}


@pytest.fixture
def _tiny(monkeypatch, tmp_path):
    use_tiny_weights(monkeypatch)
    monkeypatch.chdir(tmp_path)


def test_nothing_that_can_have_an_example_is_left_out():
    """Only constants have none: presets, labels, the type of a border; and the module."""
    left = (set(jaxblur.__all__) | set(synthesis.__all__)) - set(DOCUMENTED)
    assert left == {*(n for n in left if n.isupper()), "Border", "synthesis"}


@pytest.mark.parametrize("name", DOCUMENTED)
@pytest.mark.usefixtures("_tiny")
def test_example(name):
    docstring = inspect.getdoc(DOCUMENTED[name]) or ""
    _, _, example = docstring.partition("\nExamples:\n")
    lines = example.partition("\n\n")[0].splitlines()
    assert 0 < len(lines) <= MAX_LINES
    test = doctest.DocTestParser().get_doctest(inspect.cleandoc(example), {}, name, None, 0)
    output = []
    failures, tried = doctest.DocTestRunner(optionflags=doctest.NORMALIZE_WHITESPACE).run(
        test, out=output.append
    )
    assert tried > 0 and failures == 0, "".join(output)
