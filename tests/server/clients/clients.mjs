// The official clients of OpenAI, Anthropic and Ollama, unchanged, against the scripted server: node clients.mjs URL
import assert from "node:assert/strict";
import test from "node:test";
import Anthropic from "@anthropic-ai/sdk";
import { Ollama } from "ollama";
import OpenAI from "openai";

const url = process.env.MINKE_URL;
const apiKey = "sk-minke-test-key-0";
const answer = "안녕하세요, this is the answer.";
const thought = "first I think";
const user = (content) => [{ role: "user", content }];

const openai = new OpenAI({ baseURL: `${url}/v1`, apiKey, maxRetries: 0 });
const anthropic = new Anthropic({ baseURL: url, apiKey, maxRetries: 0 });
const ollama = new Ollama({ host: url, headers: { Authorization: `Bearer ${apiKey}` } });

const weather = { name: "weather", description: "of a city", parameters: { type: "object", properties: { city: { type: "string" } } } };
const tools = [{ type: "function", function: weather }];
const format = { type: "json_schema", json_schema: { name: "place", schema: weather.parameters } };

test("openai: text, thought, usage", async () => {
  const reply = await openai.chat.completions.create({ model: "script", messages: user("think") });
  assert.equal(reply.choices[0].message.content, answer);
  assert.equal(reply.choices[0].message.reasoning_content, thought);
  assert.equal(reply.usage.total_tokens, reply.usage.prompt_tokens + reply.usage.completion_tokens);
});

test("openai: stream, with its own accumulator", async () => {
  const stream = openai.chat.completions.stream({ model: "script", messages: user("think"), stream_options: { include_usage: true } });
  const reply = await stream.finalChatCompletion();
  assert.equal(reply.choices[0].message.content, answer);
  assert.equal(reply.choices[0].finish_reason, "stop");
  assert.equal(reply.usage.prompt_tokens, 10);
});

test("openai: tools and schema, streamed and not", async () => {
  for (const stream of [false, true]) {
    const call = { model: "script", messages: user("call"), tools };
    const reply = stream ? await openai.chat.completions.stream(call).finalChatCompletion() : await openai.chat.completions.create(call);
    assert.equal(reply.choices[0].finish_reason, "tool_calls");
    assert.equal(reply.choices[0].message.tool_calls[0].function.name, "weather");
    assert.deepEqual(JSON.parse(reply.choices[0].message.tool_calls[0].function.arguments), { city: "서울" });
    const place = { model: "script", messages: user("json"), response_format: format };
    const json = stream ? await openai.chat.completions.stream(place).finalChatCompletion() : await openai.chat.completions.create(place);
    assert.deepEqual(JSON.parse(json.choices[0].message.content), { city: "서울" });
  }
});

test("openai: responses", async () => {
  const reply = await openai.responses.create({ model: "script", input: "think" });
  assert.equal(reply.output_text, answer);
  const types = [];
  let text = "";
  for await (const event of await openai.responses.create({ model: "script", input: "think", stream: true })) {
    types.push(event.type);
    if (event.type === "response.output_text.delta") text += event.delta;
  }
  assert.equal(text, answer);
  assert.equal(types[0], "response.created");
  assert.equal(types.at(-1), "response.completed");
  const whole = await openai.responses.stream({ model: "script", input: "call", tools: [{ type: "function", strict: false, ...weather }] }).finalResponse();
  assert.equal(whole.output[0].type, "function_call");
});

test("openai: models, embeddings, completions", async () => {
  assert.equal((await openai.models.list()).data[0].id, "script");
  // The client asks for base64 unless told otherwise, and decodes it.
  assert.deepEqual(Array.from((await openai.embeddings.create({ model: "script", input: "x" })).data[0].embedding), [1, 0, -0.5]);
  assert.equal((await openai.completions.create({ model: "script", prompt: "x" })).choices[0].text, answer);
});

test("openai: errors", async () => {
  await assert.rejects(openai.chat.completions.create({ model: "nothing", messages: user("x") }), OpenAI.NotFoundError);
  await assert.rejects(openai.chat.completions.create({ model: "script", messages: user("x"), temperature: 9 }), OpenAI.BadRequestError);
  await assert.rejects(new OpenAI({ baseURL: `${url}/v1`, apiKey: "wrong", maxRetries: 0 }).models.list(), OpenAI.AuthenticationError);
  await assert.rejects(async () => {
    for await (const _ of await openai.chat.completions.create({ model: "script", messages: user("fail"), stream: true }));
  }, /half-way/);
});

test("openai: cancel", async () => {
  const stream = await openai.chat.completions.create({ model: "script", messages: user("slow"), stream: true });
  let n = 0;
  for await (const _ of stream) {
    if (++n === 5) stream.controller.abort();
  }
  assert.ok(n < 100);
  for (let i = 0; ; ++i) {
    const text = await (await fetch(`${url}/metrics`, { headers: { "x-api-key": apiKey } })).text();
    if (text.includes("vllm:num_requests_running 0")) break;
    assert.ok(i < 100, "the request still runs");
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
});

test("anthropic: messages, stream, tools, thinking, count, errors", async () => {
  const call = { model: "script", max_tokens: 100, messages: user("hello") };
  assert.equal((await anthropic.messages.create(call)).content[0].text, answer);
  const thinking = { ...call, thinking: { type: "enabled", budget_tokens: 1024 }, max_tokens: 2000 };
  for (const reply of [await anthropic.messages.create(thinking), await anthropic.messages.stream(thinking).finalMessage()]) {
    assert.equal(reply.content[0].thinking, thought);
    assert.ok(reply.content[0].signature);
    assert.equal(reply.content[1].text, answer);
    assert.equal(reply.stop_reason, "end_turn");
  }
  const used = await anthropic.messages.stream({ ...call, messages: user("call"), tools: [{ name: "weather", input_schema: weather.parameters }] }).finalMessage();
  assert.deepEqual(used.content[0].input, { city: "서울" });
  assert.equal(used.stop_reason, "tool_use");
  assert.equal((await anthropic.messages.countTokens({ model: "script", messages: user("x") })).input_tokens, 7);
  await assert.rejects(anthropic.messages.create({ ...call, temperature: 5 }), Anthropic.BadRequestError);
  await assert.rejects(anthropic.messages.stream({ ...call, messages: user("fail") }).finalMessage(), /half-way/);
});

test("ollama: chat, stream, tools, thinking, format, lists, errors", async () => {
  assert.equal((await ollama.chat({ model: "script", messages: user("hello") })).message.content, answer);
  let text = "";
  let thinking = "";
  for await (const part of await ollama.chat({ model: "script", messages: user("hello"), think: true, stream: true })) {
    text += part.message.content;
    thinking += part.message.thinking ?? "";
  }
  assert.equal(text, answer);
  assert.equal(thinking, thought);
  const used = await ollama.chat({ model: "script", messages: user("call"), tools });
  assert.deepEqual(used.message.tool_calls[0].function.arguments, { city: "서울" });
  assert.deepEqual(JSON.parse((await ollama.generate({ model: "script", prompt: "x", format: weather.parameters })).response), { city: "서울" });
  assert.equal((await ollama.list()).models[0].name, "script:latest");
  assert.ok((await ollama.show({ model: "script" })).capabilities.includes("thinking"));
  assert.deepEqual((await ollama.embed({ model: "script", input: "x" })).embeddings, [[1, 0, -0.5]]);
  await assert.rejects(ollama.chat({ model: "nothing", messages: user("x") }), /not found/);
  await assert.rejects(ollama.pull({ model: "x" }), /minke pull/);
});
