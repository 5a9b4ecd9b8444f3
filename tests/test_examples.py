"""Every public function and class shows a short example, which runs and prints what it says."""

import doctest
import inspect
import re

import pytest

import jaxblur
from jaxblur import synthesis
from tests.tiny_weights import use_tiny_weights

MAX_LINES = 6  # of code
DOCUMENTED = {
    name: value
    for module in (jaxblur, synthesis)
    for name in module.__all__
    if inspect.isroutine(inspect.unwrap(value := getattr(module, name))) or inspect.isclass(value)
}


class _Checker(doctest.OutputChecker):
    """Rounds what is printed, 0.22999999, to three decimals: devices and compilers differ in the last digit."""

    def check_output(self, want: str, got: str, optionflags: int) -> bool:
        got = re.sub(r"\d+\.\d{4,}", lambda number: f"{float(number[0]):.3f}".rstrip("0"), got)
        want, got = (re.sub(r" +\]", "]", text) for text in (want, got))
        return super().check_output(want, got, optionflags | doctest.NORMALIZE_WHITESPACE)


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
    test = doctest.DocTestParser().get_doctest(inspect.cleandoc(example), {}, name, None, 0)
    assert 0 < sum(step.source.count("\n") for step in test.examples) <= MAX_LINES
    output = []
    failures, tried = doctest.DocTestRunner(_Checker()).run(test, out=output.append)
    assert tried > 0 and failures == 0, "".join(output)
