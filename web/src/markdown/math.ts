// TeX in Markdown: $x$, $$x$$, \(x\), \[x\]. The parser leaves a placeholder with the source; KaTeX builds the nodes later, with
// styles set through the object model, which a policy without inline styles allows.
import type { MarkedExtension, TokenizerAndRendererExtension } from "marked";
import { escaped } from "./escape";

function placeholder(tex: string, isDisplay: boolean): string {
  const source = escaped(tex);
  return isDisplay
    ? `<div class="math" data-tex="${source}" data-display="1">${source}</div>`
    : `<span class="math" data-tex="${source}">${source}</span>`;
}

const block: TokenizerAndRendererExtension = {
  name: "math_block",
  level: "block",
  start: (text) => /(?:^|\n) {0,3}(?:\$\$|\\\[)/.exec(text)?.index,
  tokenizer(text) {
    const match = /^ {0,3}(?:\$\$([\s\S]+?)\$\$|\\\[([\s\S]+?)\\\]) *(?:\n|$)/.exec(text);
    if (!match) return undefined;
    return { type: "math_block", raw: match[0], tex: (match[1] ?? match[2] ?? "").trim() };
  },
  renderer: (token) => placeholder(token["tex"] as string, true),
};

// "$5 and $6" is money: a formula opens before and closes after something that is no space, and no digit follows it.
const inline: TokenizerAndRendererExtension = {
  name: "math_inline",
  level: "inline",
  start: (text) => /\$|\\\(|\\\[/.exec(text)?.index,
  tokenizer(text) {
    const display = /^(?:\$\$([^$]+?)\$\$|\\\[([\s\S]+?)\\\])/.exec(text);
    if (display) {
      return { type: "math_inline", raw: display[0], tex: (display[1] ?? display[2] ?? "").trim(), display: true };
    }
    const match = /^(?:\$((?![\s$])(?:\\[\s\S]|[^$\\\n])*?(?:\\[^\s]|[^\s\\$]))\$(?!\d)|\\\(([\s\S]+?)\\\))/.exec(text);
    if (!match) return undefined;
    return { type: "math_inline", raw: match[0], tex: (match[1] ?? match[2] ?? "").trim(), display: false };
  },
  // a div inside a paragraph would end it: displayed formulas in running text are spans
  renderer: (token) => placeholder(token["tex"] as string, false).replace(
    'class="math"', token["display"] ? 'class="math" data-display="1"' : 'class="math"'),
};

export const mathExtension: MarkedExtension = { extensions: [block, inline] };

type Katex = typeof import("katex").default;
let katex: Katex | null = null;
let loading: Promise<void> | null = null;

export function isMathLoaded(): boolean {
  return katex !== null;
}

export function loadMath(): Promise<void> {
  loading ??= Promise.all([import("katex"), import("katex/dist/katex.min.css")]).then(([module]) => {
    katex = module.default;
  });
  return loading;
}

export function renderMath(element: HTMLElement): void {
  const tex = element.dataset["tex"] ?? "";
  if (katex === null || tex === "") return;
  try {
    katex.render(tex, element, {
      displayMode: element.dataset["display"] === "1",
      throwOnError: true,
      trust: false,
      strict: "ignore",
      maxExpand: 500,
      maxSize: 40,
    });
  } catch {
    // half a formula while it streams, or TeX that KaTeX does not know: the source stays readable
    element.textContent = tex;
    element.classList.add("math-source");
  }
}
