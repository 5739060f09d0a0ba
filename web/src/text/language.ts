// The language of the page and the one way to a text: t("key", {n: 3}).
import { signal } from "@preact/signals";
import { kStrings, type StringKey } from "./strings";

export type Language = "en" | "ko";
export type { StringKey };

function initial(): Language {
  try {
    const chosen = localStorage.getItem("minke.language");
    if (chosen === "en" || chosen === "ko") return chosen;
  } catch {
    // no storage: the browser's language holds
  }
  return navigator.language.toLowerCase().startsWith("ko") ? "ko" : "en";
}

export const language = signal<Language>(initial());
document.documentElement.lang = language.value;

export function setLanguage(next: Language): void {
  language.value = next;
  document.documentElement.lang = next;
  try {
    localStorage.setItem("minke.language", next);
  } catch {
    // the choice then lasts until the page is closed
  }
}

export function t(key: StringKey, values: Record<string, string | number> = {}): string {
  const text: string = kStrings[key][language.value === "ko" ? 1 : 0];
  return text.replace(/\{(\w+)\}/g, (whole, name: string) => (name in values ? String(values[name]) : whole));
}
