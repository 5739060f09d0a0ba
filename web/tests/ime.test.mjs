// Enter and input methods, as browsers and systems really send the events.
import assert from "node:assert/strict";
import { after, test } from "node:test";
import { closeBrowser, counts, kDone, session } from "./support.mjs";

after(closeBrowser);

const kComposingEnter = { key: "Enter", code: "Enter", keyCode: 229, isComposing: true };
const kWindowsEnter = { key: "Process", code: "Enter", keyCode: 229, isComposing: true };
const kPlainEnter = { key: "Enter", code: "Enter", keyCode: 13, isComposing: false };
const kSafariEnter = { key: "Enter", code: "Enter", keyCode: 229, isComposing: false };

// Each step: ["text", what the field holds], ["start"], ["update", data], ["end", data], ["down", key], ["up"], ["wait", ms]
// The waits are the page's own timers, among which the shorter one comes first on any machine; what a step sends is in the
// conversation after the last of them.
async function play(page, steps) {
  await page.evaluate(async (all) => {
    const field = document.getElementById("composer");
    field.focus();
    for (const [kind, value] of all) {
      if (kind === "text") {
        field.value = value;
        field.dispatchEvent(new InputEvent("input", { bubbles: true, isComposing: true }));
      } else if (kind === "start") field.dispatchEvent(new CompositionEvent("compositionstart", { bubbles: true }));
      else if (kind === "update") field.dispatchEvent(new CompositionEvent("compositionupdate", { bubbles: true, data: value }));
      else if (kind === "end") field.dispatchEvent(new CompositionEvent("compositionend", { bubbles: true, data: value }));
      else if (kind === "down") field.dispatchEvent(new KeyboardEvent("keydown", { bubbles: true, cancelable: true, ...value }));
      else if (kind === "up") field.dispatchEvent(new KeyboardEvent("keyup", { bubbles: true, key: "Enter", code: "Enter" }));
      else await new Promise((resolve) => setTimeout(resolve, value));
    }
    await new Promise((resolve) => setTimeout(resolve, 60));
  }, steps);
}

const korean = (before, last) => [["text", before], ["start"], ["update", last], ["text", before + last]];

// name, steps, the messages that must have been sent
const kSequences = [
  ["Korean, Chrome on macOS: one keydown inside the composition",
    [...korean("안녕하세", "요"), ["down", kComposingEnter], ["end", "요"], ["wait", 5], ["up"]], ["안녕하세요"]],
  ["Korean, Chrome on Windows: the key is called Process and comes again after the composition",
    [...korean("안녕하세", "요"), ["down", kWindowsEnter], ["end", "요"], ["down", kPlainEnter], ["wait", 5], ["up"]], ["안녕하세요"]],
  ["Korean: the second keydown comes after the send",
    [...korean("안녕하세", "요"), ["down", kComposingEnter], ["end", "요"], ["wait", 30], ["down", kPlainEnter], ["up"]], ["안녕하세요"]],
  ["Korean, Safari: the composition ends before the key",
    [...korean("안녕하세", "요"), ["end", "요"], ["down", kSafariEnter], ["wait", 5], ["up"]], ["안녕하세요"]],
  ["Korean, Linux (IBus): committed first, then a plain Enter",
    [...korean("안녕하세", "요"), ["end", "요"], ["down", kPlainEnter], ["up"]], ["안녕하세요"]],
  ["Korean: a lone letter of the alphabet (ㅋ) sends too",
    [...korean("ㅋㅋ", "ㅋ"), ["down", kComposingEnter], ["end", "ㅋ"], ["wait", 5], ["up"]], ["ㅋㅋㅋ"]],
  ["Korean: the key goes up before the send was due, and the next Enter sends the next message",
    [...korean("하나", "둘"), ["down", kComposingEnter], ["end", "둘"], ["up"], ["wait", 30]], ["하나둘"]],
  ["Japanese: Enter takes the candidate and sends nothing",
    [["start"], ["update", "にほん"], ["update", "日本"], ["text", "日本"], ["down", kComposingEnter], ["end", "日本"], ["wait", 5], ["up"]], []],
  ["Japanese: the next Enter sends",
    [["start"], ["update", "日本"], ["text", "日本"], ["down", kWindowsEnter], ["end", "日本"], ["up"], ["wait", 5], ["down", kPlainEnter], ["up"]], ["日本"]],
  ["Japanese kana only: Enter takes them and sends nothing",
    [["start"], ["update", "はい"], ["text", "はい"], ["down", kComposingEnter], ["end", "はい"], ["wait", 5], ["up"]], []],
  ["Japanese, Safari: the key after the composition sends nothing",
    [["start"], ["update", "日本"], ["text", "日本"], ["end", "日本"], ["down", kSafariEnter], ["wait", 5], ["up"]], []],
  ["Chinese: Enter keeps the letters and sends nothing",
    [["start"], ["update", "nihao"], ["text", "nihao"], ["down", kComposingEnter], ["end", "nihao"], ["wait", 5], ["up"]], []],
  ["Chinese: candidate by space, then Enter sends",
    [["start"], ["update", "ni hao"], ["update", "你好"], ["text", "你好"], ["end", "你好"], ["wait", 80], ["down", kPlainEnter], ["up"]], ["你好"]],
  ["Hanja: a candidate taken with Enter is no send",
    [["start"], ["update", "한"], ["update", "韓"], ["text", "韓"], ["down", kWindowsEnter], ["end", "韓"], ["wait", 5], ["up"]], []],
  ["Shift and Enter inside a Korean composition is a line break",
    [...korean("안", "녕"), ["down", { ...kComposingEnter, shiftKey: true }], ["end", "녕"], ["wait", 5], ["up"]], []],
  ["a composition that was called off sends nothing",
    [["text", "가"], ["start"], ["update", "나"], ["update", ""], ["end", ""], ["wait", 80], ["up"]], []],
  ["Enter that is held down sends once",
    [["text", "hello"], ["down", kPlainEnter], ["down", { ...kPlainEnter, repeat: true }], ["down", { ...kPlainEnter, repeat: true }], ["up"]], ["hello"]],
];

