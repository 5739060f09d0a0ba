// What the user chose. It is kept by the server (one small JSON object); theme and language also in the browser, because they
// are needed before the server answers.
import { effect, signal } from "@preact/signals";
import * as minke from "../api/minke";
import { chosenLanguage, setLanguage } from "../text/language";

export type Theme = "system" | "light" | "dark";

export interface Prefs {
  model: string;
  system: string;
  think: boolean;
  budget: number | null;  // tokens of thought; null: no limit
  language_lock: "ko" | "en" | null;
  temperature: number;
  top_p: number;
  max_tokens: number | null;
  seed: number | null;
  open_thoughts: boolean;
}

export const kDefaults: Prefs = {
  model: "",
  system: "",
  think: true,
  budget: 2048,
  language_lock: null,
  temperature: 0.6,  // DeepSeek's advice for R1
  top_p: 0.95,
  max_tokens: null,
  seed: null,
  open_thoughts: true,
};

export const prefs = signal<Prefs>({ ...kDefaults });
export const theme = signal<Theme>(storedTheme());

function storedTheme(): Theme {
  try {
    const value = localStorage.getItem("minke.theme");
    return value === "dark" || value === "light" ? value : "system";
  } catch {
    return "system";
  }
}

const systemIsDark = matchMedia("(prefers-color-scheme: dark)");

function applyTheme(): void {
  document.documentElement.dataset.theme = theme.value === "system" ? (systemIsDark.matches ? "dark" : "light") : theme.value;
}
systemIsDark.addEventListener("change", applyTheme);

export function setTheme(next: Theme): void {
  theme.value = next;
  applyTheme();
  try {
    if (next === "system") localStorage.removeItem("minke.theme");
    else localStorage.setItem("minke.theme", next);
  } catch {
    // the choice then lasts until the page is closed
  }
}

// Only fields of the right kind are taken: the object may come from another version.
function merged(value: Record<string, unknown>): Prefs {
  const out: Record<string, unknown> = { ...kDefaults };
  const mayBeNull = new Set(["budget", "language_lock", "max_tokens", "seed"]);
  const numbers = new Set(["budget", "max_tokens", "seed"]);
  for (const key of Object.keys(kDefaults)) {
    const given = value[key];
    if (given === null && mayBeNull.has(key)) out[key] = null;
    else if (numbers.has(key) ? typeof given === "number" : typeof given === typeof out[key]) out[key] = given;
    if (key === "language_lock" && (given === "ko" || given === "en")) out[key] = given;
  }
  return out as unknown as Prefs;
}

let isLoaded = false;
let timer = 0;
let foreign: Record<string, unknown> = {};

export async function loadPrefs(): Promise<void> {
  const value = await minke.settings.get();
  foreign = value;
  prefs.value = merged(value);
  if (value["theme"] === "light" || value["theme"] === "dark" || value["theme"] === "system") setTheme(value["theme"]);
  if (value["language"] === "en" || value["language"] === "ko") setLanguage(value["language"]);
  isLoaded = true;
}

export function change(part: Partial<Prefs>): void {
  prefs.value = { ...prefs.value, ...part };
}

let unsaved: Record<string, unknown> | null = null;

function save(isLast: boolean): void {
  window.clearTimeout(timer);
  const value = unsaved;
  unsaved = null;
  if (value !== null) void minke.settings.set(value, isLast).catch(() => undefined);
}

// Saved a moment after the last change, at the latest when the page goes. A failure is no reason to disturb a chat; the next
// change tries again.
effect(() => {
  const value: Record<string, unknown> = { ...foreign, ...prefs.value, theme: theme.value };
  if (chosenLanguage.value !== null) value["language"] = chosenLanguage.value;
  if (!isLoaded) return;
  unsaved = value;
  window.clearTimeout(timer);
  timer = window.setTimeout(() => save(false), 400);
});
window.addEventListener("pagehide", () => save(true));
