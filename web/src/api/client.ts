// Every request of the page goes through here: same origin, the key if the server wants one, errors as one type.
import type { ApiErrorBody } from "./types";

export class ApiError extends Error {
  constructor(
    readonly status: number,
    readonly body: ApiErrorBody,
    readonly retryAfterS: number | null = null,
  ) {
    super(body.message);
  }
  get code(): string {
    return this.body.code ?? "";
  }
}

// The server cannot be reached at all.
export class OfflineError extends Error {}

const kKeyName = "minke.key";

// The key lives as long as the tab: sessionStorage is gone with it.
export function apiKey(): string {
  try {
    return sessionStorage.getItem(kKeyName) ?? "";
  } catch {
    return "";
  }
}

export function setApiKey(key: string): void {
  try {
    if (key === "") sessionStorage.removeItem(kKeyName);
    else sessionStorage.setItem(kKeyName, key);
  } catch {
    // without storage the key would have to be asked for every request; the caller sees 401 again
  }
}

export function headers(hasBody: boolean): Record<string, string> {
  const all: Record<string, string> = { "X-Minke": "1" };
  if (hasBody) all["Content-Type"] = "application/json";
  const key = apiKey();
  if (key !== "") all["Authorization"] = `Bearer ${key}`;
  return all;
}

export async function errorOf(response: Response): Promise<ApiError> {
  const retry = Number.parseInt(response.headers.get("Retry-After") ?? "", 10);
  const seconds = Number.isFinite(retry) ? retry : null;
  let body: ApiErrorBody = { message: `HTTP ${response.status} ${response.statusText}`.trim() };
  try {
    const parsed = (await response.json()) as { error?: ApiErrorBody | string };
    if (typeof parsed.error === "string") body = { message: parsed.error };
    else if (parsed.error && typeof parsed.error.message === "string") body = parsed.error;
    else if (parsed.error) body = { ...parsed.error, message: body.message };
  } catch {
    // not JSON: the status line has to do
  }
  return new ApiError(response.status, body, seconds);
}

// isLast: the request goes on when the page is closed.
export async function request(
  method: string, path: string, body?: unknown, signal?: AbortSignal, isLast = false,
): Promise<Response> {
  let response: Response;
  try {
    response = await fetch(path, {
      method,
      headers: headers(body !== undefined),
      body: body === undefined ? undefined : JSON.stringify(body),
      signal: signal ?? null,
      credentials: "same-origin",
      cache: "no-store",
      keepalive: isLast,
    });
  } catch (error) {
    if (error instanceof DOMException && error.name === "AbortError") throw error;
    throw new OfflineError();
  }
  if (!response.ok) throw await errorOf(response);
  return response;
}

export async function call<T>(method: string, path: string, body?: unknown, signal?: AbortSignal): Promise<T> {
  const response = await request(method, path, body, signal);
  const text = await response.text();
  return (text === "" ? {} : JSON.parse(text)) as T;
}
