"""What stands in the report as text: Markdown of our own making as HTML."""

from __future__ import annotations

import re

import markdown
from markupsafe import Markup

from ..errors import InputError

# Parts of config/README.md that stand in the page, as its methods.
METHODS = ("Confidences", "Robust effects", "Tables")


def as_html(text: str) -> Markup:
    """Markdown of our own making as HTML.

    Markup, links and images in it, which may come from a title, stay text. Headings go one rank
    down: the page has a heading above them.
    """
    reader = markdown.Markdown(extensions=["tables", "fenced_code"], tab_length=2)
    reader.preprocessors.deregister("html_block")
    for name in _NO_TEXT:
        reader.inlinePatterns.deregister(name)
    found = reader.convert(re.sub(r"(?m)^#", "##", text))
    # What is wide scrolls, by keyboard too.
    frame = '<div class="wide" tabindex="0" role="group" aria-label="Table"><table>'
    found = found.replace("<table>", frame).replace("</table>", "</table></div>")
    found = found.replace("<pre>", '<pre tabindex="0">')
    return Markup(found)  # noqa: S704


# Of the library's inline patterns, those that make something else of a text than its looks.
_NO_TEXT = (
    *("html", "entity", "autolink", "automail", "link", "reference", "short_reference"),
    *("image_link", "image_reference", "short_image_ref"),
)


def summary(text: str) -> Markup:
    """`results/summary.md` as HTML, without its title; links to cases of this page are links."""
    found = as_html(text.partition("\n")[2])
    return Markup(_CASES.sub(r'<a href="\2">\1</a>', str(found)))  # noqa: S704


# A link of the summary to a place of its page, in HTML; of an address no more than this.
_CASES = re.compile(r"\[([\w ]+)\]\(report\.html(#[a-z]+(?:\?[\w=&amp;%.+-]*)?)\)")


def methods(readme: str) -> Markup:
    """The definitions of config/README.md, without links, which lead out of the page.

    Raises:
        InputError: it has lost one of the sections.
    """
    text = "\n".join(_section(readme, title) for title in METHODS)
    return as_html(re.sub(r"\[([^\]]+)\]\([^)\s]+\)", r"\1", text))


def _section(text: str, title: str) -> str:
    start = re.search(rf"(?m)^(#+) {re.escape(title)}$", text)
    if start is None:
        raise InputError(
            f"config/README.md has no section {title!r}, which the report shows; put it back"
        )
    end = re.compile(rf"(?m)^#{{2,{len(start[1])}}} ").search(text, start.end())
    return f"## {title}\n{text[start.end() : end.start() if end else None]}"
