// Short messages at the edge of the page, and what a screen reader is told.
import { signal } from "@preact/signals";
import { ApiError, OfflineError } from "../api/client";
import { t } from "../text/language";

export interface Notice {
  id: number;
  text: string;
  isError: boolean;
}

export const notices = signal<Notice[]>([]);
export const announcement = signal("");
let next = 1;

export function notify(text: string, isError = false): void {
  const id = next++;
  notices.value = [...notices.value, { id, text, isError }];
  window.setTimeout(() => dismiss(id), isError ? 9000 : 3500);
}

export function dismiss(id: number): void {
  notices.value = notices.value.filter((notice) => notice.id !== id);
}

export function textOf(error: unknown): string {
  if (error instanceof OfflineError) return t("offline");
  if (error instanceof ApiError) {
    if (error.status === 503) return t("busy", { n: error.retryAfterS ?? 1 }) + " " + error.message;
    return error.message;
  }
  return error instanceof Error ? error.message : String(error);
}

// Runs what a button asks for; what fails is shown.
export async function attempt(action: () => Promise<unknown>): Promise<boolean> {
  try {
    await action();
    return true;
  } catch (error) {
    notify(textOf(error), true);
    return false;
  }
}
