"""The report as one HTML page that needs nothing but itself, and as one Markdown file."""

from __future__ import annotations

import html
from collections.abc import Sequence

from skd_lightning.display.passages import Passages
from skd_lightning.display.style import FAINT, INK, Look, Plot
from skd_lightning.display.table import Table
from skd_lightning.report.findings import Section

CSS = """
:root { --font: system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif;
  --ground: #ffffff; --ink: #1b1f24; --soft: #59616b; --line: #d4d7db; --shade: #f4f5f7;
  --edge: #1b1f2440; --right: #0072b2; --wrong: #c25400; color-scheme: light dark; }
@media (prefers-color-scheme: dark) { :root { --ground: #14171b; --ink: #e6e8eb; --soft: #a3abb5; --line: #3a4048;
  --shade: #1e2227; --edge: #e6e8eb50; --right: #5ab4f0; --wrong: #ff8f45; DARK } }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 78rem; padding: 1.5rem 1.25rem 4rem; background: var(--ground); color: var(--ink);
  font: 16px/1.5 var(--font); }
h1 { font-size: 1.6rem; line-height: 1.25; margin: 0 0 .5rem; } h2 { font-size: 1.25rem; margin: 2.75rem 0 .75rem; }
h3 { font-size: 1rem; margin: 1.5rem 0 .4rem; } p { margin: .5rem 0; max-width: 46rem; }
.note, figcaption { color: var(--soft); font-size: .85rem; } a { color: inherit; }
nav { display: flex; flex-wrap: wrap; gap: .25rem 1.1rem; margin: 1rem 0 0; padding: .5rem 0; font-size: .9rem;
  border-block: 1px solid var(--line); }
.key { font-size: 1.05rem; } .key li { margin: .3rem 0; } ul { padding-left: 1.2rem; }
/* A shade at an edge says that the table goes on there; at its end the ground, which scrolls along, covers it. */
.scroll { overflow-x: auto; margin: .5rem 0; background: linear-gradient(to right, var(--ground) 40%, transparent)
  left / 2.5rem 100% no-repeat local, linear-gradient(to left, var(--ground) 40%, transparent) right / 2.5rem 100%
  no-repeat local, linear-gradient(to right, var(--edge), transparent) left / .9rem 100% no-repeat scroll,
  linear-gradient(to left, var(--edge), transparent) right / .9rem 100% no-repeat scroll; }
@media screen and (max-width: 40rem) { .wide::before { content: "scroll sideways →"; display: block; position: sticky;
  left: 0; width: max-content; color: var(--soft); font-size: .8rem; } }
small { color: var(--soft); font-size: .78em; }
table {
  border-collapse: collapse; font-size: .875rem; font-variant-numeric: tabular-nums; white-space: nowrap; }
th, td { padding: .3rem .5rem; text-align: right; border-bottom: 1px solid var(--line); }
th { font-weight: 600; } tbody th { font-weight: 400; text-align: left; position: sticky; left: 0;
  background: var(--ground); } thead th { border-bottom: 2px solid var(--soft); vertical-align: bottom; }
thead th:first-child { position: sticky; left: 0; background: var(--ground); }
tbody tr:hover > * { background: var(--shade); }
.plots { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 30rem), 1fr)); gap: 1.5rem 2rem;
  align-items: start; } figure { margin: 0; max-width: 35rem; } svg { display: block; width: 100%; height: auto; }
.passage { margin: .75rem 0 1.25rem; width: 100%; } .passage caption { text-align: left; color: var(--soft); }
.passage th { width: 8rem; } .passage td { white-space: normal; text-align: start; line-height: 1.9; }
mark { background: var(--shade); color: inherit; padding: .1em .25em; border-bottom: 2px solid var(--right); }
mark.wrong { border-bottom: 2px dashed var(--wrong); }
@media print { :root { --ground: #fff; --ink: #000; --soft: #444; --line: #bbb; color-scheme: light; }
  body { max-width: none; padding: 0; font-size: 10pt; } nav { display: none; } .scroll { overflow: visible;
  background: none; }
  figure, tr, h2, h3 { break-inside: avoid; } h2, h3 { break-after: avoid; } .plots { grid-template-columns: 1fr 1fr; }
  svg { max-height: 21cm; } table { font-size: 7pt; } thead th { white-space: normal; }
  th, td { padding: .15rem .25rem; } }
"""


def page(title: str, key: Sequence[str], sections: Sequence[Section], looks: Sequence[Look]) -> str:
    """Return the whole page.

    Args:
        title: heading.
        key: the summary at the top, sentences.
        sections: in order.
        looks: of all systems in the plots.
    """
    dark = {INK: "var(--ink)", FAINT: "var(--line)", **{look.colour: look.dark for look in looks}}
    names = " ".join(f"--c{colour[1:]}: {other};" for colour, other in dark.items())
    style = CSS.strip().replace("DARK", names)
    links = "".join(f'<a href="#{s.name}">{html.escape(s.title)}</a>' for s in sections)
    points = "".join(f"<li>{html.escape(text)}</li>" for text in key)
    body = "".join(_section(section) for section in sections)
    return (
        f'<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta name="viewport" content="width=device-width, initial-scale=1">\n<title>{html.escape(title)}</title>\n'
        f"<style>\n{style}\n</style>\n</head>\n<body>\n<header><h1>{html.escape(title)}</h1>\n"
        f'<ul class="key">{points}</ul>\n<nav>{links}</nav></header>\n<main>\n{body}</main>\n</body>\n</html>\n'
    )


def _section(section: Section) -> str:
    parts = [f'<section id="{section.name}">\n<h2>{html.escape(section.title)}</h2>\n']
    plots: list[str] = []
    for item in section.content:
        if isinstance(item, Plot):
            caption = f"<b>{html.escape(item.title)}.</b> {html.escape(item.caption)}"
            plots.append(f"<figure>\n{item.svg}\n<figcaption>{caption}</figcaption></figure>\n")
            continue
        parts += _grid(plots)
        if isinstance(item, Table | Passages):
            heading = f"<h3>{html.escape(item.title)}</h3>\n" if item.title != section.title else ""
            parts.append(heading + item.html())
        else:
            parts.append(f"<p>{html.escape(item)}</p>\n")
    return "".join([*parts, *_grid(plots)]) + "</section>\n"


def _grid(plots: list[str]) -> list[str]:
    """Put the plots gathered so far beside each other where there is room, and empty the list."""
    found = [f'<div class="plots">\n{"".join(plots)}</div>\n'] if plots else []
    plots.clear()
    return found


def markdown(title: str, key: Sequence[str], sections: Sequence[Section]) -> str:
    """Return the same for a repository: tables and texts, plots as links to their files."""
    text = f"# {title}\n\n" + "".join(f"- {line}\n" for line in key)
    for section in sections:
        text += f"\n## {section.title}\n\n"
        for item in section.content:
            if isinstance(item, Plot):
                text += f"![{item.title}]({item.name}.png)\n\n"
            elif isinstance(item, Passages):
                text += f"[{item.title}]({item.name}.md)\n\n"
            else:
                text += (item.markdown() if isinstance(item, Table) else item + "\n") + "\n"
    return text.rstrip("\n") + "\n"
