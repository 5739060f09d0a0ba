// Colours for code in the languages that come up most; loaded when the first block of code comes.
import type { HLJSApi } from "highlight.js";

let api: HLJSApi | null = null;
let loading: Promise<void> | null = null;

const kAliases: Record<string, string> = {
  "c++": "cpp", cc: "cpp", h: "cpp", hpp: "cpp", c: "cpp", js: "typescript", javascript: "typescript", ts: "typescript",
  jsx: "typescript", tsx: "typescript", py: "python", python3: "python", sh: "bash", shell: "bash", zsh: "bash", console: "bash",
  rs: "rust", yml: "yaml", html: "xml", svg: "xml", toml: "ini", golang: "go", kt: "java", kotlin: "java", cs: "java",
};

export function languageOf(info: string | undefined): string {
  return (info ?? "").trim().split(/[\s{:,]/, 1)[0]?.toLowerCase() ?? "";
}

export function isHighlightLoaded(): boolean {
  return api !== null;
}

export function loadHighlight(): Promise<void> {
  loading ??= import("./languages").then((module) => {
    api = module.hljs;
  });
  return loading;
}

// HTML of the coloured code, or null when there is nothing to colour.
export function highlighted(code: string, language: string): string | null {
  const name = kAliases[language] ?? language;
  if (api === null || name === "" || !api.getLanguage(name) || code.length > 60_000) return null;
  return api.highlight(code, { language: name, ignoreIllegals: true }).value;
}