test("sequences of composition and Enter send exactly what they should", () =>
  session({}, async ({ page, server, sent }) => {
    for (const [name, steps, expected] of kSequences) {
      await page.click(".new-chat");
      await page.waitForSelector(".welcome");
      await page.fill("#composer", "");
      server.state.log.length = 0;
      await play(page, steps);
      assert.equal(await page.locator(".turn-user").count(), expected.length, name);
      if (expected.length > 0) await page.waitForSelector(kDone);
      assert.deepEqual(sent().map((body) => body.messages.at(-1).content), expected, name);
      if (expected.length > 0) assert.equal(await page.inputValue("#composer"), "", name);
    }
  }));

test("after a Korean send the next message needs one Enter again", () =>
  session({}, async ({ page, sent }) => {
    await play(page, [...korean("하나", "둘"), ["down", kComposingEnter], ["end", "둘"], ["wait", 5], ["up"]]);
    await page.waitForSelector(kDone);
    await play(page, [["text", "right"], ["down", kPlainEnter], ["up"]]);
    await counts(page, ".turn-answer footer", 2);
    assert.deepEqual(sent().map((body) => body.messages.at(-1).content), ["하나둘", "right"]);
  }));

// The browser's own composition, not dispatched events: the last syllable is in the field only after compositionend.
test("Chromium's real composition: the last syllable is sent, once", () =>
  session({}, async ({ page, sent, context }) => {
    await page.focus("#composer");
    const cdp = await context.newCDPSession(page);
    for (const syllable of ["고", "래"]) {
      await cdp.send("Input.imeSetComposition", { text: syllable, selectionStart: 1, selectionEnd: 1 });
      if (syllable === "고") await cdp.send("Input.insertText", { text: syllable });
    }
    await cdp.send("Input.dispatchKeyEvent", { type: "rawKeyDown", key: "Process", code: "Enter", windowsVirtualKeyCode: 229 });
    await cdp.send("Input.insertText", { text: "래" });
    await cdp.send("Input.dispatchKeyEvent", { type: "keyUp", key: "Process", code: "Enter", windowsVirtualKeyCode: 229 });
    await page.waitForSelector(kDone);
    assert.equal(await page.locator(".turn-user").count(), 1);
    assert.deepEqual(sent().map((body) => body.messages.at(-1).content), ["고래"]);
  }));
