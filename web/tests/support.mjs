// What the tests share: Debian's Chromium against the mock server. Any error on the page's console or breach of its content
// policy fails the test that caused it.
import assert from "node:assert/strict";
import { mkdirSync } from "node:fs";
import { chromium } from "playwright-core";
import { startServer } from "../mock/server.mjs";

export const kResults = new URL("../test-results/", import.meta.url).pathname;
mkdirSync(kResults, { recursive: true });

let browser = null;
export async function closeBrowser() {
  await browser?.close();
  browser = null;
}

// A slow machine is waited for: whatever is not there after this long does not come.
const kLimitMs = 120_000;
// How many times slower Chromium is to run, to see that no test depends on speed: MINKE_PAGE_SLOWER=8 web/check --test
const kSlower = Number(process.env.MINKE_PAGE_SLOWER ?? "1");

// session({server: {...}, context: {...}}, async ({page, server, sent}) => ...)
export async function session(options, body) {
  browser ??= await chromium.launch({ executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium", args: ["--no-sandbox"] });
  const server = await startServer({ delay: 0, wait: 5, holds: true, ...options.server });
  const context = await browser.newContext({ viewport: { width: 1280, height: 860 }, locale: "en-US", ...options.context });
  const page = await context.newPage();
  page.setDefaultTimeout(kLimitMs);
  if (kSlower > 1) await (await context.newCDPSession(page)).send("Emulation.setCPUThrottlingRate", { rate: kSlower });
  const problems = [];
  const elsewhere = [];
  page.on("pageerror", (error) => problems.push(String(error)));
  page.on("console", (message) => {
    const expected = options.expectedErrors?.some((pattern) => pattern.test(message.text())) ?? false;
    if (["error", "warning"].includes(message.type()) && !expected) problems.push(message.text());
  });
  page.on("request", (request) => {
    if (!request.url().startsWith(server.url) && !/^(data|blob):/.test(request.url())) elsewhere.push(request.url());
  });
  const sent = () => server.state.log.filter((entry) => entry.path === "/v1/chat/completions").map((entry) => entry.body);
  try {
    await page.goto(server.url + (options.hash ?? ""));
    await page.waitForSelector("#composer, .gate-form, .page");
    await body({ page, server, sent, context });
    assert.deepEqual(problems, [], "errors on the console");
    assert.deepEqual(elsewhere, [], "requests to other hosts");
  } finally {
    await context.close();
    await server.close();
  }
}

// Nothing that follows an action is there at once: `look` asserts, again and again, until it holds.
export async function eventually(look) {
  const end = Date.now() + kLimitMs;
  for (;;) {
    try {
      return await look();
    } catch (error) {
      if (Date.now() > end) throw error;
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }
}

// The first such element comes to show this text (a string is all of it), this many are there, this one is (not) visible.
export const shows = (page, selector, text) =>
  eventually(async () => {
    const found = await page.locator(selector).first().innerText();
    if (typeof text === "string") assert.equal(found, text, selector);
    else assert.match(found, text, selector);
  });
export const counts = (page, selector, n) => eventually(async () => assert.equal(await page.locator(selector).count(), n, selector));
export const hides = (page, selector) => page.locator(selector).waitFor({ state: "hidden" });

export async function say(page, text) {
  await page.fill("#composer", text);
  await page.press("#composer", "Enter");
}

// Says it and waits for the whole answer.
export const kDone = ".turn-answer.last footer";
export async function ask(page, text) {
  const n = await page.locator(".turn-answer").count();
  await say(page, text);
  await counts(page, ".turn-answer", n + 1);
  await page.waitForSelector(kDone);
}

// Everything that moves for a moment has come to rest.
export const rests = (page) =>
  page.evaluate(async () => {
    await document.fonts.ready;
    const moves = document.getAnimations().filter((one) => one.effect.getTiming().iterations !== Infinity);
    await Promise.allSettled(moves.map((one) => one.finished));
    await new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(resolve)));
  });

export async function shot(page, name) {
  await rests(page);
  await page.screenshot({ path: `${kResults}${name}.png` });
}
