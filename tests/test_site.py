"""The site: every public name has its place, links lead somewhere, equations and comments are shown."""

import re
from pathlib import Path
from types import SimpleNamespace

import griffe
import pytest

import jaxblur
from docs import site_comments, site_hooks
from jaxblur import synthesis

ROOT = Path(__file__).resolve().parents[1]


def _page(markdown: str, own: str = "guides/page.md", repo_url: str | None = None, **meta: str) -> str:
    page = SimpleNamespace(file=SimpleNamespace(src_uri=own), meta=meta)
    return site_hooks.on_page_markdown(markdown, page=page, config=SimpleNamespace(repo_url=repo_url))


def test_every_public_name_is_in_the_reference_once():
    text = "\n".join(path.read_text(encoding="utf-8") for path in (ROOT / "docs" / "api").glob("*.md"))
    shown = re.findall(r"^::: (\S+)$", text, re.MULTILINE)
    wanted = [f"jaxblur.{name}" for name in jaxblur.__all__ if name != "synthesis"]
    assert sorted(shown) == sorted([*wanted, *(f"jaxblur.synthesis.{name}" for name in synthesis.__all__)])


@pytest.mark.parametrize(
    "link, shown",
    [
        ("[a](../accuracy.md#b)", "[a](../accuracy.md#b)"),
        ("[a](#b) [c](https://example.org)", "[a](#b) [c](https://example.org)"),
        ("![a](../images/vase_preview.jpg)", "![a](../images/vase_preview.jpg)"),
        ("[card](../../jaxblur/weights/README.md)", "[card](../model_card.md)"),
        ("[`code`](../../jaxblur/config.py)", "`code`"),
        ("```\n[a](nowhere.md)\n```", "```\n[a](nowhere.md)\n```"),
    ],
)
def test_links_are_those_of_the_site(link, shown):
    assert _page(link) == shown


def test_files_of_the_repository_are_linked_where_it_has_an_address():
    shown = _page("[code](../../jaxblur/config.py)", repo_url="https://example.org/jaxblur")
    assert shown == "[code](https://example.org/jaxblur/blob/main/jaxblur/config.py)"


def test_a_link_to_nothing_is_an_error():
    with pytest.raises(FileNotFoundError, match=r"docs/guides/page.md: links to ../../nowhere.py"):
        _page("[a](../../nowhere.py)")


def test_a_page_may_be_a_file_of_the_repository():
    assert _page("", own="changelog.md", include="CHANGELOG.md").startswith("# Changelog")


def test_all_equations_become_mathml():
    text = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    blocks = re.findall(r"```math\n(.*?)\n```", text, re.DOTALL)
    inline = re.findall(r"\$([^$\n]+)\$", text)
    assert len(blocks) > 15 and len(inline) > 50
    page = "".join(f'<div class="arithmatex">\\[{one}\\]</div>' for one in blocks)
    page += "".join(f'<span class="arithmatex">\\({one}\\)</span>' for one in inline)
    shown = site_hooks.on_page_content(page)
    assert shown.count('display="block"') == len(blocks) and shown.count("<math") == len(blocks + inline)
    assert re.findall(r"\\\w+", shown) == []  # no command that the converter does not know


def test_comments_of_settings_are_shown():
    extensions = griffe.load_extensions(site_comments.FieldComments())
    module = griffe.load("jaxblur", search_paths=[ROOT], extensions=extensions)
    classes = ("config.EdgeConfig", "config.PropagationConfig", "network.pointwise.PointProbabilities")
    fields = [field for name in classes for field in module[name].attributes.values()]
    assert len(fields) > 10
    documented = {field.name: field.docstring.value for field in fields if field.docstring}
    assert documented["sigma"] == "of the smoothing Gaussian, px"
    assert documented["blur"] == "Classification Network I"
