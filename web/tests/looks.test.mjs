// Pictures of every view, light and dark, wide and narrow, in both languages (test-results/); and what they must hold:
// nothing is wider than the screen, every control has a name, text has enough contrast.
import assert from "node:assert/strict";
import { after, test } from "node:test";
import { ask, closeBrowser, counts, eventually, kDone, rests, say, session, shot, shows } from "./support.mjs";

after(closeBrowser);

async function fits(page, name) {
  await rests(page);
  const wide = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
  assert.ok(wide <= 0, `${name}: ${wide} pixels wider than the screen`);
  const nameless = await page.evaluate(() =>
    [...document.querySelectorAll("button, a[href], input:not([type=file]), select, textarea")]
      .filter((element) => element.checkVisibility({ visibilityProperty: true }))
      .filter((element) => !(element.innerText?.trim() || element.getAttribute("aria-label") || [...(element.labels ?? [])].some((label) => label.innerText.trim())))
      .map((element) => element.outerHTML));
  assert.deepEqual(nameless, [], `${name}: controls without a name`);
}

// WCAG's contrast of a text's colour with the nearest background behind it.
function lowContrast() {
  const channel = (value) => (value <= 0.03928 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4);
  const rgba = (text) => (text.match(/[\d.]+/g) ?? []).map(Number);
  const luminance = ([r, g, b]) => 0.2126 * channel(r / 255) + 0.7152 * channel(g / 255) + 0.0722 * channel(b / 255);
  const behind = (element) => {
    for (let at = element; at; at = at.parentElement) {
      const [r, g, b, a = 1] = rgba(getComputedStyle(at).backgroundColor);
      if (a === 1 && r !== undefined) return [r, g, b];
    }
    return [255, 255, 255];
  };
  const bad = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const element = walker.currentNode.parentElement;
    if (!walker.currentNode.textContent.trim() || !element.checkVisibility({ opacityProperty: true, visibilityProperty: true }) || element.closest(":disabled, .katex-mathml, .off-screen")) continue;
    const style = getComputedStyle(element);
    const color = rgba(style.color);
    if (!style.color.startsWith("rgb") || color[3] === 0) continue;
    const [a, b] = [luminance(color), luminance(behind(element))].sort((x, y) => y - x);
    const ratio = (a + 0.05) / (b + 0.05);
    if (ratio < 4.5) bad.push(`${ratio.toFixed(2)} ${element.className || element.tagName}: ${walker.currentNode.textContent.trim().slice(0, 30)}`);
  }
  return bad;
}

const kLooks = [
  ["light", { colorScheme: "light" }],
  ["dark", { colorScheme: "dark" }],
  ["mobile", { viewport: { width: 390, height: 800 }, colorScheme: "light", hasTouch: true, isMobile: true, locale: "ko-KR" }],
  ["mobile-dark", { viewport: { width: 360, height: 720 }, colorScheme: "dark", hasTouch: true, isMobile: true }],
];

for (const [name, context] of kLooks) {
  test(`looks: ${name}`, () =>
    session({ server: { sample: true, outbound: true }, context: { ...context, reducedMotion: "reduce" } }, async ({ page }) => {
      const send = () => (context.isMobile ? page.tap(".send") : page.press("#composer", "Enter"));
      await page.waitForSelector(".welcome");
      await fits(page, "welcome");
      await shot(page, `${name}-1-welcome`);
      await page.fill("#composer", "endless");
      await send();
      await page.waitForSelector(".thought.running .thought-text .markdown");
      await shot(page, `${name}-2-thinking`);
      await page.click(".send.stop");
      await page.waitForSelector(kDone);
      await page.fill("#composer", name === "light" ? "Using 3, 7, 25 and 50 make 124." : "처음 n개의 홀수의 합은 왜 n²이야?");
      await send();
      await counts(page, ".turn-answer footer", 2);
      await page.waitForSelector(".katex");
      await page.locator(".figures-line").last().click();
      await page.locator(".figures-table").last().scrollIntoViewIfNeeded();
      await fits(page, "chat");
      await shot(page, `${name}-3-answer`);
      assert.deepEqual(await page.evaluate(lowContrast), [], "contrast");
      if (context.isMobile) {
        await page.click("[aria-label='탐색 열기'], [aria-label='Open the navigation']");
        await page.locator("#search").waitFor();
        await shot(page, `${name}-4-history`);
      }
      for (const view of ["dashboard", "plan", "privacy", "settings"]) {
        await page.goto(`${page.url().split("#")[0]}#/${view}`);
        await page.waitForSelector(".page h1");
        if (view === "dashboard") await page.waitForFunction(() => document.querySelectorAll(".chart canvas").length > 4);
        if (view === "plan") await page.waitForSelector(".plan-sweep canvas");
        if (view === "plan") await page.waitForSelector(".range-bars .own");
        await fits(page, view);
        await shot(page, `${name}-5-${view}`);
        assert.deepEqual(await page.evaluate(lowContrast), [], `contrast of ${view}`);
      }
    }));
}

