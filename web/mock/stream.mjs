// POST /v1/chat/completions of the mock: a script as server-sent events, kept in the store as the server would.
import { scriptFor } from "./scripts.mjs";

const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

function remember(state, body, prompt) {
  const { minke } = body;
  if (minke.temporary || state.store.state !== "open") return null;
  const isNew = minke.conversation === null;
  const system = body.messages[0].role === "system" ? body.messages[0].content : null;
  const conversation = isNew ? state.add((minke.text ?? prompt).slice(0, 40), { system }) : state.conversations.get(minke.conversation);
  const parent = conversation.messages.find((message) => message.id === minke.parent) ?? null;
  const user = parent?.role === "user" ? parent
    : state.addMessage(conversation, parent?.id ?? null, "user", minke.text ?? prompt, { attachments: minke.attachments ?? [] });
  const answer = state.addMessage(conversation, user.id, "assistant", "", { reasoning: "", model: body.model });
  return { conversation, user, answer };
}

function writer(response, model, id) {
  const write = (value) => response.write(typeof value === "string" ? value : `data: ${JSON.stringify({ id, object: "chat.completion.chunk", model, ...value })}\n\n`);
  return { write, delta: (delta, more = {}) => write({ choices: [{ index: 0, delta, finish_reason: null }], ...more }) };
}

// Cuts an event anywhere, inside a character of three bytes too, as networks do.
async function writeSplit(response, text) {
  const bytes = Buffer.from(text);
  for (let at = 0; at < bytes.length; at += 7) {
    response.write(bytes.subarray(at, at + 7));
    await sleep(0);
  }
}

function figures(body, script, counts, ending) {
  return {
    usage: {
      prompt_tokens: 143, completion_tokens: counts.thought + counts.answer, total_tokens: 143 + counts.thought + counts.answer, prompt_cache_hit_tokens: 128, prompt_cache_miss_tokens: 15,
      completion_tokens_details: { reasoning_tokens: counts.thought },
    },
    minke: {
      thinking_end: body.minke.thinking.enabled ? ending : "none", tokens_per_s: 47.3, prompt_s: 0.021, thought_s: counts.thought / 47.3, answer_s: counts.answer / 47.3,
      energy_j: 0.35 * (counts.thought + counts.answer), energy_estimated: true, money: { amount: 0.0000213, currency: "USD" }, verified: script.verified ?? null,
    },
  };
}

// In the middle of a thought or an answer: with holds the script stands still here until a test lets that part go on
// (State.release) or the client ends it, so that nothing a test looks at depends on how fast the machine is.
async function hold(state, live, script, part, n) {
  if (!state.options.holds || script.holds?.[part] !== n) return;
  const isOver = () => live.cancelled || live.released.has(part) || (part === "thought" && live.endThinking);
  while (!isOver()) await new Promise((resolve) => (live.wake = resolve));
}

async function speak(state, live, response, out, script, body, counts) {
  const kept = live.kept;
  const delay = state.options.holds ? 0 : script.delay ?? state.options.delay;
  let ending = script.ending ?? "finished";
  if (body.minke.thinking.enabled) {
    for (const piece of script.thought) {
      await hold(state, live, script, "thought", counts.thought);
      if (live.cancelled) return null;
      if (live.endThinking) {
        ending = "user";
        break;
      }
      out.delta({ reasoning_content: piece });
      if (kept) kept.answer.reasoning += piece;
      ++counts.thought;
      await sleep(delay);
    }
  }
  for (const piece of script.answer) {
    await hold(state, live, script, "answer", counts.answer);
    if (live.cancelled) return null;
    if (script.splitsBytes) await writeSplit(response, `data: ${JSON.stringify({ choices: [{ index: 0, delta: { content: piece } }] })}\r\n\r\n`);
    else out.delta({ content: piece });
    if (kept) kept.answer.content += piece;
    ++counts.answer;
    await sleep(delay);
  }
  return ending;
}

export async function stream(state, response, body) {
  const prompt = body.messages.at(-1).content;
  const script = scriptFor(prompt);
  if (script.status) {
    response.writeHead(script.status, { "Content-Type": "application/json", ...(script.retry ? { "Retry-After": String(script.retry) } : {}) });
    return response.end(JSON.stringify({ error: script.error }));
  }
  const kept = remember(state, body, prompt);
  const request = state.newId("req-");
  const live = { endThinking: false, cancelled: false, released: new Set(), wake: () => undefined, kept };
  state.requests.set(request, live);
  response.on("close", () => {
    live.cancelled = true;
    live.wake();
    state.requests.delete(request);
  });
  response.writeHead(200, { "Content-Type": "text/event-stream", "Cache-Control": "no-store" });
  const out = writer(response, body.model, `chatcmpl-${request}`);
  out.write(": keep-alive\n\n");
  await sleep(state.options.wait ?? 30);
  out.delta({ role: "assistant", content: "" }, { minke: { request, conversation: kept?.conversation.id ?? null, user_message: kept?.user.id ?? state.newId("t"), message: kept?.answer.id ?? state.newId("t") } });
  const counts = { thought: 0, answer: 0 };
  const ending = await speak(state, live, response, out, script, body, counts);
  if (ending === null) {
    if (kept) kept.answer.finish_reason = "stop";
    return response.end();
  }
  if (script.cut) return response.destroy();
  if (script.errorAfter) {
    out.write({ error: script.errorAfter });
    return response.end();
  }
  out.write({ choices: [{ index: 0, delta: {}, finish_reason: script.finish ?? "stop" }] });
  const last = figures(body, script, counts, ending);
  if (kept) Object.assign(kept.answer, { usage: last.usage, timings: last.minke, finish_reason: script.finish ?? "stop" });
  out.write({ choices: [], ...last });
  out.write("data: [DONE]\n\n");
  response.end();
}
