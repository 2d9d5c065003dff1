/** Small pieces of the page. */

export function byId<T extends HTMLElement>(id: string): T {
  return document.getElementById(id) as T;
}

export function percent(share: number): string {
  return `${(100 * share).toFixed(share < 0.1 ? 1 : 0)}%`;
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

/** Side of the picture of what the network sees, which is what a drawing is scaled to. */
const SIDE = 255;

/** Draw the corners, x and y from 0 to 1, with the drawing's own width / height, in the middle of a square. */
export function drawSeen(corners: [x: number, y: number][][], aspect: number): void {
  const [width, height] = [SIDE * Math.min(1, aspect), SIDE / Math.max(1, aspect)];
  const points = corners.map((line) => line.map(([x, y]) => `${Math.round(x * width)} ${Math.round(y * height)}`));
  const group = svg("g", { transform: `translate(${(SIDE - width) / 2} ${(SIDE - height) / 2})` });
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
