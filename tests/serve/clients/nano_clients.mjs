// The official clients of OpenAI, Anthropic and Ollama, unchanged, against a real model: what it says is not known beforehand, its
// form is.
import assert from "node:assert/strict";
import test from "node:test";
import Anthropic from "@anthropic-ai/sdk";
import { Ollama } from "ollama";
import OpenAI from "openai";

const url = process.env.MINKE_URL;
const apiKey = "sk-minke-test-key-0";
const question = "Use 19, 7, 15 to make 27. Each number at most once, with + - * / and parentheses. Reply as 'Answer: expression'.";
const user = (content) => [{ role: "user", content }];
const call = { model: "nano", messages: user(question), temperature: 0, seed: 7, max_tokens: 300 };

const openai = new OpenAI({ baseURL: `${url}/v1`, apiKey, maxRetries: 0 });
const anthropic = new Anthropic({ baseURL: url, apiKey, maxRetries: 0 });
const ollama = new Ollama({ host: url, headers: { Authorization: `Bearer ${apiKey}` } });

const schema = {
  type: "object",
  properties: { n: { type: "integer", minimum: 0, maximum: 99 }, kind: { enum: ["even", "odd"] } },
  required: ["n", "kind"],
  additionalProperties: false,
};
const format = { type: "json_schema", json_schema: { name: "parity", schema, strict: true } };
function expectParity(text) {
  const value = JSON.parse(text);
  assert.deepEqual(Object.keys(value), ["n", "kind"]);
  assert.ok(Number.isInteger(value.n) && value.n >= 0 && value.n <= 99 && ["even", "odd"].includes(value.kind), text);
}
const isClean = (text) => !/think>|<\|/.test(text);

test("openai: thought, answer, usage; the stream says the same", async () => {
  const reply = await openai.chat.completions.create(call);
  const message = reply.choices[0].message;
  assert.match(message.content, /^Answer:/);
  assert.ok(message.reasoning_content.length > 0 && isClean(message.content) && isClean(message.reasoning_content));
  assert.ok(reply.usage.completion_tokens_details.reasoning_tokens > 0);
  const stream = openai.chat.completions.stream({ ...call, stream_options: { include_usage: true } });
  let thought = "";
  stream.on("chunk", (chunk) => { thought += chunk.choices[0]?.delta.reasoning_content ?? ""; });
  const streamed = await stream.finalChatCompletion();
  assert.equal(streamed.choices[0].message.content, message.content);
  assert.equal(thought, message.reasoning_content);
  assert.equal(streamed.usage.completion_tokens, reply.usage.completion_tokens);
  assert.ok(streamed.usage.prompt_tokens_details.cached_tokens > 0);
});

test("openai: thinking off, and a budget", async () => {
  const off = await openai.chat.completions.create({ ...call, thinking: { type: "disabled" } });
  assert.ok(!off.choices[0].message.reasoning_content);
  assert.equal(off.usage.completion_tokens_details.reasoning_tokens, 0);
  const short = await openai.chat.completions.create({ ...call, minke: { thinking: { enabled: true, budget: 5 }, temporary: true } });
  assert.ok(short.usage.completion_tokens_details.reasoning_tokens <= 6);
  assert.ok(short.choices[0].message.content.length > 0);
});

test("openai: a schema holds, streamed and not, with thought and without", async () => {
  for (const type of ["enabled", "disabled"]) {
    const wanted = { ...call, temperature: 1, thinking: { type }, response_format: format };
    expectParity((await openai.chat.completions.create(wanted)).choices[0].message.content);
    expectParity((await openai.chat.completions.stream(wanted).finalChatCompletion()).choices[0].message.content);
  }
});

test("openai: several answers, stop, logprobs", async () => {
  const reply = await openai.chat.completions.create({ ...call, n: 3, stop: [":"], logprobs: true, top_logprobs: 2 });
  assert.equal(reply.choices.length, 3);
  for (const choice of reply.choices) {
    assert.equal(choice.message.content, "Answer");
    assert.equal(choice.finish_reason, "stop");
    assert.equal(choice.logprobs.content[0].top_logprobs.length, 2);
  }
});

