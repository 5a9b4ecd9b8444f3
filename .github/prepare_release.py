"""Prepare a checkout for building a release: links that work on a package index, and URLs of the repository.

    python .github/prepare_release.py https://github.com/OWNER/jaxblur v0.1.0

A package index shows README.md without the files beside it. So links to them become links to the repository at that
tag, and pictures come from there. The tag must be that of the version.
"""

import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
_LINK = re.compile(r"(!?)\[([^][]*)\]\((?![\w+]+:|#)([^)\s]+)\)")


def with_absolute_links(text: str, repository: str, tag: str) -> str:
    """Markdown whose links to files of the repository lead to its web page, and pictures to the files themselves."""

    def link(found: re.Match[str]) -> str:
        mark, name, target = found.groups()
        return f"{mark}[{name}]({repository}/{'raw' if mark else 'blob'}/{tag}/{target})"

    return _LINK.sub(link, text)


def with_urls(text: str, repository: str) -> str:
    """pyproject.toml with the URLs of the repository.

    Raises:
      ValueError: it has no table of URLs.
    """
    head = "[project.urls]\n"
    if head not in text:
        raise ValueError("pyproject.toml has no [project.urls]")
    urls = {"Source": "", "Changelog": "/blob/main/CHANGELOG.md", "Issues": "/issues"}
    lines = "".join(f'{name} = "{repository}{path}"\n' for name, path in urls.items())
    return text.replace(head, head + lines)


def check_tag(source: str, tag: str) -> None:
    """Raise ValueError unless the tag is that of the version in the text of `__init__.py`."""
    found = re.search(r'^__version__ = "(.+)"$', source, re.MULTILINE)
    if found is None or tag != f"v{found[1]}":
        raise ValueError(f"the tag {tag} is not that of the version {found and found[1]}")


def main(repository: str, tag: str) -> None:
    """Change README.md and pyproject.toml of this checkout."""
    check_tag((ROOT / "jaxblur" / "__init__.py").read_text(encoding="utf-8"), tag)
    readme, project = ROOT / "README.md", ROOT / "pyproject.toml"
    readme.write_text(
        with_absolute_links(readme.read_text(encoding="utf-8"), repository, tag), encoding="utf-8"
    )
    project.write_text(with_urls(project.read_text(encoding="utf-8"), repository), encoding="utf-8")


if __name__ == "__main__":
    main(*sys.argv[1:])
