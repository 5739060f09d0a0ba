// Markdown of a model to blocks of clean nodes. What a model writes is untrusted: HTML is shown as text except a few harmless
// tags, images are never fetched, and everything passes DOMPurify before it becomes part of the page.
import DOMPurify from "dompurify";
import { Marked, type MarkedExtension, type Token, type TokensList } from "marked";
import { escaped } from "./escape";
import { highlighted, languageOf } from "./highlight";
import { mathExtension } from "./math";
import { strongExtension } from "./strong";
import { timesExtension } from "./times";

const kHarmless = /^<\/?(?:br|b|i|u|s|em|strong|sub|sup|kbd|mark|small|wbr|details|summary)\s*\/?>$/i;

function safeAddress(href: string): string | null {
  try {
    const url = new URL(href);
    return ["http:", "https:", "mailto:"].includes(url.protocol) ? url.href : null;
  } catch {
    return null;  // relative addresses would point into this server
  }
}

const kParts: MarkedExtension[] = [mathExtension, strongExtension, timesExtension, {
  renderer: {
    html(token) {
      let isShown = false;
      const clean = token.text.replace(/<[^>]*>|[<>&"']|[^<>&"']+/g, (part: string) => {
        if (kHarmless.test(part)) return part;
        isShown ||= part.startsWith("<");
        return escaped(part);
      });
      return "block" in token && token.block && isShown ? `<p>${clean}</p>` : clean;
    },
    image: ({ href, text }) => `<span class="no-image" title="${escaped(href)}">${escaped(text || href)}</span>`,
    link({ href, tokens }) {
      const inner = this.parser.parseInline(tokens);
      const address = safeAddress(href);
      return address === null ? inner : `<a href="${escaped(address)}">${inner}</a>`;
    },
    checkbox: ({ checked }) => (checked ? "☑ " : "☐ "),
    code({ text, lang }) {
      const language = languageOf(lang);
      const body = highlighted(text, language) ?? escaped(text);
      return `<pre data-language="${escaped(language)}"><code>${body}\n</code></pre>`;
    },
  },
}];
const marked = new Marked({ gfm: true, breaks: false, async: false }, ...kParts);
// Thoughts are notes: each line of theirs is one.
const markedByLine = new Marked({ gfm: true, breaks: true, async: false }, ...kParts);

const kAllowed = {
  ALLOWED_TAGS: [
    "p", "br", "hr", "h1", "h2", "h3", "h4", "h5", "h6", "ul", "ol", "li", "blockquote", "pre", "code", "span", "div", "em",
    "strong", "del", "s", "u", "b", "i", "sub", "sup", "kbd", "mark", "small", "wbr", "details", "summary", "a", "table",
    "thead", "tbody", "tr", "th", "td",
  ],
  ALLOWED_ATTR: ["href", "class", "start", "align", "title", "data-tex", "data-display", "data-language"],
  ALLOW_DATA_ATTR: false,
  ALLOW_ARIA_ATTR: false,
  RETURN_DOM_FRAGMENT: true as const,
};

export interface Block {
  raw: string;
  token: Token;
}

export interface Parsed {
  blocks: Block[];
  links: TokensList["links"];
}

export function parse(text: string, isByLine: boolean): Parsed {
  const tokens = (isByLine ? markedByLine : marked).lexer(text);
  return { blocks: tokens.filter((token) => token.type !== "space").map((token) => ({ raw: token.raw, token })), links: tokens.links };
}

export function nodesOf(block: Block, links: TokensList["links"]): DocumentFragment {
  const html = marked.parser(Object.assign([block.token], { links }));
  return DOMPurify.sanitize(html, kAllowed);
}
