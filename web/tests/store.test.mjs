import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { after, test } from "node:test";
import { ask, closeBrowser, counts, eventually, session, shows } from "./support.mjs";

after(closeBrowser);
const kStatus = [/status of (401|403|423)/];

test("a reload keeps the history and the chat that was open", () =>
  session({}, async ({ page }) => {
    await ask(page, "right");
    await page.reload();
    await page.waitForSelector(".turn-answer");
    await shows(page, ".entry.current a", "right");
    await shows(page, ".turn-answer > .markdown", /makes 24/);
    await counts(page, ".figures-line", 1);
  }));

test("a wrong passphrase opens nothing and says so; the right one opens", () =>
  session({ server: { store: "locked", passphrase: "whale", sample: true }, expectedErrors: kStatus }, async ({ page }) => {
    await page.waitForSelector("text=Your chats are locked");
    assert.equal(await page.locator(".entry").count(), 0);
    await page.fill("input[type=password]", "shark");
    await page.click("button[type=submit]");
    await page.waitForSelector("text=That is not the passphrase");
    await page.fill("input[type=password]", "whale");
    await page.keyboard.press("Enter");
    await page.waitForSelector(".entry");
  }));

test("a server with a key asks for it and forgets it with the tab", () =>
  session({ server: { key: "secret" }, expectedErrors: kStatus }, async ({ page }) => {
    await page.fill("input[type=password]", "guess");
    await page.click("button[type=submit]");
    await page.waitForSelector("text=The server does not take this key");
    await page.fill("input[type=password]", "secret");
    await page.click("button[type=submit]");
    await ask(page, "right");
    assert.equal(await page.evaluate(() => JSON.stringify({ ...localStorage }).includes("secret")), false);
  }));

test("search, pin, folder, rename, archive and back", () =>
  session({ server: { sample: true } }, async ({ page }) => {
    const menu = async (title, item) => {
      await page.hover(`.entry:has(a[title="${title}"])`);
      await page.click(`.entry:has(a[title="${title}"]) .menu-box > button`);
      await page.getByRole("menuitem", { name: item, exact: true }).click();
    };
    await page.fill("#search", "kimchi");
    await counts(page, ".entry", 1);
    await page.fill("#search", "");
    await counts(page, ".entry", 9);
    await menu("Recipe for kimchi stew", "Pin");
    await page.waitForSelector("section:has(h3:has-text('Pinned')) a[title='Recipe for kimchi stew']");
    await menu("A letter to the landlord", "Move to a folder");
    await page.fill(".ask input", "Home");
    await page.click(".ask .primary");
    await page.waitForSelector("section:has(h3:has-text('Home')) a[title='A letter to the landlord']");
    await menu("GRPO, step by step", "Rename");
    await page.fill(".ask input", "GRPO notes");
    await page.keyboard.press("Enter");
    await page.waitForSelector("a[title='GRPO notes']");
    await menu("GRPO notes", "Archive");
    await counts(page, "a[title='GRPO notes']", 0);
    await page.click(".views button");
    await page.waitForSelector("a[title='GRPO notes']");
    await menu("GRPO notes", "Take out of the archive");
    await counts(page, "a[title='GRPO notes']", 0);
  }));

test("export gives the chat, delete takes it away", () =>
  session({}, async ({ page, server }) => {
    await ask(page, "right");
    const item = async (name) => {
      await page.click(".bar [aria-label^='Menu of']");
      await page.click(`[role=menuitem]:has-text('${name}')`);
    };
    const [asJson] = await Promise.all([page.waitForEvent("download"), item("Export as JSON")]);
    assert.equal(asJson.suggestedFilename(), "right.json");
    assert.equal(JSON.parse(readFileSync(await asJson.path(), "utf8")).messages.length, 2);
    const [asText] = await Promise.all([page.waitForEvent("download"), item("Export as Markdown")]);
    assert.match(readFileSync(await asText.path(), "utf8"), /makes 24/);
    await item("Delete");
    await page.click(".dialog .danger");
    await page.waitForSelector(".welcome");
    await eventually(() => assert.equal(server.state.conversations.size, 0));
    await counts(page, ".entry", 0);
  }));

test("all chats go out and come in again; shredding needs the word", () =>
  session({ server: { sample: true }, hash: "#/privacy" }, async ({ page, server }) => {
    const [all] = await Promise.all([page.waitForEvent("download"), page.click("text=Export all")]);
    const text = readFileSync(await all.path(), "utf8");
    assert.equal(JSON.parse(text).conversations.length, 10);
    await page.click("button:has-text('Destroy everything')");
    await page.waitForSelector(".dialog .danger:disabled");
    await page.fill(".dialog input", "destroy");
    await page.click(".dialog .danger");
    await page.waitForSelector("text=Chats are not kept");
    assert.equal(server.state.conversations.size, 0);
    await page.fill("input[type=password] >> nth=0", "moby");
    await page.fill("input[type=password] >> nth=1", "dick");
    await page.waitForSelector("form .primary:disabled");
    await page.fill("input[type=password] >> nth=1", "moby");
    await page.click("form .primary");
    await page.waitForSelector("text=Chats are kept, encrypted");
    await page.setInputFiles("input[type=file]", { name: "all.json", mimeType: "application/json", buffer: Buffer.from(text) });
    await page.waitForSelector("text=10 chats imported");
    await eventually(() => assert.equal(server.state.conversations.size, 10));
  }));

test("retention is asked for before it deletes; the ledger of connections is shown", () =>
  session({ server: { sample: true, outbound: true }, hash: "#/privacy" }, async ({ page, server }) => {
    await page.selectOption("select", "30");
    await page.click(".dialog .danger");
    await counts(page, "dialog", 0);
    await eventually(() => assert.equal(server.state.retention, 30));
    await page.waitForSelector("td:has-text('huggingface.co')");
    await shows(page, "tfoot", /MiB/);
  }));

test("without a store nothing is kept, and a temporary chat is not either", () =>
  session({ server: { store: "none" } }, async ({ page, server, sent }) => {
    await ask(page, "right");
    assert.equal(sent()[0].minke.temporary, true);
    assert.equal(server.state.conversations.size, 0);
    await shows(page, ".bar .chip", "not kept");
    await page.click(".side-note a");
    await page.waitForSelector("text=Chats are not kept");
    await page.click("button:has-text('Use a key file')");
    await page.waitForSelector("text=Chats are kept, encrypted");
    await page.click("[aria-label='Temporary chat']");
    await page.waitForSelector("text=nothing of it is written to disk");
    await ask(page, "wrong");
    assert.equal(sent()[1].minke.temporary, true);
    assert.equal(server.state.conversations.size, 0);
  }));

test("a server that is not there is waited for", () =>
  session({ expectedErrors: [/ERR_CONNECTION_REFUSED/, /Failed to load/] }, async ({ page }) => {
    await page.waitForSelector("#composer");
    await page.route("**/v1/models", (route) => route.abort("connectionrefused"));
    await page.reload();
    await page.waitForSelector("text=The server does not answer");
    await page.unroute("**/v1/models");
    await page.waitForSelector("#composer");
  }));

test("a server without a store or settings can be talked to", () =>
  session({ expectedErrors: [/status of 501/] }, async ({ page, sent }) => {
    await page.route("**/api/minke/**", (route) => route.fulfill({ status: 501, body: '{"error":{"message":"no services","code":"not_supported"}}' }));
    await page.reload();
    await page.waitForSelector("#composer");
    await ask(page, "right");
    assert.equal(sent()[0].minke.temporary, true);
    assert.equal(sent()[0].minke.text, undefined);
  }));
