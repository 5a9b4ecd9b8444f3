"""What MkDocs does not do by itself: pages made of files outside docs/, links out of docs/, equations without scripts.

A page whose front matter says `include: FILE`, a path from the root of the repository, has the text of that file.
"""

import html
import posixpath
import re
from pathlib import Path
from typing import Any

from latex2mathml.converter import convert

ROOT = Path(__file__).resolve().parents[1]

INCLUDED = {
    "README.md": "index.md",
    "CHANGELOG.md": "changelog.md",
    "jaxblur/weights/README.md": "model_card.md",
}
"""Files of the repository that the site has as pages."""

_LINK = re.compile(r"(!?)\[((?:[^][]|\[[^][]*\])*)\]\(([^)\s]+)\)")
_FENCE = re.compile(r"^(```.*?^```[ ]*$|~~~.*?^~~~[ ]*$)", re.MULTILINE | re.DOTALL)
_MATH = re.compile(r'<(span|div) class="arithmatex">(.*?)</\1>', re.DOTALL)


def on_page_markdown(markdown: str, *, page: Any, config: Any, **_: Any) -> str:
    """The page's text with links that work on the site."""
    own = page.file.src_uri
    source = f"docs/{own}"
    if included := page.meta.get("include"):
        source, markdown = included, (ROOT / included).read_text(encoding="utf-8")
        markdown = re.sub(r"\A---\n.*?^---\n", "", markdown, flags=re.MULTILINE | re.DOTALL)  # for model hubs
    parts = _FENCE.split(markdown)
    parts[::2] = [
        _LINK.sub(lambda found: _link(found, source, own, config.repo_url), part) for part in parts[::2]
    ]
    return "".join(parts)


def on_page_content(html: str, **_: Any) -> str:
    """The page with its LaTeX as MathML, which browsers draw by themselves."""
    return _MATH.sub(lambda found: to_mathml(found[2], block=found[1] == "div"), html)


def to_mathml(latex: str, *, block: bool) -> str:
    r"""MathML of what arithmatex leaves, `\(x\)` or `\[x\]`."""
    latex = html.unescape(latex).strip().removeprefix("\\(").removeprefix("\\[")
    latex = latex.removesuffix("\\)").removesuffix("\\]")
    # Letter by letter otherwise, with gaps.
    latex = re.sub(r"\\mathrm\{(\w+)\}", r"\\text{\1}", latex)
    return convert(latex.strip(), display="block" if block else "inline")


def _link(found: re.Match[str], source: str, own: str, repo_url: str | None) -> str:
    """A link of the file `source` for the page `own`; text alone where the site has nothing to show."""
    mark, text, target = found.groups()
    if re.match(r"\w+:|#|/", target):
        return found[0]
    path, hash_, anchor = target.partition("#")
    path = posixpath.normpath(posixpath.join(posixpath.dirname(source), path))
    page = INCLUDED.get(path) or (path.removeprefix("docs/") if path.startswith("docs/") else None)
    if page is not None:
        relative = posixpath.relpath(page, posixpath.dirname(own) or ".")
        return f"{mark}[{text}]({relative}{hash_}{anchor})"
    if not (ROOT / path).exists():
        raise FileNotFoundError(f"{source}: links to {target}, which does not exist")
    return f"[{text}]({repo_url}/blob/main/{path})" if repo_url else text
