// The language of the page and the one way to a text: t("key", {n: 3}).
import { signal } from "@preact/signals";
import { kStrings, type StringKey } from "./strings";

export type Language = "en" | "ko";
export type { StringKey };

function stored(): Language | null {
  try {
    const value = localStorage.getItem("minke.language");
    return value === "en" || value === "ko" ? value : null;
  } catch {
    return null;
  }
}

// Null until somebody chooses: the browser's language holds.
export const chosenLanguage = signal<Language | null>(stored());
export const language = signal<Language>(
  chosenLanguage.value ?? (navigator.language.toLowerCase().startsWith("ko") ? "ko" : "en"));
document.documentElement.lang = language.value;

export function setLanguage(next: Language): void {
  chosenLanguage.value = language.value = next;
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
