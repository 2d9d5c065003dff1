/** The gallery that `sketch-infer --output gallery.html` writes, and the report of `--self-check`, in a real browser. */

import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { launch, open, ROOT, SCREENSHOTS } from "./browser";

const EVIL = "\"'></article><script>alert(1)</script>&amp;";
const folder = mkdtempSync(join(tmpdir(), "gallery-"));
const gallery = join(folder, "gallery.html");
const report = join(folder, "report.html");
let browser: Browser;

beforeAll(async () => {
  const samples = readFileSync(`${ROOT}../samples/drawings.ndjson`, "utf8").trim().split("\n");
  const drawings = samples.map((line) => JSON.parse(line));
  drawings[0].word = "cat"; // it is no cat
  drawings[1].word = EVIL;
  delete drawings[2].word;
  const input = join(folder, "in.ndjson");
  writeFileSync(input, drawings.map((drawing) => JSON.stringify(drawing)).join("\n"));
  const run = (...options: string[]) => execFileSync(`${ROOT}../../.venv/bin/sketch-infer`, options, { stdio: "pipe" });
  run(input, "--output", gallery);
  run("--self-check", "--report", report);
  browser = await launch();
});
afterAll(async () => {
  await browser.close();
  rmSync(folder, { recursive: true });
});

describe("the gallery's filters", () => {
  let page: Page;
  let errors: string[];
  const addresses = new Set<string>();

  beforeAll(async () => {
    const opened = await open(browser, pathToFileURL(gallery).href);
    ({ page, errors } = opened);
    page.on("request", (request) => addresses.add(request.url()));
    page.on("dialog", () => errors.push("a word of the input ran as a script"));
    await opened.go();
  });
  beforeEach(() => page.locator("#reset").click());
  afterAll(() => {
    expect(errors).toEqual([]);
    expect([...addresses]).toEqual([pathToFileURL(gallery).href]);
  });

  /** The cards that are seen, by their number in the input. */
  const shown = async () => {
    const numbers = await page.locator("article:visible footer span:first-child").allTextContents();
    expect(await page.locator("#shown").textContent()).toBe(`${numbers.length} of 8 shown`);
    return numbers.map((text) => Number(text.split("#")[1]));
  };
  const show = (text: string) => page.getByLabel(text, { exact: true }).check();
  const hash = () => page.evaluate(() => location.hash);

  test("all are shown at first, below the summary", async () => {
    expect(await shown()).toEqual([0, 1, 2, 3, 4, 5, 6, 7]);
    const top = async (id: string) => (await page.locator(id).boundingBox())!.y;
    expect(await top("#summary")).toBeLessThan(await top("#filters"));
    expect(await top("#filters")).toBeLessThan(await top("article >> nth=0"));
  });

  test("wrong ones, without those that have no label", async () => {
    await show("wrong");
    expect(await shown()).toEqual([0, 1]);
    expect(await hash()).toBe("#show=wrong");
    await page.reload();
    expect(await shown()).toEqual([0, 1]); // the address keeps the filters
  });

  test("unsure ones, by the margin", async () => {
    const margins = await page.locator("article").evaluateAll((cards) => cards.map((card) => card.dataset.margin));
    // Above the least of them, however sure the network is.
    const limit = ((Math.floor(100 * Math.min(...margins.map(Number))) + 1) / 100).toFixed(2);
    await page.locator("#margin").fill(limit);
    const unsure = margins.flatMap((margin, number) => (Number(margin) < Number(limit) ? [number] : []));
    expect(unsure.length).toBeGreaterThan(0);
    expect(unsure.length).toBeLessThan(8);
    expect(await shown()).toEqual(unsure);
    expect(await page.locator("#threshold").textContent()).toBe(limit);
    await page.locator("select[name=sort]").selectOption("margin");
    expect(await shown()).toEqual([...unsure].sort((one, other) => Number(margins[one]) - Number(margins[other])));
  });

  test("by label and answer, whatever the label is", async () => {
    await page.locator("select[name=label]").selectOption(EVIL);
    expect(await shown()).toEqual([1]);
    await page.locator("select[name=answer]").selectOption("cat");
    expect(await shown()).toEqual([]);
    expect(await page.locator("#none").isVisible()).toBe(true);
    await page.locator("#reset").click();
    expect(await shown()).toHaveLength(8);
    expect(await hash()).toBe("");
  });

  test("a cell of the matrix shows its sketches, and the back button goes back", async () => {
    await page
      .locator("tbody tr", { has: page.locator('th[data-name="cat"]') })
      .locator("td:not(.hit) a")
      .click();
    await expect.poll(shown).toEqual([0]); // the address changes first, and the page some time later
    expect(await page.locator("select[name=label]").inputValue()).toBe("cat");
    await page.goBack();
    await expect.poll(shown).toHaveLength(8);
  });
});

test.each([
  ["desktop", { viewport: { width: 1280, height: 900 } }],
  ["desktop-dark", { viewport: { width: 1280, height: 900 }, colorScheme: "dark" as const }],
  ["narrow", { viewport: { width: 400, height: 800 } }],
  ["narrow-dark", { viewport: { width: 400, height: 800 }, colorScheme: "dark" as const }],
])("gallery and report look right: %s", async (name, options) => {
  for (const [kind, file] of Object.entries({ gallery, report })) {
    const { context, page, errors, go } = await open(browser, pathToFileURL(file).href, options);
    await go();
    await page.screenshot({ path: `${SCREENSHOTS}/${kind}-${name}.png`, fullPage: true });
    expect(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth), `${kind} ${name}`).toBe(true);
    expect(errors).toEqual([]);
    await context.close();
  }
});
