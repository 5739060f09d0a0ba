// Bold words with an ending: in "**\u201cA\u201d**is" CommonMark sees no closing mark, because punctuation stands before it and a
// letter after it. Languages without spaces before endings (Korean, Japanese, Chinese) write exactly that all the time.
import type { MarkedExtension } from "marked";

const kStrong = /^\*\*(?=[^\s*])((?:`[^`\n]*`|\$[^$\n]*\$|\\.|[^*`\n]|\*(?!\*))+?)(?<!\s)\*\*(?!\*)/;

export const strongExtension: MarkedExtension = {
  extensions: [
    {
      name: "strong_before_letters",
      level: "inline",
      start: (text) => /\*\*/.exec(text)?.index,
      tokenizer(text) {
        const match = kStrong.exec(text);
        if (!match) return undefined;
        return { type: "strong_before_letters", raw: match[0], tokens: this.lexer.inlineTokens(match[1] ?? "") };
      },
      renderer(token) {
        return `<strong>${this.parser.parseInline(token.tokens ?? [])}</strong>`;
      },
    },
  ],
};
