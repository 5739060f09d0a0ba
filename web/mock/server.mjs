// A server that answers as minke's does, without a model: for work on the page and for its tests.
//   node mock/server.mjs [--port 8321] [--store open|none|locked] [--key KEY] [--empty]
import { createReadStream, existsSync, statSync } from "node:fs";
import { createServer } from "node:http";
import { dirname, extname, join, normalize } from "node:path";
import { fileURLToPath } from "node:url";
import { answerPlan } from "./plan.mjs";
import { stream } from "./stream.mjs";
import { State } from "./state.mjs";
import { kRuns, ledger, logRows, machine } from "./training.mjs";

const dist = join(dirname(fileURLToPath(import.meta.url)), "..", "dist");
const kTypes = { ".html": "text/html; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".css": "text/css; charset=utf-8", ".svg": "image/svg+xml", ".woff2": "font/woff2", ".json": "application/json" };
export const kPolicy =
  "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; font-src 'self'; manifest-src 'self'; " +
  "base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types dompurify";

const kModels = [
  { id: "minke-nano", minke: { architecture: "deepseek_v3", n_parameters: 12_400_000, n_active: 6_100_000, context: 4096, dtype: "bf16", path: "models/nano", bundled: true, can_think: true } },
  { id: "DeepSeek-R1-Distill-Qwen-1.5B:Q4_K_M", minke: { architecture: "qwen2", n_parameters: 1_777_088_000, n_active: 1_777_088_000, context: 131072, dtype: "q4_k", path: "…", bundled: false, can_think: true } },
  { id: "Qwen2.5-0.5B-Instruct", minke: { architecture: "qwen2", n_parameters: 494_000_000, n_active: 494_000_000, context: 32768, dtype: "bf16", path: "…", bundled: false, can_think: false } },
];

function json(response, value, status = 200, headers = {}) {
  response.writeHead(status, { "Content-Type": "application/json; charset=utf-8", ...headers });
  response.end(JSON.stringify(value));
}
const fail = (response, status, code, message, headers = {}) => json(response, { error: { message, type: "invalid_request_error", param: null, code } }, status, headers);

function serveFile(path, response) {
  const file = join(dist, normalize(path === "/" ? "/index.html" : path));
  if (!file.startsWith(dist) || !existsSync(file) || !statSync(file).isFile()) return fail(response, 404, "not_found", `no such page: ${path}`);
  response.writeHead(200, {
    "Content-Type": kTypes[extname(file)] ?? "application/octet-stream", "Content-Security-Policy": kPolicy, "Referrer-Policy": "no-referrer", "X-Content-Type-Options": "nosniff",
    "Cache-Control": path.startsWith("/assets/") ? "public, max-age=31536000, immutable" : "no-cache",
  });
  createReadStream(file).pipe(response);
}

const storeRoutes = {
  "GET /store": (state, response) => json(response, state.store),
  "POST /store/create": (state, response, body) => {
    if (state.store.state !== "none") return fail(response, 409, "exists", "there is a store already");
    state.passphrase = body.passphrase;
    state.store = { state: "open", protection: body.passphrase === null ? "keyfile" : "passphrase" };
    json(response, state.store);
  },
  "POST /store/unlock": (state, response, body) => {
    if (body.passphrase !== state.passphrase) return fail(response, 403, "wrong_passphrase", "the passphrase does not open this store");
    state.store.state = "open";
    json(response, state.store);
  },
  "POST /store/lock": (state, response) => {
    state.store.state = "locked";
    json(response, state.store);
  },
  "POST /shred": (state, response, body) => {
    if (body.confirm !== "shred") return fail(response, 400, "confirm", "confirm must be \"shred\"");
    state.conversations.clear();
    state.store = { state: "none", protection: null };
    json(response, {});
  },
  "GET /settings": (state, response) => json(response, state.settings),
  "PUT /settings": (state, response, body) => json(response, (state.settings = body)),
  "GET /retention": (state, response) => json(response, { days: state.retention }),
  "PUT /retention": (state, response, body) => json(response, { days: (state.retention = body.days) }),
  "GET /privacy": (state, response) => json(response, state.privacy()),
  "GET /ledger": (_state, response) => json(response, ledger()),
  "GET /runs": (state, response) => json(response, { runs: state.options.empty ? [] : kRuns }),
  "GET /machine": (state, response) => json(response, machine(state.requests.size)),
  "POST /plan": async (_state, response, body) => {
    const { answer, error } = await answerPlan(body);
    return error ? fail(response, 400, "invalid_request", error) : json(response, answer);
  },
  "POST /import": (state, response, body) => {
    const all = body.conversations ?? [body];
    const ids = all.map((one) => state.add(one.title, { ...one, id: `i${state.conversations.size}` }).id);
    json(response, { imported: all.length, ids });
  },
};

const markdown = (conversation) => `# ${conversation.title}\n\n` + conversation.messages.map((message) => `## ${message.role}\n\n${message.content}\n`).join("\n");

function conversationRoute(state, request, response, parts, url, body) {
  if (parts.length === 0) return json(response, { conversations: state.heads(url.searchParams.get("query") ?? "", url.searchParams.get("archived") === "true") });
  const conversation = state.conversations.get(parts[0]);
  if (!conversation) return fail(response, 404, "not_found", `no conversation ${parts[0]}`);
  if (parts[1] === "export") {
    const isJson = url.searchParams.get("format") === "json";
    if (isJson) return json(response, conversation);
    response.writeHead(200, { "Content-Type": "text/markdown; charset=utf-8" });
    return response.end(markdown(conversation));
  }
  if (request.method === "GET") return json(response, conversation);
  if (request.method === "PATCH") return json(response, Object.assign(conversation, body));
  state.conversations.delete(parts[0]);
  return json(response, {});
}

function requestRoute(state, request, response, parts) {
  const live = state.requests.get(parts[0]);
  if (!live) return fail(response, 404, "not_found", `no request ${parts[0]}`);
  if (parts[1] === "end_thinking") live.endThinking = true;
  if (request.method === "DELETE") live.cancelled = true;
  live.wake();
  return json(response, {});
}

function minkeRoute(state, request, response, url, body) {
  const path = url.pathname.slice("/api/minke".length);
  const [area, ...parts] = path.slice(1).split("/").map(decodeURIComponent);
  if (request.method !== "GET" && request.headers["x-minke"] !== "1") return fail(response, 403, "csrf", "the header X-Minke: 1 is missing");
  if (state.store.state === "locked" && !path.startsWith("/store")) return fail(response, 423, "locked", "the store is locked");
  if (area === "conversations") return conversationRoute(state, request, response, parts, url, body);
  if (area === "requests") return requestRoute(state, request, response, parts);
  if (area === "runs" && parts[1] === "log") {
    const after = Number(url.searchParams.get("after") ?? 0);
    const id = Number(parts[0]);
    const last = id === 4 ? 180 + Math.floor((Date.now() - state.startedAt) / 1000) : 600;
    return json(response, { rows: logRows(id, after, last) });
  }
  const route = storeRoutes[`${request.method} ${path}`];
  return route ? route(state, response, body) : fail(response, 404, "not_found", `no route ${request.method} ${path}`);
}

async function handle(state, request, response) {
  const url = new URL(request.url, "http://localhost");
  let text = "";
  for await (const piece of request) text += piece;
  const body = text === "" ? {} : JSON.parse(text);
  const isApi = url.pathname.startsWith("/api/") || url.pathname.startsWith("/v1/");
  if (isApi) state.log.push({ method: request.method, path: url.pathname, body });
  if (isApi && state.options.key && request.headers.authorization !== `Bearer ${state.options.key}`) return fail(response, 401, "invalid_api_key", "this server needs an API key");
  if (url.pathname === "/v1/models") return json(response, { object: "list", data: kModels.map((model) => ({ object: "model", owned_by: "minke", ...model })) });
  if (url.pathname === "/v1/chat/completions") return stream(state, response, body);
  if (url.pathname.startsWith("/api/minke/")) return minkeRoute(state, request, response, url, body);
  if (url.pathname === "/health") return json(response, { status: "ok" });
  return serveFile(url.pathname, response);
}

export async function startServer(options = {}) {
  const state = new State({ delay: 4, ...options });
  state.startedAt = Date.now();
  const server = createServer((request, response) => void handle(state, request, response).catch((error) => {
    console.error(error);
    response.destroy();
  }));
  await new Promise((resolve) => server.listen(options.port ?? 0, "127.0.0.1", resolve));
  const close = () => new Promise((resolve) => {
    server.closeAllConnections();
    server.close(resolve);
  });
  return { state, url: `http://127.0.0.1:${server.address().port}/`, close };
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const flag = (name, otherwise) => (process.argv.includes(name) ? process.argv[process.argv.indexOf(name) + 1] : otherwise);
  const { url } = await startServer({
    port: Number(flag("--port", "8321")), store: flag("--store", "open"), passphrase: "whale", key: flag("--key", undefined),
    empty: process.argv.includes("--empty"), sample: !process.argv.includes("--empty"), delay: 14,
  });
  console.log(`${url} (passphrase of a locked store: whale)`);
}
