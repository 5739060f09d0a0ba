// A star between numbers is a sign of multiplication: "8*3=24, 15*7=105" has no slanted words.
import type { MarkedExtension } from "marked";

const kTimes = /^[\d)]\*(?=[\d(])/;

export const timesExtension: MarkedExtension = {
  extensions: [
    {
      name: "times",
      level: "inline",
      start: (text) => /[\d)]\*[\d(]/.exec(text)?.index,
      tokenizer(text) {
        const match = kTimes.exec(text);
        return match ? { type: "times", raw: match[0] } : undefined;
      },
      renderer: (token) => token.raw,
    },
  ],
};
