/** Small pieces of the page. */

import type { Drawing } from "./strokes";

export function byId<T extends HTMLElement>(id: string): T {
  return document.getElementById(id) as T;
}

export function percent(share: number): string {
  return `${(100 * share).toFixed(share < 0.1 ? 1 : 0)} %`;
}

export function megabytes(bytes: number): string {
  return `${(bytes / 1e6).toFixed(1)} MB`;
}

/** Replace a description list's entries. */
export function facts(list: HTMLElement, entries: Record<string, string>): void {
  const cells = Object.entries(entries).flatMap(([term, description]) => {
    const [dt, dd] = [document.createElement("dt"), document.createElement("dd")];
    dt.textContent = term;
    dd.textContent = description;
    return [dt, dd];
  });
  list.replaceChildren(...cells);
}

/** Draw the simplified lines with their points, into a square of side 255, in the middle of it. */
export function drawSeen(drawing: Drawing): void {
  const width = Math.max(0, ...drawing.flatMap(([x]) => x));
  const height = Math.max(0, ...drawing.flatMap(([, y]) => y));
  const points = drawing.map(([x, y]) => x.map((value, i) => `${value} ${y[i]}`));
  const group = svg("g", { transform: `translate(${(255 - width) / 2} ${(255 - height) / 2})` });
  group.append(
    svg("path", { class: "line", d: points.map((line) => `M${line.join("L")}`).join("") }),
    svg("path", {
      class: "dots",
      d: points
        .flat()
        .map((point) => `M${point}h0`)
        .join(""),
    }),
  );
  document.getElementById("seen")!.replaceChildren(group);
}

function svg(name: string, attributes: Record<string, string>): SVGElement {
  const element = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  return element;
}
