"""How the page of tagged sentences looks."""

from __future__ import annotations

COLOURS = {
    "c0": "PER PERSON NOUN",
    "c1": "LOC GPE LOCATION ADJ",
    "c2": "ORG ORGANIZATION VERB",
    "c3": "MISC OTH ADV",
    "c4": "AUX",
    "c5": "PROPN",
    "c6": "NUM",
    "c7": "ADP CCONJ DET PART PRON PUNCT SCONJ SYM X INTJ",
}
"""Classes of colours, and the tags that always have them."""

_FIXED = {name: colour for colour, names in COLOURS.items() for name in names.split()}


def colour_of(name: str) -> str:
    """Return the class of colour of a type of entity or a tag; the same in every page.

    >>> colour_of("PER"), colour_of("PRODUCT") == colour_of("PRODUCT")
    ('c0', True)
    """
    return _FIXED.get(name) or f"c{sum(name.encode('utf-8', 'replace')) % 7}"


# Colours are Okabe and Ito's, which people with any colour vision can tell apart; the label stands beside each anyway.
HEAD = """\
<!DOCTYPE html>
<html>
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Tagged text</title>
<style>
:root { --ground: #fff; --ink: #1b1f24; --soft: #59616b; --line: #d4d7db; --panel: #f4f5f7; color-scheme: light dark;
  --c0: #0072b2; --c1: #009e73; --c2: #d55e00; --c3: #b0518a; --c4: #c08400; --c5: #3a9bd9; --c6: #a89b00;
  --c7: #8b929b; }
@media (prefers-color-scheme: dark) { :root { --ground: #14171b; --ink: #e6e8eb; --soft: #a3abb5; --line: #3a4048;
  --panel: #1e2227; --c0: #4da6e0; --c1: #2fc79b; --c2: #f08442; --c3: #dd8fbb; --c4: #e6a817; --c5: #8cc8f0;
  --c6: #e0d54a; --c7: #8b929b; } }
* { box-sizing: border-box; }
body { display: flex; flex-direction: column; margin: 0 auto; max-width: 52rem; padding: 1.5rem 1.25rem 12rem;
  background: var(--ground); color: var(--ink);
  font: 17px/1.9 system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", Arial, sans-serif; }
footer { order: -1; border-bottom: 1px solid var(--line); padding-bottom: .75rem; line-height: 1.6; }
h1 { font-size: 1.3rem; margin: 0 0 .25rem; } h2 { font-size: .95rem; font-weight: 600; margin: 1.5rem 0 .25rem;
  color: var(--soft); overflow-wrap: anywhere; }
footer p { margin: .25rem 0; color: var(--soft); font-size: .85rem; }
main p { margin: .5rem 0 1rem; white-space: pre-wrap; overflow-wrap: anywhere; }
.e { border-radius: .2em; border-bottom: 2px solid var(--c); padding: .08em .2em; cursor: default;
  -webkit-box-decoration-break: clone; box-decoration-break: clone;
  background: color-mix(in srgb, var(--c) calc(var(--p) * 42%), var(--ground)); }
.e.unsure { border-bottom-style: dashed; }
.e > b { font-size: .62em; font-weight: 650; letter-spacing: .03em; margin-inline-start: .4em; vertical-align: .1em; }
footer div { display: flex; flex-wrap: wrap; gap: .2rem .9rem; } footer .e > b { margin: 0; }
main p:has(ruby) { line-height: 2.7; } rt { font-size: .55em; line-height: 1.3; color: var(--soft); }
ruby.e { ruby-position: under; border-bottom-width: 1px; padding: 0 .1em; margin-inline-end: 1px; white-space: nowrap; }
.q { font-size: .62em; color: var(--soft); vertical-align: .45em; margin-inline-start: .35em; cursor: default;
  direction: ltr; unicode-bidi: isolate; }
.note { display: none; position: fixed; inset: auto 0 0 0; margin: 0 auto; max-width: 52rem; max-height: 11rem;
  overflow: auto; padding: .6rem 1.25rem .8rem; background: var(--panel); color: var(--ink); z-index: 1;
  border-top: 2px solid var(--c, var(--soft)); letter-spacing: 0; direction: ltr; text-align: start;
  font: 14px/1.55 system-ui, "Segoe UI", Roboto, "Noto Sans", Arial, sans-serif; white-space: normal; }
:hover > .note, :focus > .note { display: block; }
main:has(:hover > .note) :focus:not(:hover) > .note { display: none; }
:focus-visible { outline: 2px solid var(--ink); outline-offset: 1px; }
.c0 { --c: var(--c0); } .c1 { --c: var(--c1); } .c2 { --c: var(--c2); } .c3 { --c: var(--c3); }
.c4 { --c: var(--c4); } .c5 { --c: var(--c5); } .c6 { --c: var(--c6); } .c7 { --c: var(--c7); }
@media print { body { padding: 0; max-width: none; }
  .e { -webkit-print-color-adjust: exact; print-color-adjust: exact; } }
</style>
</head>
<body>
<main>
"""

LEGEND = """\
</main>
<footer><h1>Tagged text</h1>
<div>{names}</div>
<p>The stronger the shade, the more probable the tag; a dashed line stands below 50%. The small number behind a sentence
is the probability of all its tags together. Point at anything, or press Tab, to see more.</p></footer>
</body>
</html>
"""
