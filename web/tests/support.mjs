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

// session({server: {...}, context: {...}}, async ({page, server, sent}) => ...)
export async function session(options, body) {
  browser ??= await chromium.launch({ executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium", args: ["--no-sandbox"] });
  const server = await startServer({ delay: 0, wait: 5, ...options.server });
  const context = await browser.newContext({ viewport: { width: 1280, height: 860 }, locale: "en-US", ...options.context });
  const page = await context.newPage();
  page.setDefaultTimeout(30_000);
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

export async function say(page, text) {
  await page.fill("#composer", text);
  await page.press("#composer", "Enter");
}

export const kDone = ".turn-answer.last footer";
export async function ask(page, text) {
  await say(page, text);
  await page.waitForSelector(kDone);
}

export const shot = (page, name) => page.screenshot({ path: `${kResults}${name}.png` });
