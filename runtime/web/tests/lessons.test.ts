/** Teaching a symbol in the built page: five drawings of something that the network does not know. */

import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { checked, type Drawing, draw, expectText, launch, open, SCREENSHOTS, sample, serve } from "./browser";

let browser: Browser;
let server: Awaited<ReturnType<typeof serve>>;

beforeAll(async () => {
  [browser, server] = await Promise.all([launch(), serve()]);
});
afterAll(async () => {
  await browser.close();
  await server.close();
});

/** A five-pointed star in one line, a little different each time. */
function star(time: number): Drawing {
  const [turn, width] = [0.06 * (time - 2), 100 + 8 * time];
  const corners = [0, 2, 4, 1, 3, 0].map((corner) => (corner * 2 * Math.PI) / 5 - Math.PI / 2 + turn);
  const along = (of: (angle: number) => number, side: number) => corners.map((angle) => 128 + side * of(angle));
  return [[along(Math.cos, width), along(Math.sin, 110)]];
}

const spoken = (page: Page) => page.locator("#spoken");

async function learn(page: Page, name: string): Promise<void> {
  await page.locator("#symbol").fill(name);
  await page.locator("#learn:enabled").click();
}

test("a symbol taught with five drawings is known, kept, and forgotten", async () => {
  const { context, page, errors, go } = await open(browser, server.url);
  await go();
  await checked(page);
  expect(await page.locator("#learn").isDisabled()).toBe(true);
  await draw(page, star(0));
  await expectText(spoken(page), /^(?!my star|Nothing).+/);

  for (let time = 0; time < 5; time++) {
    if (time) await draw(page, star(time));
    await learn(page, "my star");
    await expectText(page.locator("#learned"), time < 4 ? `${4 - time} more` : "Learned from 5 drawings");
    await expectText(spoken(page), "Nothing drawn yet");
  }
  await draw(page, star(2.5));
  await expectText(spoken(page), "my star, your symbol");
  expect(await page.locator("#top").textContent()).toBe("my star");
  await page.screenshot({ path: `${SCREENSHOTS}/taught.png` });

  await page.reload();
  await checked(page);
  await draw(page, sample("cat"));
  await expectText(spoken(page), /^cat, \d/);
  await page.locator("body").press("Escape");
  await draw(page, star(1.5));
  await expectText(spoken(page), "my star, your symbol");
  await page.getByRole("button", { name: "Forget my star" }).click();
  await expectText(spoken(page), /^(?!my star|Nothing).+/);
  await page.reload();
  await checked(page);
  expect(await page.locator("#symbols li").count()).toBe(0);
  expect(errors).toEqual([]);
  await context.close();
});

test("names are text, and their keys do not draw", async () => {
  const { context, page, errors, go } = await open(browser, server.url);
  await go();
  await checked(page);
  await draw(page, star(0));
  await page.locator("#symbol").fill("<img src=x>");
  await page.locator("#symbol").press("Escape");
  await page.locator("#learn:enabled").click();
  expect(await page.locator("#symbols span").first().textContent()).toBe("<img src=x>");
  expect(await page.locator("#symbols img").count()).toBe(0);
  expect(errors).toEqual([]);
  await context.close();
});
