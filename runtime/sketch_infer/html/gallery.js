/*
 * The filters of the gallery. The hash of the address holds their state, so that a cell of the matrix is a link and the
 * back button goes back.
 */

const find = (id) => document.getElementById(id);
const cards = find("cards");
const filters = find("filters");
const margin = find("margin");
const selects = [...filters.querySelectorAll("select")];
const shows = [...filters.querySelectorAll("[name=show]")];
const all = [...cards.querySelectorAll("article")].map((element) => ({ element, ...element.dataset }));
const byMargin = [...all].sort((one, other) => one.margin - other.margin);
const passes = {
  all: () => true,
  wrong: (card) => card.label !== undefined && card.label !== card.answer,
  low: (card) => Number(card.margin) < Number(margin.value),
};
const value = (name) => selects.find((select) => select.name === name)?.value ?? "";
let order = "";

function apply() {
  const passesShow = passes[shows.find((show) => show.checked).value];
  const label = value("label");
  const answer = value("answer");
  let count = 0;
  for (const card of all) {
    const shown = passesShow(card) && (!label || card.label === label) && (!answer || card.answer === answer);
    card.element.hidden = !shown;
    count += shown;
  }
  if (order !== value("sort")) {
    order = value("sort");
    cards.append(...(order ? byMargin : all).map((card) => card.element));
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
  if (!shows[0].checked) state.set("show", shows.find((show) => show.checked).value);
  if (margin.value !== margin.defaultValue) state.set("margin", margin.value);
  for (const select of selects) if (select.value) state.set(select.name, select.value);
  history.replaceState(null, "", `#${state}`);
}

margin.addEventListener("input", () => {
  shows.find((show) => show.value === "low").checked = true;
});
filters.addEventListener("input", apply);
filters.addEventListener("change", writeHash);
find("reset").addEventListener("click", () => {
  history.replaceState(null, "", "#");
  readHash();
});
addEventListener("hashchange", readHash);

const names = [...document.querySelectorAll(".matrix thead th[data-name]")].map((head) => head.dataset.name);
for (const row of document.querySelectorAll(".matrix tbody tr")) {
  names.forEach((answer, column) => {
    const cell = row.cells[column + 1];
    if (!cell.textContent) return;
    const link = document.createElement("a");
    link.href = `#${new URLSearchParams({ label: row.cells[0].dataset.name, answer })}`;
    link.append(...cell.childNodes);
    cell.append(link);
    link.addEventListener("click", () => setTimeout(() => filters.scrollIntoView()));
  });
}
cards.before(find("summary"), filters);
filters.hidden = false;
readHash();
