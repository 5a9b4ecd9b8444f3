"""What others read of the package: metadata, citation, model card, workflows, and how a release is prepared."""

import importlib.util
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

import jaxblur

ROOT = Path(__file__).resolve().parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def _load(path: str) -> Any:
    return yaml.safe_load((ROOT / path).read_text(encoding="utf-8"))


def _script() -> Any:
    spec = importlib.util.spec_from_file_location("prepare_release", ROOT / ".github" / "prepare_release.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_citation_is_that_of_this_version():
    citation = _load("CITATION.cff")
    assert citation["version"] == jaxblur.__version__
    assert citation["authors"] == PROJECT["authors"]
    assert citation["license"] in PROJECT["license"]
    assert citation["preferred-citation"]["title"] in (ROOT / "README.md").read_text(encoding="utf-8")


def test_model_card_begins_with_what_hubs_read():
    card = (ROOT / "jaxblur" / "weights" / "README.md").read_text(encoding="utf-8")
    _, front, text = card.split("---\n", 2)
    about = yaml.safe_load(front)
    assert about["license"] == "apache-2.0" and about["library_name"] == jaxblur.__name__
    (result,) = about["model-index"][0]["results"]
    accuracy = (ROOT / "docs" / "accuracy.md").read_text(encoding="utf-8")
    mae, rank = (metric["value"] for metric in result["metrics"])
    assert f"| shipped | default (multiscale fusion) | **{mae:.3f}** |" in accuracy
    assert f"| **{1 - rank:.3f}** |" in accuracy
    assert text.lstrip().startswith("# ")


def test_every_python_of_the_metadata_is_tried():
    pythons = re.findall(r"Python :: (3\.\d+)", " ".join(PROJECT["classifiers"]))
    assert PROJECT["requires-python"] == f">={pythons[0]}"
    gate = _load(".github/workflows/ci.yml")["jobs"]["gate"]["strategy"]["matrix"]["include"]
    assert {row["python"] for row in gate} == set(pythons)
    assert _load(".github/workflows/release.yml")["jobs"]["try"]["strategy"]["matrix"]["python"] == pythons


def test_every_dependency_has_a_lowest_version():
    extras = PROJECT["optional-dependencies"].values()
    needed = [line for lines in [PROJECT["dependencies"], *extras] for line in lines]
    assert [line for line in needed if ">=" not in line and not line.startswith("jaxblur[")] == []


@pytest.mark.parametrize("path", sorted((ROOT / ".github").rglob("*.yml")), ids=lambda path: path.name)
def test_workflows_and_templates_are_yaml(path):
    assert isinstance(yaml.safe_load(path.read_text(encoding="utf-8")), dict)


def test_links_of_a_release():
    text = "![A map](docs/a.jpg) [docs](docs/a.md#b) [web](https://a.b/c) [here](#part) [mail](mailto:a)"
    assert _script().with_absolute_links(text, "https://host/me/it", "v1") == (
        "![A map](https://host/me/it/raw/v1/docs/a.jpg) [docs](https://host/me/it/blob/v1/docs/a.md#b) "
        "[web](https://a.b/c) [here](#part) [mail](mailto:a)"
    )


def test_no_link_of_the_readme_is_left_relative():
    text = _script().with_absolute_links(
        (ROOT / "README.md").read_text(encoding="utf-8"), "https://host/it", "v1"
    )
    assert re.findall(r"\]\((?!https://)[^)]*\)", text) == []


def test_urls_of_a_release():
    text = _script().with_urls((ROOT / "pyproject.toml").read_text(encoding="utf-8"), "https://host/me/it")
    urls = tomllib.loads(text)["project"]["urls"]
    assert urls["Source"] == "https://host/me/it" and urls.keys() > PROJECT["urls"].keys()


def test_tag_of_a_release():
    source = (ROOT / "jaxblur" / "__init__.py").read_text(encoding="utf-8")
    _script().check_tag(source, f"v{jaxblur.__version__}")
    with pytest.raises(ValueError, match="the tag v0 is not that of the version"):
        _script().check_tag(source, "v0")
