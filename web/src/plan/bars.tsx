// Ranges and parts as bars: what a range spans, and what a whole is made of.
import type { Range } from "../api/plan_types";
import { t } from "../text/language";

export interface RangeBar {
  name: string;
  range: Range | null;
  note?: string;  // instead of a bar: why there is none
  isOwn?: boolean;
}

// All on one logarithmic scale, so that twice as much is the same distance everywhere.
export function RangeBars({ rows, text, label }: { rows: RangeBar[]; text: (value: number) => string; label: string }) {
  const ends = rows.flatMap((row) => (row.range === null ? [] : [row.range.low, row.range.high])).filter((value) => value > 0);
  const low = Math.min(...ends) / 1.15;
  const high = Math.max(...ends) * 1.15;
  const place = (value: number) => (100 * Math.log(Math.max(value, low) / low)) / Math.log(high / low);
  return (
    <ul class="range-bars" aria-label={label}>
      {rows.map((row) => (
        <li key={row.name} class={row.isOwn ? "own" : ""}>
          <span class="range-name">{row.name}</span>
          {row.range === null ? <span class="range-note">{row.note ?? "–"}</span> : (
            <>
              <span class="range-text">
                <strong>{text(row.range.likely)}</strong>
                <small>{t("plan_from_to", { low: text(row.range.low), high: text(row.range.high) })}</small>
              </span>
              <span class="range-rail" aria-hidden="true">
                <i class="range-span" style={{ left: `${place(row.range.low)}%`, width: `${place(row.range.high) - place(row.range.low)}%` }} />
                <i class="range-dot" style={{ left: `${place(row.range.likely)}%` }} />
              </span>
            </>
          )}
        </li>
      ))}
    </ul>
  );
}

export interface Part {
  name: string;
  value: number;
  isRest?: boolean;  // what is left over: drawn empty
}

const kLeast = 0.004;  // shares below this are not worth a colour

export function PartsBar({ title, parts, text, hint }: { title: string; parts: Part[]; text: (value: number) => string; hint?: string }) {
  const total = parts.reduce((sum, part) => sum + part.value, 0);
  const shown = parts.filter((part) => part.value > kLeast * total);
  return (
    <figure class="parts">
      <figcaption>{title}</figcaption>
      <div class="parts-rail" aria-hidden="true">
        {shown.map((part, at) => <i key={part.name} class={part.isRest ? "rest" : `part-${at % 6}`} style={{ width: `${(100 * part.value) / total}%` }} />)}
      </div>
      <ul>
        {shown.map((part, at) => (
          <li key={part.name}>
            <i class={part.isRest ? "rest" : `part-${at % 6}`} aria-hidden="true" />
            <span>{part.name}</span>
            <strong>{text(part.value)}</strong>
          </li>
        ))}
      </ul>
      {hint && <p class="hint">{hint}</p>}
    </figure>
  );
}
