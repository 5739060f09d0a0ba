// The Plan page against the planner's recorded answers (mock/plan.jsonl; mock/plan.mjs says how they are recorded).
import assert from "node:assert/strict";
import { after, test } from "node:test";
import { closeBrowser, counts, eventually, rests, session, shot, shows } from "./support.mjs";

after(closeBrowser);

// On the way to a question others may be asked, which nobody has recorded; the page shows the last one.
const kPlan = { hash: "#/plan", expectedErrors: [/status of 400/] };
const asked = (server, kind) => server.state.log.filter((entry) => entry.path === "/api/minke/plan" && entry.body.kind === kind).map((entry) => entry.body);
const parameters = (page) => Object.fromEntries(new URLSearchParams(page.url().split("?")[1]));

test("the first question is V3 as published: its sum, layout, parts, devices, curve, and what is not in it", () =>
  session(kPlan, async ({ page }) => {
    await shows(page, ".plan-headline strong", "$5.57M");
    await shows(page, ".plan-headline", /rented[\s\S]*\$4\.42M to \$8\.18M/);
    await shows(page, ".preset[aria-pressed=true]", "V3 as published");
    await shows(page, ".preset-note", /5\.576 M\$/);
    await shows(page, ".plan-facts", /pp16 cp1 ep64 dp128, dualpipe/);
    await shows(page, ".plan-left-out", /people, data and its licences/);
    await counts(page, ".parts:has(figcaption:text-is('Three amounts for one run')) li", 3);
    await shows(page, ".parts:has(figcaption:has-text('Where a step'))", /products[\s\S]*idle/);
    await shows(page, ".parts:has(figcaption:has-text('Memory of the fullest'))", /activations[\s\S]*free/);
    await shows(page, ".parts:has(figcaption:has-text('other devices'))", /H800[\s\S]*H20[\s\S]*\$14\.3M/);
    await page.waitForSelector(".plan-sweep canvas");
    await shows(page, ".plan-figures", /Device-hours\s+2\.21M\s+2\.78M\s+4\.09M/);
    await page.waitForURL(/#\/plan\?kind=train&model=deepseek-v3&device=H800&devices=2048&tokens=14800000000000/);
  }));

test("every input has a source and every formula its numbers", () =>
  session(kPlan, async ({ page }) => {
    await page.click(".plan-working summary");
    await shows(page, ".plan-working", /device-hours x price[\s\S]*2\.7846e\+06 h x 2 \$\/h/);
    await eventually(async () => {
      const sources = await page.locator(".plan-working .table:last-child td:last-child").allInnerTexts();
      assert.ok(sources.length > 10 && sources.every((source) => source.trim() !== ""));
    });
    await shows(page, ".plan-sources", /H800: ISCA 2025/);
  }));

test("presets: another device, the programme, reinforcement learning, serving; the back button returns", () =>
  session(kPlan, async ({ page }) => {
    await shows(page, ".plan-headline strong", "$5.57M");
    await page.click(".preset:has-text('V3 on H20')");
    await shows(page, ".plan-headline strong", "$14.3M");
    await page.waitForURL(/device=H20/);
    await page.click(".preset:has-text('every failed run')");
    await shows(page, ".plan-headline", /programme[\s\S]*\$22\.3M/);
    await page.click(".preset:has-text('R1')");
    await shows(page, ".plan-headline", /Money[\s\S]*\$172K/);
    await shows(page, ".plan-facts", /waits for its longest answer/);
    await shows(page, ".parts", /writing[\s\S]*learning[\s\S]*scoring/);
    await page.click(".preset:has-text('Serving R1')");
    await shows(page, ".plan-headline", /output tokens[\s\S]*\$0\.212/);
    await shows(page, "section:has(h2:has-text('API'))", /deepseek-r1\s+2025-01-20\s+\$3\.34\s+11%/);
    await page.goBack();
    await shows(page, ".plan-headline", /Money[\s\S]*\$172K/);
    await shows(page, ".preset[aria-pressed=true]", "R1's reinforcement learning");
  }));

test("sliders by keyboard change the answer and the address; an input is automatic again", () =>
  session(kPlan, async ({ page, server }) => {
    await shows(page, ".plan-headline strong", "$5.57M");
    const price = page.locator("#in-usd_per_hour");
    await price.focus();
    await page.keyboard.press("End");
    await shows(page, ".plan-headline strong", "$55.7M");
    await eventually(() => assert.equal(parameters(page).usd_per_hour, "20"));
    assert.equal(await price.getAttribute("aria-valuetext"), "20");
    await page.click("[aria-label='Price of a device, $/h: automatic again']");
    await shows(page, ".plan-headline", /\$5\.57M[\s\S]*\$3\.32M to \$10\.2M/);  // the range of the tables
    await eventually(() => assert.equal(parameters(page).usd_per_hour, undefined));
    await page.locator("#in-devices").focus();
    await page.keyboard.press("ArrowRight");
    await eventually(() => assert.equal(asked(server, "train").at(-1).devices, 3072));
    assert.equal(asked(server, "train").at(-1).layout, undefined, "a layout of 2,048 devices went with them");
    await shows(page, ".plan-facts", /dp/);
  }));

test("a number can be typed as people write it; what is none is marked", () =>
  session(kPlan, async ({ page, server }) => {
    const tokens = page.locator("[aria-label='Training tokens, as a number']");
    await eventually(async () => assert.equal(await tokens.inputValue(), "14.8T"));
    await tokens.fill("30T");
    await tokens.press("Enter");
    await eventually(() => assert.equal(asked(server, "train").at(-1).tokens, 30e12));
    await shows(page, ".plan-headline strong", "$11M");
    await tokens.fill("many");
    await tokens.press("Enter");
    await page.waitForSelector("[aria-label='Training tokens, as a number'][aria-invalid=true]");
    assert.equal(asked(server, "train").at(-1).tokens, 30e12);
  }));

test("what is being typed stays while answers arrive and other inputs move", () =>
  session(kPlan, async ({ page, server }) => {
    const tokens = page.locator("[aria-label='Training tokens, as a number']");
    await eventually(async () => assert.equal(await tokens.inputValue(), "14.8T"));
    await tokens.fill("");
    await tokens.pressSequentially("30");
    await page.locator("#in-usd_per_hour").evaluate((slider) => {
      slider.value = slider.max;
      slider.dispatchEvent(new Event("input", { bubbles: true }));
    });
    await eventually(() => assert.equal(asked(server, "train").at(-1).usd_per_hour, 20));
    assert.equal(await tokens.inputValue(), "30");
    await tokens.pressSequentially("T");
    await tokens.press("Enter");
    await eventually(() => assert.equal(asked(server, "train").at(-1).tokens, 30e12));
  }));

test("an address is the whole question: opened elsewhere it gives the same answer", () =>
  session({ ...kPlan, hash: "#/plan?kind=train&model=deepseek-v3&device=H800&devices=2048&tokens=14800000000000&what_if.compute=2" }, async ({ page, server, context }) => {
    await shows(page, ".plan-headline", /\$/);
    await page.waitForSelector("details[open] #in-what_if\\.compute");
    assert.deepEqual(asked(server, "train").at(-1).what_if, { compute: 2 });
    await context.grantPermissions(["clipboard-read", "clipboard-write"]);
    await page.click("button:has-text('Copy the link')");
    await shows(page, ".notice", /The link is copied/);
    const link = await page.evaluate(() => navigator.clipboard.readText());
    assert.equal(link, page.url());
    const before = await page.locator(".plan-headline").innerText();
    const other = await context.newPage();
    await other.goto(link);
    await shows(other, ".plan-headline", before);
    await other.close();
  }));

test("a layout that cannot be is refused with the nearest one that works, and can be let go", () =>
  session(kPlan, async ({ page }) => {
    await shows(page, ".plan-headline strong", "$5.57M");
    const layout = page.locator(".plan-text input");
    await layout.fill("pp16,ep48,dp128");
    await layout.press("Enter");
    await shows(page, ".plan-refusal", /256 experts cannot be spread evenly over 48 devices; the nearest that works: tp1 pp16 cp1 ep64 dp128/);
    assert.equal(await page.locator(".plan-refusal").getAttribute("role"), "alert");
    await page.click("button:has-text('Let the planner choose the layout')");
    await shows(page, ".plan-headline strong", "$5.4M");
    await counts(page, ".plan-refusal", 0);
  }));

test("what an address asks wrongly is said with the key and what is possible", () =>
  session({ ...kPlan, hash: "#/plan?kind=train&model=deepseek-v3&device=H801&devices=2048&tokens=1e12" }, async ({ page }) => {
    await shows(page, ".plan-refusal", /device = "H801": [\s\S]*did you mean "H800"/);
    await page.click("button:has-text('Back to the first question')");
    await shows(page, ".plan-headline strong", "$5.57M");
  }));

test("one machine: this one as it was measured, or one of the tables beside others", () =>
  session(kPlan, async ({ page, server }) => {
    await page.click(".preset:has-text('Your own machine')");
    await eventually(() => assert.equal(asked(server, "run").at(-1).read_gb_per_s, 38.4));  // of GET machine
    await shows(page, ".plan-headline", /Tokens\/s, answering/);
    await page.selectOption(".plan-select:has-text('Machine') select", "RTX-4090");
    await eventually(() => assert.equal(asked(server, "run").at(-1).device, "RTX-4090"));
    await shows(page, ".range-bars .own", /RTX 4090/);
    await counts(page, "#in-read_gb_per_s", 0);
    await page.click(".preset:has-text('V3 on a desk')");
    await shows(page, ".plan-headline strong", "20.1");
    await shows(page, ".plan-facts", /377 GB are needed; it fits/);
    await shows(page, ".range-bars li:has-text('RTX 4090')", /need/);
  }));

test("the curve is that of the chosen property", () =>
  session(kPlan, async ({ page, server }) => {
    await page.waitForSelector(".plan-sweep canvas");
    await page.selectOption(".plan-sweep select", "price");
    await eventually(() => assert.equal(asked(server, "compare").at(-1).sweep.property, "price"));
    await shows(page, ".plan-sweep figcaption", /multiple of Price/);
  }));

test("in Korean: texts, sentences and numbers", () =>
  session({ ...kPlan, context: { locale: "ko-KR" } }, async ({ page, server }) => {
    await shows(page, ".plan-headline", /최종 실행, 임대[\s\S]*\$557만/);
    await shows(page, ".plan-left-out", /인건비, 데이터와 사용권/);
    await shows(page, ".preset[aria-pressed=true]", "발표된 V3");
    assert.equal(asked(server, "train").at(-1).language, "ko");
    await page.click(".plan-kinds label:has-text('서비스')");
    await shows(page, ".plan-headline", /출력 100만 토큰/);
  }));

test("the server's page of before knows no planner: that is said", () =>
  session({ hash: "#/settings", expectedErrors: [/status of 501/] }, async ({ page }) => {
    await page.route("**/api/minke/plan", (route) => route.fulfill({ status: 501, body: '{"error":{"message":"no planner here","code":"not_supported"}}' }));
    await page.click(".views a[href='#/plan']");
    await shows(page, ".card.warn", /no planner here/);
    await rests(page);
    await shot(page, "plan-none");
  }));
