import assert from "node:assert/strict";
import { after, test } from "node:test";
import { ask, closeBrowser, counts, eventually, hides, kDone, say, session, shot, shows } from "./support.mjs";

after(closeBrowser);

test("a first chat: thought apart from the answer, mathematics, table, code, figures", () =>
  session({}, async ({ page, sent }) => {
    await ask(page, "Using 3, 7, 25 and 50 make 124.");
    await shows(page, ".turn-answer .thought-name", "Thought");
    await shows(page, ".thought-facts", /145 tokens/);
    await page.waitForSelector(".turn-answer > .markdown .katex");
    assert.equal((await page.locator(".turn-answer > .markdown").innerText()).includes("The numbers are"), false);
    await counts(page, ".turn-answer > .markdown .katex-display", 1);
    await shows(page, ".code .hljs-keyword", "from");
    await shows(page, ".table td >> nth=1", "175");
    await shows(page, ".figures-line", /tokens · 47.3 tok\/s · ≈ .* J · \$0.000021/);
    const request = sent()[0];
    assert.equal(request.stream, true);
    assert.deepEqual(request.minke.thinking, { enabled: true, budget: 2048 });
    assert.equal(request.minke.conversation, null);
    await page.waitForURL(/#\/c\/c0001$/);
  }));

test("the thought is open while it runs, folds when the answer begins, and opens again", () =>
  session({}, async ({ page, server }) => {
    await page.evaluate(() => {
      window.flickers = 0;
      new MutationObserver(() => {
        if (document.querySelector(".send.stop") && document.querySelector(".turn-answer footer, .no-answer")) ++window.flickers;
      }).observe(document.body, { childList: true, subtree: true });
    });
    await say(page, "slow please");
    await page.waitForSelector(".thought.running .thought-text .markdown");
    await shows(page, ".thought-text", /Slowly, one thing/);
    assert.equal(await page.locator(".thought-toggle").getAttribute("aria-expanded"), "true");
    await page.click(".answer-now");
    await page.waitForSelector(".turn-answer > .markdown");
    await hides(page, ".thought-text");
    await page.click(".thought-toggle");
    await shows(page, ".thought-text", /Slowly, one thing/);
    await shows(page, ".turn-answer > .markdown", /A slow answer/);
    assert.equal(await page.locator(kDone).count(), 0, "the answer is still being written");
    server.state.release("answer");
    await page.waitForSelector(kDone);
    await shows(page, ".thought .chip", "ended by you");
    await page.click(".thought-toggle");
    await hides(page, ".thought-text");
    assert.equal(await page.evaluate(() => window.flickers), 0, "a growing answer looked finished");
  }));

test("a running thought folds to its last line, which grows", () =>
  session({}, async ({ page, server }) => {
    await say(page, "slow please");
    await page.waitForSelector(".thought.running .thought-text .markdown");
    await page.click(".thought-toggle");
    await shows(page, ".thought-last", /Slowly, one thing/);
    await hides(page, ".thought-text");
    server.state.release("thought");
    await page.waitForSelector(".turn-answer > .markdown");
    await counts(page, ".thought-last", 0);
  }));

test("a thought that is opened has its text in the first frame that is painted", () =>
  session({}, async ({ page }) => {
    await ask(page, "right");
    const lengths = await page.evaluate(async () => {
      const lengths = [];
      document.querySelector(".thought-toggle").click();
      for (let frame = 0; frame < 3; ++frame) {
        await new Promise((resolve) => requestAnimationFrame(resolve));
        lengths.push(document.querySelector(".thought-text").innerText.trim().length);
      }
      return lengths;
    });
    assert.deepEqual(lengths, [3, 3, 3]);  // "Hm."
  }));

test("stop ends the request and keeps what was written", () =>
  // the connection may be gone before the server is told to cancel: it then says 404
  session({ expectedErrors: [/status of 404/] }, async ({ page, server }) => {
    await say(page, "endless");
    await page.waitForSelector(".thought.running .thought-text .markdown");
    await page.click(".send.stop");
    await page.waitForSelector(kDone);
    await shows(page, ".turn-answer footer", /stopped/);
    await page.waitForSelector(".send:not(.stop)");
    await eventually(() => assert.equal(server.state.requests.size, 0));
    await eventually(() => assert.ok(server.state.log.some((entry) => entry.method === "DELETE" && entry.path.startsWith("/api/minke/requests/"))));
    await page.reload();
    await page.click(".thought-toggle");
    await shows(page, ".thought-text", /Wait, let me check/);
  }));

test("a stopped chat does not stop another: an answer goes on while another chat is looked at", () =>
  session({}, async ({ page, server }) => {
    await say(page, "slow one");
    await page.waitForSelector(".thought.running");
    await page.click(".new-chat");
    await page.waitForSelector(".welcome");
    await ask(page, "홀수의 합");
    await page.click(".entry a[title='slow one']");
    await page.waitForSelector(".thought.running");
    server.state.release("thought");
    await page.waitForSelector(".turn-answer > .markdown");
    server.state.release("answer");
    await page.waitForSelector(kDone);
    await eventually(async () => assert.equal((await page.locator(".turn-answer > .markdown").innerText()).split("word for word").length, 41));
  }));

test("edit and regenerate make branches, arrows go between them, a reload shows the same", () =>
  session({}, async ({ page, server, sent }) => {
    await ask(page, "right");
    await page.click(".turn-answer [aria-label='Answer again']");
    await shows(page, ".turn-answer .branch-number", "2/2");
    assert.equal(sent()[1].minke.parent, "m0002");
    assert.equal(sent()[1].minke.text, undefined);
    await page.waitForSelector(kDone);
    await page.hover(".turn-user");
    await page.click(".turn-user [aria-label='Edit']");
    await page.fill(".editor textarea", "wrong");
    await page.click(".editor .primary");
    await shows(page, ".turn-user .branch-number", "2/2");
    await page.waitForSelector(kDone);
    assert.equal(sent()[2].minke.parent, null);
    assert.deepEqual(sent()[2].messages, [{ role: "user", content: "wrong" }]);
    await shows(page, ".chip.bad", "checked: wrong");
    await page.click(".turn-user [aria-label='Branch before']");
    await shows(page, ".turn-user .bubble", "right");
    await shows(page, ".turn-answer .branch-number", "2/2");
    await eventually(() => assert.ok(server.state.log.some((entry) => entry.method === "PATCH" && entry.body.leaf)));
    await page.reload();
    await shows(page, ".turn-user .bubble", "right");
    await shows(page, ".chip.good", "checked: right");
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
    await counts(page, ".katex", 1);
    await shows(page, ".turn-answer > .markdown", /It is \$5 or \$6, and 2\*\*3 is 8/);
  }));

test("a second turn sends the answer without its thought and names its parent", () =>
  session({}, async ({ page, sent }) => {
    await ask(page, "right");
    await ask(page, "again right");
    await counts(page, ".turn-answer footer", 2);
    assert.deepEqual(sent()[1].messages.map((message) => message.role), ["user", "assistant", "user"]);
    assert.equal(JSON.stringify(sent()[1]).includes("Hm. "), false);
    assert.equal(sent()[1].minke.parent, "m0003");
    assert.equal(sent()[1].minke.conversation, "c0001");
  }));

test("characters of several bytes survive any cut of the stream", () =>
  session({}, async ({ page }) => {
    await ask(page, "hangul");
    await shows(page, ".turn-answer > .markdown", "안녕하세요 👩‍👩‍👧 한글이 깨지지 않습니다");
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
      await shows(page, ".failure", text);
      if (advice) await shows(page, ".failure", advice);
      await shows(page, ".turn-user .bubble", word);
      await page.evaluate(() => document.querySelector(".failure").classList.add("first"));
      await page.click(".failure button");
      await page.waitForSelector(".failure:not(.first)");
      assert.equal(sent().length, 2);
      await counts(page, ".failure", 1);
      await counts(page, ".turn-user", 1);
    }));
}

