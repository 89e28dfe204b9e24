"""Scripts of a page, with all that they import told to the browser at once.

Without that it would learn of an import only when it has read the script before: a round trip each.
"""

import re
from functools import cache
from pathlib import Path
from posixpath import dirname, join, normpath

from django import template
from django.contrib.staticfiles import finders
from django.templatetags.static import static
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

register = template.Library()

_IMPORT = re.compile(r'^import\s(?:[^;"]*\sfrom\s)?"(\./[^"]+)";', re.MULTILINE)


@cache
def imported(name: str) -> tuple[str, ...]:
    """What a module imports, and these in turn, each once. Raises LookupError for one not there."""
    found: dict[str, None] = {}
    waiting = [name]
    while waiting:
        module = waiting.pop()
        place = finders.find(module)
        if place is None:
            raise LookupError(f"{module}, which {name} needs, is not among the static files")
        for other in _IMPORT.findall(Path(place).read_text(encoding="utf-8")):
            path = normpath(join(dirname(module), other))
            if path != name and path not in found:
                found[path] = None
                waiting.append(path)
    return tuple(found)


@register.simple_tag
def module(name: str) -> SafeString:
    """The element of a module, after the hints for what it imports."""
    hints = format_html_join(
        "", '<link rel="modulepreload" href="{}">', ((static(each),) for each in imported(name))
    )
    return format_html('{}<script type="module" src="{}"></script>', hints, static(name))
