"""What is the same on every page of a gallery: its beginning, its look and its script."""

import base64
import hashlib

from sketch_infer.html.page_style import BASE_STYLE

# The summary can only be written after the last card but is read first. The script moves it there; without a script,
# `order` shows it there.
_STYLE = """
:root { --dim: #5f6368; --shade: 59 111 182; --alarm: 180 35 24; --tint: #3b6fb63d; }
@media (prefers-color-scheme: dark) {
  :root { --dim: #a3a8ae; --shade: 122 167 230; --alarm: 255 110 97; --tint: #7ba7e64a; }
}
* { box-sizing: border-box; } [hidden] { display: none !important; }
body { font: 15px/1.45 system-ui, sans-serif; max-width: 96rem; margin: 2rem auto; padding: 0 1rem;
  display: flex; flex-direction: column; font-variant-numeric: tabular-nums; }
h1 { font-size: 1.3rem; margin: 0 0 1rem; } h2 { font-size: 1.05rem; margin: 0 0 .4rem; }
#summary { order: 1; min-width: 0; } #filters { order: 2; } #cards { order: 3; }
.good { color: var(--good); } .bad { color: var(--bad); }

.facts { display: flex; flex-wrap: wrap; gap: .6rem 2.4rem; margin: 0 0 1.4rem; padding: .8rem 1rem;
  background: var(--soft); border-left: .4rem solid var(--bar); }
.facts dt { color: var(--dim); font-size: .85rem; } .facts dd { margin: 0; font-weight: 600; }
.facts small { font-weight: 400; color: var(--dim); margin-left: .3rem; }

details { margin-bottom: 1.4rem; } summary { cursor: pointer; margin-bottom: .4rem; } summary h2 { display: inline; }
.note { margin: 0 0 .5rem; color: var(--dim); font-size: .85rem; }
.matrix { overflow: auto; max-height: 85vh; width: fit-content; max-width: 100%; }
.matrix:focus-visible { outline: 2px solid var(--bar); }
table { border-collapse: separate; border-spacing: 1px; font-size: .75rem; line-height: 1.3; }
.matrix th { font-weight: 400; background: Canvas; white-space: nowrap; position: sticky; z-index: 1;
  overflow: hidden; text-overflow: ellipsis; }
thead th { top: 0; vertical-align: bottom; padding: .2rem 0; }
thead th span { writing-mode: vertical-rl; transform: rotate(180deg); max-height: 10rem; overflow: hidden;
  text-overflow: ellipsis; }
.matrix tbody th { left: 0; text-align: right; padding: 0 .5rem; max-width: min(16rem, 40vw); }
.matrix thead th:first-child { left: 0; z-index: 2; text-align: right; padding: 0 .5rem .2rem; color: var(--dim); }
tbody td { min-width: 1.55rem; padding: 0; text-align: center; background: rgb(var(--alarm) / var(--s, 0)); }
tbody td:empty { background: var(--soft); }
tbody td.hit { background: rgb(var(--shade) / var(--s)); font-weight: 600; }
tbody td:last-child { background: none; padding: 0 .2rem 0 .6rem; text-align: right; white-space: nowrap;
  color: var(--dim); }
td a { display: block; color: inherit; text-decoration: none; }
td a:hover, td a:focus-visible { outline: 2px solid var(--bar); }

#filters { position: sticky; top: 0; z-index: 3; display: flex; flex-wrap: wrap; align-items: center; gap: .5rem 1.1rem;
  padding: .6rem 0; margin-bottom: .8rem; background: Canvas; border-bottom: 1px solid var(--line); }
#filters fieldset { display: contents; }
#filters label { display: inline-flex; align-items: center; gap: .4rem; }
#filters select, #filters button { font: inherit; padding: .15rem .4rem; max-width: 11rem; }
#filters input { accent-color: var(--bar); margin: 0; } #filters input[type=range] { width: 6rem; }
#shown { margin-left: auto; font-weight: 600; } #threshold { min-width: 2.2rem; }
legend { position: absolute; clip-path: inset(50%); }

#cards { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(21rem, 100%), 1fr)); gap: .8rem; }
article { display: grid; grid-template-columns: 8rem minmax(0, 1fr); gap: 0 .9rem; padding: .7rem .8rem .5rem;
  border: 1px solid var(--line); border-radius: .4rem; content-visibility: auto; contain-intrinsic-size: auto 14rem; }
article .sketch { width: 8rem; height: 8rem; stroke-width: 1.3; align-self: center; }
h3 { display: flex; justify-content: space-between; gap: .6rem; font-size: 1rem; margin: 0 0 .15rem; }
article h3, article p, footer { overflow-wrap: anywhere; }
article p { margin: 0 0 .3rem; font-size: .85rem; }
ol { list-style: none; margin: 0; padding: 0; font-size: .85rem; line-height: 1.35; }
li { display: flex; justify-content: space-between; gap: .6rem; padding: 0 .35rem; margin-bottom: 2px;
  background: linear-gradient(var(--tint) 0 0) 0 0 / calc(var(--p) * 1%) 100% no-repeat; }
li b { font-weight: 400; } li.true { font-weight: 600; } li.true b { font-weight: 600; }
li span { min-width: 0; overflow: hidden; text-overflow: ellipsis; white-space: nowrap; }
footer { grid-column: 1 / -1; display: flex; justify-content: space-between; gap: 1rem; margin-top: .3rem;
  color: var(--dim); font-size: .8rem; }
footer span:last-child { white-space: nowrap; }
@media (max-width: 48rem) {
  #filters { position: static; } #filters > label { width: 100%; }
  #filters > label select { margin-left: auto; width: 11rem; }
  #shown { margin-left: auto; } .matrix { max-height: 60vh; }
  article { grid-template-columns: 6rem minmax(0, 1fr); } article .sketch { width: 6rem; height: 6rem; }
}
"""

