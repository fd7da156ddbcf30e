"""Docstrings as the package writes them, for mkdocstrings: Sphinx's roles become code or links."""

import re
from typing import Any

import griffe

ROLE = re.compile(r":(?:class|func|meth|mod|attr|data|obj):`(~?)([\w.]+)`")


class Roles(griffe.Extension):
    """Replaces ``:class:`~package.module.Name``` by ``Name``, as code."""

    def on_instance(self, *, obj: griffe.Object, **_: Any) -> None:
        """
        :param obj: anything that has a docstring
        """
        if obj.docstring is not None:
            obj.docstring.value = ROLE.sub(_plain, obj.docstring.value)


def _plain(match: re.Match[str]) -> str:
    shortened, name = match.groups()
    return f"`{name.rpartition('.')[2] if shortened else name.lstrip('.')}`"