test("the reason why a thought ended, and a reply without an answer, are told", () =>
  session({}, async ({ page }) => {
    await ask(page, "budget");
    await shows(page, ".thought .chip", "budget used up");
    await page.click(".new-chat");
    await page.waitForSelector(".welcome");
    await ask(page, "silent");
    await shows(page, ".no-answer", /before an answer began/);
  }));

test("files are attached, shown, sent before the question, and kept apart from it", () =>
  session({}, async ({ page, sent }) => {
    await page.setInputFiles("input[type=file]", [
      { name: "notes.txt", mimeType: "text/plain", buffer: Buffer.from("고래는 포유류이다.") },
      { name: "old.txt", mimeType: "text/plain", buffer: Buffer.from([0xb0, 0xed, 0xb7, 0xa1]) },
      { name: "image.png", mimeType: "image/png", buffer: Buffer.from([0x89, 0x50, 0, 0]) },
    ]);
    await shows(page, ".notice.bad", /image.png is not a text file/);
    await counts(page, ".composer .file", 2);
    await ask(page, "What is this about?");
    const last = sent()[0].messages[0].content;
    assert.ok(last.indexOf("고래는 포유류이다.") < last.indexOf("What is this about?"));
    assert.ok(last.includes("고래\n[file content end]"));  // CP949 became text
    assert.equal(sent()[0].minke.text, "What is this about?");
    assert.equal(sent()[0].minke.attachments.length, 2);
    await page.reload();
    await page.waitForSelector(".turn-user .file");
    await shows(page, ".turn-user .bubble", "What is this about?");
  }));

test("model, thinking, language and sampling reach the request; a model that cannot think is not asked to", () =>
  session({}, async ({ page, server, sent }) => {
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
    await counts(page, ".pill", 1);
    await ask(page, "right again");
    assert.equal(sent()[1].model, "Qwen2.5-0.5B-Instruct");
    assert.equal(sent()[1].minke.thinking.enabled, false);
    await eventually(() => assert.equal(server.state.settings.model, "Qwen2.5-0.5B-Instruct"));
    await page.reload();
    await shows(page, ".model-name", "Qwen2.5-0.5B-Instruct");
  }));

test("what a model writes runs nothing, loads nothing and hides nothing", () =>
  session({}, async ({ page }) => {
    await ask(page, "attack");
    await page.click(".thought-toggle");
    await page.waitForSelector(".thought-text .markdown > *");
    await page.waitForSelector(".turn-answer > .markdown .katex");
    await shot(page, "attack");
    // an image that fails after all that the answer may have asked for
    await page.evaluate(() => new Promise((resolve) => Object.assign(new Image(), { onerror: () => setTimeout(resolve), src: "data:image/png,x" })));
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
    await shows(page, ".turn-answer > .markdown", /<script>window.hacked = 1<\/script>/);  // shown, not run
    await shows(page, ".turn-answer sub", "2");  // harmless tags work
    assert.equal(await page.locator("body").isVisible(), true);
  }));
