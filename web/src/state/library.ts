// The list of conversations, the models, and the state of the store.
import { signal } from "@preact/signals";
import { ApiError } from "../api/client";
import * as minke from "../api/minke";
import type { ConversationHead, ModelInfo, StoreInfo } from "../api/types";
import { change, loadPrefs, prefs } from "./prefs";

export type Gate = "loading" | "ready" | "locked" | "key" | "offline";

export const gate = signal<Gate>("loading");
export const storeInfo = signal<StoreInfo>({ state: "none", protection: null });
export const models = signal<ModelInfo[]>([]);
export const heads = signal<ConversationHead[]>([]);
export const query = signal("");
export const showArchived = signal(false);

let running: AbortController | null = null;

export async function refreshHeads(): Promise<void> {
  if (storeInfo.value.state !== "open") {
    heads.value = [];
    return;
  }
  running?.abort();
  const mine = new AbortController();
  running = mine;
  try {
    heads.value = await minke.conversations.list(query.value, showArchived.value, mine.signal);
  } catch (error) {
    if (mine.signal.aborted) return;
    if (error instanceof ApiError && error.code === "locked") gate.value = "locked";
    else throw error;
  }
}

export function folders(): string[] {
  const names = new Set(heads.value.map((head) => head.folder).filter((name): name is string => !!name));
  return [...names].sort((a, b) => a.localeCompare(b));
}

export function currentModel(): ModelInfo | undefined {
  return models.value.find((model) => model.id === prefs.value.model) ?? models.value[0];
}

let hasServices = true;

// A server that runs for programs only has no store and no settings; one can still talk to it.
async function storeOrNone(): Promise<StoreInfo> {
  try {
    const info = await minke.store.info();
    hasServices = true;
    return info;
  } catch (error) {
    if (!(error instanceof ApiError) || ![404, 405, 501].includes(error.status)) throw error;
    hasServices = false;
    return { state: "none", protection: null };
  }
}

// Everything that the page needs before it can be used.
export async function start(): Promise<void> {
  try {
    [models.value, storeInfo.value] = await Promise.all([minke.listModels(), storeOrNone()]);
    if (storeInfo.value.state === "locked") {
      gate.value = "locked";
      return;
    }
    if (hasServices) await loadPrefs();
    const model = currentModel();
    if (model && model.id !== prefs.value.model) change({ model: model.id });
    await refreshHeads();
    gate.value = "ready";
  } catch (error) {
    if (error instanceof ApiError && error.status === 401) gate.value = "key";
    else if (error instanceof ApiError && error.code === "locked") gate.value = "locked";
    else gate.value = "offline";
  }
}