test("the dashboard's tabs: curves that grow with the log, machine, costs", () =>
  session({ server: { sample: true }, hash: "#/dashboard" }, async ({ page, server }) => {
    await page.waitForFunction(() => document.querySelectorAll(".chart canvas").length > 4);
    const step = async () => Number((await page.locator(".run-head .hint").innerText()).match(/[\d,]+/)[0].replace(",", ""));
    const before = await step();
    server.state.startedAt -= 3_600_000;  // an hour of training
    await eventually(async () => assert.ok((await step()) > before + 3000));
    await page.click(".runs li:nth-child(3) button");
    await page.waitForSelector(".run-head h2:text-is('nano-pretrain')");
    await page.waitForSelector("figcaption:has-text('Loss')");
    assert.equal(await page.locator("figcaption:has-text('Reward')").count(), 0);
    await page.focus("#tab-training");
    await page.keyboard.press("ArrowRight");
    await page.waitForSelector(".meter:has-text('GB/s')");
    await counts(page, ".chart canvas", 3);
    await shot(page, "dashboard-machine");
    await page.click("#tab-ledger");
    await page.waitForSelector(".costs .cost:nth-child(2)");
    await shows(page, ".cost", /The final run[\s\S]*\$0.2/);
    await shot(page, "dashboard-costs");
    await fits(page, "costs");
  }));

test("theme and language are chosen, kept, and there before the first paint", () =>
  session({ hash: "#/settings" }, async ({ page }) => {
    await page.click(".segments >> text=한국어");
    await page.waitForSelector("h1:text-is('설정')");
    await page.click(".segments >> text=어둡게");
    const background = () => page.evaluate(() => getComputedStyle(document.body).backgroundColor);
    await eventually(async () => assert.equal(await background(), "rgb(13, 22, 28)"));
    await page.reload();
    await page.waitForSelector("h1:text-is('설정')");
    await eventually(async () => assert.equal(await background(), "rgb(13, 22, 28)"));
    assert.equal(await page.getAttribute("html", "lang"), "ko");
  }));

test("by keyboard alone: skip link, search, new chat, stop, edit", () =>
  session({ server: { sample: true } }, async ({ page }) => {
    await page.waitForSelector("#composer:focus");
    await page.keyboard.press("Control+k");
    await page.waitForSelector("#search:focus");
    await say(page, "endless");
    await page.waitForSelector(".thought.running");
    await page.keyboard.press("Escape");
    await page.waitForSelector(kDone);
    await page.focus("#composer");
    await page.keyboard.press("ArrowUp");
    await page.waitForSelector(".editor textarea:focus");
    await page.keyboard.press("Escape");
    await page.waitForFunction(() => !document.querySelector(".editor"));
    await page.keyboard.press("Control+Shift+O");
    await page.waitForSelector(".welcome");
    await page.focus(".model-picker");
    await page.keyboard.press("Enter");
    await page.waitForSelector("[role=menuitemradio]:focus");
    await page.keyboard.press("ArrowDown");
    await page.keyboard.press("Escape");
    await page.waitForSelector(".model-picker:focus");
  }));

test("a screen reader hears that the thought, the answer and the end have come, not every token", () =>
  session({}, async ({ page, server }) => {
    await page.waitForSelector("#composer");
    await page.evaluate(() => {
      window.heard = [];
      new MutationObserver(() => window.heard.push(document.querySelector("[aria-live=polite]").textContent)).observe(document.querySelector("[aria-live=polite]"), { childList: true, characterData: true, subtree: true });
    });
    const hears = (...all) => eventually(async () => assert.deepEqual(await page.evaluate(() => window.heard), all));
    await say(page, "slow");
    await hears("Thinking");
    server.state.release("thought");
    await hears("Thinking", "The answer begins");
    server.state.release("answer");
    await hears("Thinking", "The answer begins", "The answer is finished");
    await counts(page, "article[aria-label='minke said']", 1);
  }));
