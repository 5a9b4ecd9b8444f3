"""Comments behind the fields of settings, as the documentation of these fields: `sigma: float = 1.4  # px`."""

import io
import re
import tokenize
from typing import Any

import griffe


class FieldComments(griffe.Extension):
    """Gives every field of a class that has no docstring the comment at the end of its line, or in its lines."""

    def on_class_members(self, *, cls: griffe.Class, **_: Any) -> None:
        """Called by griffe for each class whose members are known."""
        for field in cls.attributes.values():
            if field.docstring is None and not field.is_alias and (comment := _comment(field)):
                field.docstring = griffe.Docstring(comment, lineno=field.lineno, parent=field)


def _comment(field: griffe.Attribute) -> str:
    lines = "\n".join(field.lines_collection[field.filepath][field.lineno - 1 : field.endlineno]) + "\n"
    tokens = tokenize.generate_tokens(io.StringIO(lines.lstrip()).readline)
    words = " ".join(token.string.lstrip("# ") for token in tokens if token.type == tokenize.COMMENT)
    return "" if re.match(r"(pyright|noqa|type):", words) else words
