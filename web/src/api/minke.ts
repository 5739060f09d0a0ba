// The routes under /api/minke, one function each.
import { call, request } from "./client";
import type { PlanInputs } from "./plan_types";
import type {
  Conversation, ConversationHead, Ledger, LogRow, Machine, ModelInfo, Privacy, Run, StoreInfo,
} from "./types";

const id = encodeURIComponent;

export const listModels = async () => (await call<{ data: ModelInfo[] }>("GET", "v1/models")).data;

export const store = {
  info: () => call<StoreInfo>("GET", "api/minke/store"),
  create: (passphrase: string | null) => call("POST", "api/minke/store/create", { passphrase }),
  unlock: (passphrase: string) => call("POST", "api/minke/store/unlock", { passphrase }),
  lock: () => call("POST", "api/minke/store/lock", {}),
  shred: () => call("POST", "api/minke/shred", { confirm: "shred" }),
};

export type HeadChange = Partial<Pick<ConversationHead, "title" | "folder" | "pinned" | "archived">> & {
  leaf?: string;
  system?: string | null;
};

export const conversations = {
  list: async (query: string, archived: boolean, signal?: AbortSignal) =>
    (await call<{ conversations: ConversationHead[] }>(
      "GET", `api/minke/conversations?query=${id(query)}&archived=${archived}`, undefined, signal)).conversations,
  get: (which: string) => call<Conversation>("GET", `api/minke/conversations/${id(which)}`),
  change: (which: string, change: HeadChange) => call("PATCH", `api/minke/conversations/${id(which)}`, change),
  remove: (which: string) => call("DELETE", `api/minke/conversations/${id(which)}`),
  exported: async (which: string, format: "json" | "markdown") =>
    (await request("GET", `api/minke/conversations/${id(which)}/export?format=${format}`)).text(),
  import: (value: unknown) => call<{ imported: number; ids: string[] }>("POST", "api/minke/import", value),
};

export const retention = {
  get: () => call<{ days: number | null }>("GET", "api/minke/retention"),
  set: (days: number | null) => call("PUT", "api/minke/retention", { days }),
};

export const settings = {
  get: () => call<Record<string, unknown>>("GET", "api/minke/settings"),
  set: (value: unknown, isLast = false) => request("PUT", "api/minke/settings", value, undefined, isLast),
};

export const privacy = () => call<Privacy>("GET", "api/minke/privacy");
export const ledger = () => call<Ledger>("GET", "api/minke/ledger");
export const runs = async () => (await call<{ runs: Run[] }>("GET", "api/minke/runs")).runs;
export const runLog = async (run: string, after: number) =>
  (await call<{ rows: LogRow[] }>("GET", `api/minke/runs/${id(run)}/log?after=${after}`)).rows;
export const machine = () => call<Machine>("GET", "api/minke/machine");
export const plan = <T>(question: PlanInputs, signal?: AbortSignal) => call<T>("POST", "api/minke/plan", question, signal);
