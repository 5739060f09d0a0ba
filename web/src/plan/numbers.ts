// Numbers of the planner: three digits that matter, in the words of the page's language.
import { language } from "../text/language";

const locale = () => (language.value === "ko" ? "ko-KR" : "en-US");

// Words for thousands and millions only where the number is long: Korean counts in ten thousands.
const sized = (value: number): Intl.NumberFormatOptions =>
  Math.abs(value) < 9999.5 ? { maximumSignificantDigits: Math.abs(value) < 999.5 ? 3 : 4 } : { notation: "compact", maximumSignificantDigits: 3 };

export function figure(value: number): string {
  if (value !== 0 && Math.abs(value) < 0.001) return value.toExponential(1);
  return new Intl.NumberFormat(locale(), sized(value)).format(value);
}

export function dollars(value: number): string {
  return new Intl.NumberFormat(locale(), {
    style: "currency", currency: "USD", currencyDisplay: "narrowSymbol", minimumSignificantDigits: 2, ...sized(value),
  }).format(value);
}

export function percent(share: number): string {
  return new Intl.NumberFormat(locale(), { style: "percent", maximumFractionDigits: share < 0.1 ? 1 : 0 }).format(share);
}

// What people type: 2048, 16M, 300e9, 14.8T; null when it is no number.
export function typed(text: string): number | null {
  const match = /^\s*([\d.,]+(?:e[+-]?\d+)?)\s*([kKMBGT%]?)\s*$/i.exec(text);
  if (!match) return null;
  const factor = { k: 1e3, m: 1e6, b: 1e9, g: 1e9, t: 1e12, "%": 0.01 }[match[2]?.toLowerCase() ?? ""] ?? 1;
  const value = Number(match[1]?.replaceAll(",", "")) * factor;
  return Number.isFinite(value) ? value : null;
}

// As people would type it.
export function typeable(value: number): string {
  for (const [unit, size] of [["T", 1e12], ["B", 1e9], ["M", 1e6]] as const) {
    if (value >= size) return `${Number((value / size).toPrecision(6))}${unit}`;
  }
  return String(Number(value.toPrecision(6)));
}