# The hash holds the state of the filters, so that a cell of the matrix is a link and the back button goes back.
SCRIPT = """
"use strict";
(() => {
  const find = id => document.getElementById(id);
  const cards = find("cards"), filters = find("filters"), margin = find("margin");
  const selects = [...filters.querySelectorAll("select")], shows = [...filters.querySelectorAll("[name=show]")];
  const all = [...cards.querySelectorAll("article")].map(element => ({ element, ...element.dataset }));
  const byMargin = [...all].sort((one, other) => one.margin - other.margin);
  const passes = {
    all: () => true,
    wrong: card => card.label !== undefined && card.label !== card.answer,
    low: card => Number(card.margin) < Number(margin.value),
  };
  const value = name => selects.find(select => select.name === name)?.value ?? "";
  let order = "";

  function apply() {
    const passesShow = passes[shows.find(show => show.checked).value];
    const label = value("label"), answer = value("answer");
    let count = 0;
    for (const card of all) {
      const shown = passesShow(card) && (!label || card.label === label) && (!answer || card.answer === answer);
      card.element.hidden = !shown;
      count += shown;
    }
    if (order !== value("sort")) {
      order = value("sort");
      cards.append(...(order ? byMargin : all).map(card => card.element));
    }
    find("threshold").textContent = Number(margin.value).toFixed(2);
    find("shown").textContent = `${count.toLocaleString("en")} of ${all.length.toLocaleString("en")} shown`;
    find("none").hidden = count > 0;
  }

  function readHash() {
    const state = new URLSearchParams(location.hash.slice(1));
    shows[0].checked = true;
    for (const show of shows) show.checked ||= show.value === state.get("show");
    margin.value = state.get("margin") ?? margin.defaultValue;
    for (const select of selects) {
      select.value = state.get(select.name) ?? "";
      if (select.selectedIndex < 0) select.selectedIndex = 0;
    }
    apply();
  }

  function writeHash() {
    const state = new URLSearchParams();
    if (!shows[0].checked) state.set("show", shows.find(show => show.checked).value);
    if (margin.value !== margin.defaultValue) state.set("margin", margin.value);
    for (const select of selects) if (select.value) state.set(select.name, select.value);
    history.replaceState(null, "", "#" + state);
  }

  margin.addEventListener("input", () => { shows.find(show => show.value === "low").checked = true; });
  filters.addEventListener("input", apply);
  filters.addEventListener("change", writeHash);
  find("reset").addEventListener("click", () => { history.replaceState(null, "", "#"); readHash(); });
  addEventListener("hashchange", readHash);

  const names = [...document.querySelectorAll(".matrix thead th[data-name]")].map(head => head.dataset.name);
  for (const row of document.querySelectorAll(".matrix tbody tr")) {
    names.forEach((answer, column) => {
      const cell = row.cells[column + 1], link = document.createElement("a");
      if (!cell.textContent) return;
      link.href = "#" + new URLSearchParams({ label: row.cells[0].dataset.name, answer });
      link.append(...cell.childNodes);
      cell.append(link);
      link.addEventListener("click", () => setTimeout(() => filters.scrollIntoView()));
    });
  }
  cards.before(find("summary"), filters);
  filters.hidden = false;
  readHash();
})();
"""

# Nothing may be loaded, and no script runs but this one, whatever words and file names the input holds.
_SCRIPT_SHA256 = base64.b64encode(hashlib.sha256(SCRIPT.encode()).digest()).decode()

HEAD = f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'; \
script-src 'sha256-{_SCRIPT_SHA256}'; base-uri 'none'; form-action 'none'">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Sketches and answers</title>
<style>{BASE_STYLE}{_STYLE}</style>
</head>
<body>
<h1>Sketches and answers</h1>
<main id="cards">
"""
