import assert from "node:assert/strict";
import { after, test } from "node:test";
import { ask, closeBrowser, kDone, say, session, shot } from "./support.mjs";

after(closeBrowser);

test("a first chat: thought apart from the answer, mathematics, table, code, figures", () =>
  session({}, async ({ page, sent }) => {
    await ask(page, "Using 3, 7, 25 and 50 make 124.");
    assert.equal(await page.locator(".turn-answer .thought-name").innerText(), "Thought");
    assert.match(await page.locator(".thought-facts").innerText(), /145 tokens/);
    assert.equal(await page.locator(".turn-answer > .markdown").innerText().then((text) => text.includes("The numbers are")), false);
    await page.waitForSelector(".turn-answer > .markdown .katex");
    assert.equal(await page.locator(".turn-answer > .markdown .katex-display").count(), 1);
    assert.equal(await page.locator(".code .hljs-keyword").first().innerText(), "from");
    assert.equal(await page.locator(".table td").nth(1).innerText(), "175");
    assert.match(await page.locator(".figures-line").innerText(), /tokens · 47.3 tok\/s · ≈ .* J · \$0.000021/);
    const request = sent()[0];
    assert.equal(request.stream, true);
    assert.deepEqual(request.minke.thinking, { enabled: true, budget: 2048 });
    assert.equal(request.minke.conversation, null);
    assert.match(page.url(), /#\/c\/c0001$/);
  }));

test("the thought is open while it runs, folds when the answer begins, and opens again", () =>
  session({}, async ({ page }) => {
    await page.evaluate(() => {
      window.flickers = 0;
      new MutationObserver(() => {
        if (document.querySelector(".send.stop") && document.querySelector(".turn-answer footer, .no-answer")) ++window.flickers;
      }).observe(document.body, { childList: true, subtree: true });
    });
    await say(page, "slow please");
    await page.waitForSelector(".thought.running .thought-text .markdown");
    assert.equal(await page.locator(".thought-toggle").getAttribute("aria-expanded"), "true");
    await page.click(".thought-toggle");
    await page.waitForSelector(".thought-last");
    await page.click(".answer-now");
    await page.waitForSelector(".turn-answer > .markdown");
    assert.equal(await page.locator(".thought-text").isVisible(), false);
    await page.waitForSelector(kDone, { timeout: 20_000 });
    assert.equal(await page.locator(".thought .chip").innerText(), "ended by you");
    await page.click(".thought-toggle");
    assert.match(await page.locator(".thought-text").innerText(), /Slowly, one thing/);
    assert.equal(await page.evaluate(() => window.flickers), 0, "a growing answer looked finished");
  }));

test("stop ends the request and keeps what was written", () =>
  session({}, async ({ page, server }) => {
    await say(page, "endless");
    await page.waitForSelector(".thought.running .thought-text .markdown");
    await page.click(".send.stop");
    await page.waitForSelector(kDone);
    assert.match(await page.locator(".turn-answer footer").innerText(), /stopped/);
    await page.waitForFunction(() => document.querySelector(".send:not(.stop)"));
    await new Promise((resolve) => setTimeout(resolve, 50));
    assert.equal(server.state.requests.size, 0);
    assert.equal(server.state.log.some((entry) => entry.method === "DELETE" && entry.path.startsWith("/api/minke/requests/")), true);
    await page.reload();
    await page.click(".thought-toggle");
    assert.match(await page.locator(".thought-text").innerText(), /Wait, let me check/);
  }));

test("a stopped chat does not stop another: an answer goes on while another chat is looked at", () =>
  session({}, async ({ page }) => {
    await say(page, "slow one");
    await page.waitForSelector(".thought.running");
    await page.click(".new-chat");
    await page.waitForSelector(".welcome");
    await ask(page, "홀수의 합");
    await page.click(".entry a[title='slow one']");
    await page.waitForSelector(".turn-answer");
    await page.waitForSelector(kDone, { timeout: 20_000 });
    assert.equal((await page.locator(".turn-answer > .markdown").innerText()).split("word for word").length, 41);
  }));

test("edit and regenerate make branches, arrows go between them, a reload shows the same", () =>
  session({}, async ({ page, sent }) => {
    await ask(page, "right");
    await page.click(".turn-answer [aria-label='Answer again']");
    await page.waitForFunction(() => document.querySelector(".turn-answer .branch-number")?.textContent === "2/2");
    assert.equal(sent()[1].minke.parent, "m0002");
    assert.equal(sent()[1].minke.text, undefined);
    await page.waitForSelector(kDone);
    await page.hover(".turn-user");
    await page.click(".turn-user [aria-label='Edit']");
    await page.fill(".editor textarea", "wrong");
    await page.click(".editor .primary");
    await page.waitForFunction(() => document.querySelector(".turn-user .branch-number")?.textContent === "2/2");
    await page.waitForSelector(kDone);
    assert.equal(sent()[2].minke.parent, null);
    assert.deepEqual(sent()[2].messages, [{ role: "user", content: "wrong" }]);
    assert.equal(await page.locator(".chip.bad").innerText(), "checked: wrong");
    await page.click(".turn-user [aria-label='Branch before']");
    assert.equal(await page.locator(".turn-user .bubble").innerText(), "right");
    assert.equal(await page.locator(".turn-answer .branch-number").innerText(), "2/2");
    await page.waitForTimeout(80);
    await page.reload();
    await page.waitForSelector(".turn-answer");
    assert.equal(await page.locator(".turn-user .bubble").innerText(), "right");
    assert.equal(await page.locator(".chip.good").innerText(), "checked: right");
  }));

test("bold words take a Korean ending; money is no formula", () =>
  session({}, async ({ page }) => {
    await ask(page, "홀수의 합");
    await page.waitForSelector(".katex");
    const bold = await page.locator(".turn-answer > .markdown strong").allInnerTexts();
    assert.equal(bold.length, 4);
    assert.equal(bold[2], "\"그노몬\"");
    assert.equal((await page.locator(".turn-answer > .markdown").innerText()).includes("**"), false);
    await page.click(".new-chat");
    await page.waitForSelector(".welcome");
    await ask(page, "price");
    await page.waitForSelector(".katex");
    assert.equal(await page.locator(".katex").count(), 1);
    assert.match(await page.locator(".turn-answer > .markdown").innerText(), /It is \$5 or \$6, and 2\*\*3 is 8/);
  }));

test("a second turn sends the answer without its thought and names its parent", () =>
  session({}, async ({ page, sent }) => {
    await ask(page, "right");
    await ask(page, "again right");
    await page.waitForFunction(() => document.querySelectorAll(".turn-answer footer").length === 2);
    assert.deepEqual(sent()[1].messages.map((message) => message.role), ["user", "assistant", "user"]);
    assert.equal(JSON.stringify(sent()[1]).includes("Hm. "), false);
    assert.equal(sent()[1].minke.parent, "m0003");
    assert.equal(sent()[1].minke.conversation, "c0001");
  }));

test("characters of several bytes survive any cut of the stream", () =>
  session({}, async ({ page }) => {
    await ask(page, "hangul");
    assert.equal(await page.locator(".turn-answer > .markdown").innerText(), "안녕하세요 👩‍👩‍👧 한글이 깨지지 않습니다");
  }));

const kFailures = [
  ["toolong", /5,210 tokens .* 4,096/, /Nothing was dropped/],
  ["busy", /busy; try again in 3 s/, null],
  ["midway", /could not be read any more/, null],
  ["cutoff", /connection to the server broke off/, null],
];
for (const [word, text, advice] of kFailures) {
  test(`an error is shown with a way on: ${word}`, () =>
    session({ expectedErrors: [/status of (400|503)/, /ERR_INCOMPLETE_CHUNKED_ENCODING/] }, async ({ page, sent }) => {
      await say(page, word);
      await page.waitForSelector(".failure");
      assert.match(await page.locator(".failure").innerText(), text);
      if (advice) assert.match(await page.locator(".failure").innerText(), advice);
      assert.equal(await page.locator(".turn-user .bubble").innerText(), word);
      await page.click(".failure button");
      await page.waitForFunction(() => document.querySelectorAll(".failure").length === 1);
      await page.waitForTimeout(100);
      assert.equal(sent().length, 2);
      assert.equal(await page.locator(".turn-user").count(), 1);
    }));
}

test("the reason why a thought ended, and a reply without an answer, are told", () =>
  session({}, async ({ page }) => {
    await ask(page, "budget");
    assert.equal(await page.locator(".thought .chip").innerText(), "budget used up");
    await page.click(".new-chat");
    await page.waitForSelector(".welcome");
    await ask(page, "silent");
    assert.match(await page.locator(".no-answer").innerText(), /before an answer began/);
  }));

test("files are attached, shown, sent before the question, and kept apart from it", () =>
  session({}, async ({ page, sent }) => {
    await page.setInputFiles("input[type=file]", [
      { name: "notes.txt", mimeType: "text/plain", buffer: Buffer.from("고래는 포유류이다.") },
      { name: "old.txt", mimeType: "text/plain", buffer: Buffer.from([0xb0, 0xed, 0xb7, 0xa1]) },
      { name: "image.png", mimeType: "image/png", buffer: Buffer.from([0x89, 0x50, 0, 0]) },
    ]);
    await page.waitForSelector(".notice.bad");
    assert.match(await page.locator(".notice.bad").innerText(), /image.png is not a text file/);
    assert.equal(await page.locator(".composer .file").count(), 2);
    await ask(page, "What is this about?");
    const last = sent()[0].messages[0].content;
    assert.ok(last.indexOf("고래는 포유류이다.") < last.indexOf("What is this about?"));
    assert.ok(last.includes("고래\n[file content end]"));  // CP949 became text
    assert.equal(sent()[0].minke.text, "What is this about?");
    assert.equal(sent()[0].minke.attachments.length, 2);
    await page.reload();
    await page.waitForSelector(".turn-user .file");
    assert.equal(await page.locator(".turn-user .bubble").innerText(), "What is this about?");
  }));

test("model, thinking, language and sampling reach the request; a model that cannot think is not asked to", () =>
  session({}, async ({ page, sent }) => {
    await page.click(".pill >> nth=0");
    await page.click("[role=menuitemradio]:has-text('Short')");
    await page.click(".pill >> nth=1");
    await page.click("[role=menuitemradio]:has-text('한국어')");
    await page.click("[aria-label='Settings of this chat']");
    await page.fill(".dialog textarea", "Be brief.");
    await page.fill(".dialog input[type=number] >> nth=2", "7");
    await page.click(".dialog .primary");
    await ask(page, "right");
    assert.deepEqual(sent()[0].minke.thinking, { enabled: true, budget: 512 });
    assert.equal(sent()[0].minke.language_lock, "ko");
    assert.deepEqual(sent()[0].messages[0], { role: "system", content: "Be brief." });
    assert.equal(sent()[0].seed, 7);
    await page.click(".model-picker");
    await page.click("[role=menuitemradio]:has-text('Qwen2.5')");
    assert.equal(await page.locator(".pill").count(), 1);
    await say(page, "right again");
    await page.waitForFunction(() => document.querySelectorAll(".turn-answer footer").length === 2);
    assert.equal(sent()[1].model, "Qwen2.5-0.5B-Instruct");
    assert.equal(sent()[1].minke.thinking.enabled, false);
    await page.waitForTimeout(600);
    await page.reload();
    await page.waitForSelector(".model-name");
    assert.equal(await page.locator(".model-name").innerText(), "Qwen2.5-0.5B-Instruct");
  }));

test("what a model writes runs nothing, loads nothing and hides nothing", () =>
  session({}, async ({ page }) => {
    await ask(page, "attack");
    await page.click(".thought-toggle");
    await page.waitForSelector(".katex");
    await page.waitForTimeout(200);
    await shot(page, "attack");
    assert.equal(await page.evaluate(() => window.hacked), undefined);
    const bad = await page.evaluate(() => {
      const inside = document.querySelectorAll(".markdown *");
      const found = [];
      for (const element of inside) {
        if (["SCRIPT", "IMG", "IFRAME", "FORM", "INPUT", "STYLE", "OBJECT", "LINK"].includes(element.tagName)) found.push(element.outerHTML);
        for (const { name, value } of element.attributes) {
          if (name.startsWith("on") || /^\s*(javascript|data|vbscript):/i.test(value)) found.push(`${name}=${value}`);
        }
      }
      return found;
    });
    assert.deepEqual(bad, []);
    const text = await page.locator(".turn-answer > .markdown").innerText();
    assert.match(text, /<script>window.hacked = 1<\/script>/);  // shown, not run
    assert.equal(await page.locator(".turn-answer sub").innerText(), "2");  // harmless tags work
    assert.equal(await page.locator("body").isVisible(), true);
  }));