test("openai: responses, completions, embeddings, models", async () => {
  const reply = await openai.responses.create({ model: "nano", input: question, temperature: 0 });
  assert.match(reply.output_text, /^Answer:/);
  const text = await openai.completions.create({ model: "nano", prompt: "Use 19, 7", max_tokens: 5, temperature: 0 });
  assert.equal(text.usage.completion_tokens, 5);
  const made = await openai.embeddings.create({ model: "nano", input: ["one", "둘"] });
  assert.equal(made.data[1].embedding.length, 192);
  assert.equal((await openai.models.list()).data[0].id, "nano");
});

test("openai: errors", async () => {
  await assert.rejects(openai.chat.completions.create({ ...call, model: "nothing" }), OpenAI.NotFoundError);
  await assert.rejects(openai.chat.completions.create({ ...call, messages: user("word ".repeat(2000)) }), (error) => {
    assert.equal(error.status, 400);
    assert.equal(error.code, "context_length_exceeded");
    assert.match(error.message, /1024/);
    return true;
  });
  await assert.rejects(openai.chat.completions.create({ ...call, tools: [{ type: "function", function: { name: "f" } }] }), /tools/);
  const bad = { type: "json_schema", json_schema: { name: "x", schema: { not: {} } } };
  await assert.rejects(openai.chat.completions.create({ ...call, response_format: bad }), OpenAI.BadRequestError);
});

test("openai: cancel frees the model", async () => {
  const stream = await openai.chat.completions.create({ ...call, max_tokens: 900, temperature: 2, stream: true });
  let n = 0;
  for await (const _ of stream) {
    if (++n === 3) stream.controller.abort();
  }
  for (let i = 0; ; ++i) {
    const text = await (await fetch(`${url}/metrics`, { headers: { "x-api-key": apiKey } })).text();
    if (/vllm:num_requests_running 0/.test(text)) break;
    assert.ok(i < 200, "the request still runs");
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
});

test("openai: 16 at a time say what one says alone", async () => {
  const alone = (await openai.chat.completions.create(call)).choices[0].message.content;
  const replies = await Promise.all(Array.from({ length: 16 }, () => openai.chat.completions.create(call)));
  for (const reply of replies) assert.equal(reply.choices[0].message.content, alone);
});

test("anthropic: messages, stream, thinking, count", async () => {
  const ask = { model: "nano", max_tokens: 300, messages: user(question), temperature: 0 };
  const thinking = { ...ask, temperature: 1, thinking: { type: "enabled", budget_tokens: 1024 }, max_tokens: 2000 };
  for (const reply of [await anthropic.messages.create(thinking), await anthropic.messages.stream(thinking).finalMessage()]) {
    assert.equal(reply.content[0].type, "thinking");
    assert.ok(reply.content[0].thinking.length > 0);
    assert.equal(reply.content[1].type, "text");
  }
  assert.ok((await anthropic.messages.countTokens({ model: "nano", messages: user(question) })).input_tokens > 10);
  await assert.rejects(anthropic.messages.create({ ...ask, messages: user("word ".repeat(2000)) }), Anthropic.BadRequestError);
});

test("ollama: chat, stream, thinking, format, embed, lists", async () => {
  const options = { temperature: 0, num_predict: 300 };
  const reply = await ollama.chat({ model: "nano", messages: user(question), think: true, options });
  assert.match(reply.message.content, /^Answer:/);
  assert.ok(reply.message.thinking.length > 0);
  let text = "";
  for await (const part of await ollama.chat({ model: "nano", messages: user(question), think: true, options, stream: true }))
    text += part.message.content;
  assert.equal(text, reply.message.content);
  expectParity((await ollama.chat({ model: "nano", messages: user(question), think: false, format: schema, options })).message.content);
  assert.equal((await ollama.embed({ model: "nano", input: "x" })).embeddings[0].length, 192);
  assert.equal((await ollama.list()).models[0].name, "nano:latest");
  assert.ok((await ollama.show({ model: "nano" })).capabilities.includes("thinking"));
});

test("the page is inside of the program", async () => {
  const page = await fetch(url);
  assert.equal(page.status, 200);
  assert.match(page.headers.get("content-security-policy"), /default-src 'none'/);
  const html = await page.text();
  for (const [, path] of html.matchAll(/(?:src|href)="\.\/([^"]+)"/g)) {
    const file = await fetch(`${url}/${path}`);
    assert.equal(file.status, 200, path);
    assert.ok((await file.arrayBuffer()).byteLength > 100, path);
  }
});
