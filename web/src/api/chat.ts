// One answer: the request, and its stream as a few kinds of event.
import { ApiError, headers, errorOf, OfflineError, call } from "./client";
import { eventsOf } from "./events";
import type { ApiErrorBody, Attachment, Role, Timings, Usage } from "./types";

export interface ChatRequest {
  model: string;
  messages: { role: Role; content: string }[];
  temperature?: number;
  top_p?: number;
  max_tokens?: number;
  seed?: number;
  minke: {
    thinking: { enabled: boolean; budget: number | null };
    language_lock: "ko" | "en" | null;
    conversation: string | null;
    parent: string | null;
    temporary: boolean;
    text?: string;
    attachments?: Attachment[];
  };
}

export interface Started {
  request: string;
  conversation?: string | null;
  user_message?: string | null;
  message?: string | null;
}

export type ChatEvent =
  | { kind: "started"; ids: Started }
  | { kind: "thought"; text: string }
  | { kind: "answer"; text: string }
  | { kind: "finish"; reason: string }
  | { kind: "figures"; usage: Usage | null; timings: Timings | null }
  | { kind: "error"; error: ApiErrorBody };

interface Chunk {
  error?: ApiErrorBody;
  choices?: { delta?: { content?: string | null; reasoning_content?: string | null }; finish_reason?: string | null }[];
  usage?: Usage | null;
  minke?: Started & Timings;
}

function* eventsOfChunk(chunk: Chunk): Generator<ChatEvent> {
  if (chunk.error) {
    yield { kind: "error", error: chunk.error };
    return;
  }
  if (chunk.minke?.request) yield { kind: "started", ids: chunk.minke };
  const choice = chunk.choices?.[0];
  if (choice?.delta?.reasoning_content) yield { kind: "thought", text: choice.delta.reasoning_content };
  if (choice?.delta?.content) yield { kind: "answer", text: choice.delta.content };
  if (choice?.finish_reason) yield { kind: "finish", reason: choice.finish_reason };
  if (chunk.usage) yield { kind: "figures", usage: chunk.usage, timings: chunk.minke ?? null };
}

export async function* chat(request: ChatRequest, signal: AbortSignal): AsyncGenerator<ChatEvent> {
  let response: Response;
  try {
    response = await fetch("v1/chat/completions", {
      method: "POST",
      headers: { ...headers(true), Accept: "text/event-stream" },
      body: JSON.stringify({ ...request, stream: true, stream_options: { include_usage: true } }),
      signal,
      credentials: "same-origin",
      cache: "no-store",
    });
  } catch (error) {
    if (error instanceof DOMException && error.name === "AbortError") throw error;
    throw new OfflineError();
  }
  if (!response.ok) throw await errorOf(response);
  if (!response.body) throw new ApiError(502, { message: "the reply has no body" });
  let isDone = false;
  for await (const data of eventsOf(response.body)) {
    if (data === "[DONE]") {
      isDone = true;
      break;
    }
    yield* eventsOfChunk(JSON.parse(data) as Chunk);
  }
  // A stream that ends without its end mark was cut: what came stays, but nobody may take it for a whole answer.
  if (!isDone) throw new OfflineError();
}

export function endThinking(requestId: string): Promise<unknown> {
  return call("POST", `api/minke/requests/${encodeURIComponent(requestId)}/end_thinking`, {});
}

export function cancel(requestId: string): Promise<unknown> {
  return call("DELETE", `api/minke/requests/${encodeURIComponent(requestId)}`);
}
