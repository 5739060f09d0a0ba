// Numbers as people read them, in the page's language.
import type { Money } from "../api/types";
import { language, t } from "./language";

const locale = () => (language.value === "ko" ? "ko-KR" : "en-US");

export function count(n: number): string {
  return new Intl.NumberFormat(locale(), { maximumFractionDigits: 0 }).format(n);
}

export function compact(n: number): string {
  return new Intl.NumberFormat("en-US", { notation: "compact", maximumFractionDigits: 1 }).format(n);
}

export function decimal(n: number, digits = 1): string {
  return new Intl.NumberFormat(locale(), { minimumFractionDigits: 0, maximumFractionDigits: digits }).format(n);
}

export function bytes(n: number): string {
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  let unit = 0;
  while (n >= 1024 && unit < units.length - 1) {
    n /= 1024;
    ++unit;
  }
  return `${decimal(n, n < 10 && unit > 0 ? 1 : 0)} ${units[unit]}`;
}

export function seconds(s: number): string {
  if (s < 0.1) return `${decimal(s * 1000, 0)} ms`;
  if (s < 60) return t("seconds", { n: decimal(s, s < 10 ? 1 : 0) });
  const whole = Math.round(s);
  const minutes = Math.floor(whole / 60);
  if (minutes < 60) return t("minutes_seconds", { m: minutes, s: whole % 60 });
  if (minutes < 60 * 48) return t("hours_minutes", { h: Math.floor(minutes / 60), m: minutes % 60 });
  return t("days_hours", { d: Math.floor(minutes / 1440), h: Math.floor((minutes % 1440) / 60) });
}

export function energy(joules: number): string {
  if (joules < 3600) return `${decimal(joules, joules < 10 ? 1 : 0)} J`;
  if (joules < 3.6e6) return `${decimal(joules / 3600, 1)} Wh`;
  return `${decimal(joules / 3.6e6, 2)} kWh`;
}

export function money(value: Money): string {
  const digits = Math.abs(value.amount) < 0.01 ? 6 : Math.abs(value.amount) < 1 ? 4 : 2;
  try {
    return new Intl.NumberFormat(locale(), {
      style: "currency", currency: value.currency, minimumFractionDigits: 2, maximumFractionDigits: digits,
    }).format(value.amount);
  } catch {
    return `${decimal(value.amount, digits)} ${value.currency}`;  // a currency that the browser does not know
  }
}

// Times come as ISO text or as seconds or milliseconds since 1970.
export function dateOf(value: string | number | undefined): Date {
  if (typeof value === "string") return new Date(value);
  if (value === undefined) return new Date(Number.NaN);
  return new Date(value > 1e11 ? value : value * 1000);
}

export function dateTime(value: string | number | undefined): string {
  const date = dateOf(value);
  if (Number.isNaN(date.getTime())) return "";
  return new Intl.DateTimeFormat(locale(), { dateStyle: "medium", timeStyle: "short" }).format(date);
}

export type AgeGroup = "today" | "yesterday" | "week" | "month" | "older";

export function ageOf(value: string | number, now = new Date()): AgeGroup {
  const midnight = new Date(now.getFullYear(), now.getMonth(), now.getDate()).getTime();
  const time = dateOf(value).getTime();
  const day = 86_400_000;
  if (time >= midnight) return "today";
  if (time >= midnight - day) return "yesterday";
  if (time >= midnight - 7 * day) return "week";
  if (time >= midnight - 30 * day) return "month";
  return "older";
}
