// What the planner answers: the headline, the amounts, where time and memory go, all figures, what is left out, the working.
import type { PlanAnswer, PlanWorking, Range } from "../api/plan_types";
import { t, type StringKey } from "../text/language";
import { Icon } from "../ui/icons";
import { PartsBar, RangeBars, type Part } from "./bars";
import { kHeadline, type Kind } from "./controls";
import { dollars, figure, percent } from "./numbers";
import type { Question } from "./question";

type Figure = [key: string, text: (value: number) => string];

// In the order of the table.
const kFigures: Record<Kind, Figure[]> = {
  train: [
    ["run_usd", dollars], ["programme_usd", dollars], ["fleet_usd", dollars], ["days", figure], ["device_hours", figure], ["step_s", figure],
    ["tokens_per_day", figure], ["tflops", figure], ["mfu", percent], ["goodput", percent], ["owned_usd_per_hour", dollars], ["energy_mwh", figure],
    ["tonnes_co2", figure],
  ],
  rl: [
    ["usd", dollars], ["days", figure], ["device_hours", figure], ["writing_hours", figure], ["scoring_hours", figure], ["learning_hours", figure],
    ["writing_tokens_per_s_per_device", figure],
  ],
  serve: [
    ["usd_per_million_out", dollars], ["usd_per_million_in", dollars], ["usd_per_request", dollars], ["usd_per_day", dollars], ["stream_tokens_per_s", figure],
    ["requests_per_s", figure], ["prefill_tokens_per_s_per_device", figure], ["decode_tokens_per_s_per_device", figure], ["prefill_share", percent],
  ],
  run: [["decode_tokens_per_s", figure], ["prefill_tokens_per_s", figure]],
};

const nameOf = (key: string) => t(`out_${key}` as StringKey);

function rangeOf(answer: PlanAnswer, key: string): Range | null {
  const value = answer[key];
  return value !== null && typeof value === "object" && "likely" in value ? (value as Range) : null;
}

function known(kind: Kind, answer: PlanAnswer): [string, Range, (value: number) => string][] {
  return kFigures[kind].flatMap(([key, text]) => {
    const range = rangeOf(answer, key);
    return range === null ? [] : [[key, range, text] as [string, Range, (value: number) => string]];
  });
}

export function Headline({ of, answer }: { of: Question; answer: PlanAnswer }) {
  const all = known(of.kind, answer);
  const wanted = of["show"] ?? kHeadline[of.kind];
  const [key, range, text] = all.find(([name]) => name === wanted) ?? all[0] ?? [];
  if (!key || !range || !text) return null;
  return (
    <div class="plan-headline">
      <span>{nameOf(key)}</span>
      <strong>{text(range.likely)}</strong>
      <small>{t("plan_from_to", { low: text(range.low), high: text(range.high) })}</small>
    </div>
  );
}

function facts(kind: Kind, answer: PlanAnswer): string[] {
  const out: string[] = [];
  if (answer.layout) out.push(t("plan_layout_is", { layout: answer.layout }));
  if (kind === "rl") out.push(t(answer.waits_for_longest ? "plan_waits_longest" : "plan_waits_devices"));
  const unit = answer.decode_unit;
  if (unit) {
    const limit = t(`part_${unit.limit}` as StringKey);
    out.push(t("plan_unit_is", { n: unit.devices, m: figure(unit.streams), ms: figure(unit.step_ms), limit }));
  }
  if (kind === "run" && typeof answer.memory_bytes === "number") {
    const size = figure(answer.memory_bytes / 1e9);
    const share = Math.round(100 * (answer.disk_share ?? 0));
    out.push(share > 0 ? t("plan_fits_disk", { size, share }) : t(answer.fits ? "plan_fits" : "plan_fits_not", { size }));
  }
  return out;
}

export function Facts({ kind, answer, hasPrice }: { kind: Kind; answer: PlanAnswer; hasPrice: boolean }) {
  const all = facts(kind, answer);
  if (!hasPrice) all.push(t("plan_no_price"));
  return all.length === 0 ? null : <ul class="plan-facts">{all.map((fact) => <li key={fact}>{fact}</li>)}</ul>;
}

const partsOf = (values: Record<string, number>): Part[] =>
  Object.entries(values).map(([key, value]) => ({ name: t(`part_${key}` as StringKey), value })).sort((a, b) => b.value - a.value);

function memoryParts(memory: Record<string, number>): Part[] {
  const { total = 0, usable = 0, ...parts } = memory;
  return [...partsOf(parts), { name: t("part_free"), value: Math.max(0, usable - total), isRest: true }];
}

export function Parts({ kind, answer }: { kind: Kind; answer: PlanAnswer }) {
  const seconds = (value: number) => t("seconds", { n: figure(value) });
  const hours = kind === "rl"
    ? Object.fromEntries(["writing", "scoring", "learning"].map((part) => [part, rangeOf(answer, `${part}_hours`)?.likely ?? 0])) : null;
  return (
    <>
      {kind === "train" && known(kind, answer).some(([key]) => key.endsWith("_usd")) && (
        <figure class="parts">
          <figcaption>{t("plan_money")}</figcaption>
          <RangeBars label={t("plan_money")} text={dollars}
            rows={["run_usd", "programme_usd", "fleet_usd"].flatMap((key) => (rangeOf(answer, key) === null ? [] : [{ name: nameOf(key), range: rangeOf(answer, key) }]))} />
        </figure>
      )}
      {answer.step_parts_s && <PartsBar title={t("plan_step_parts")} parts={partsOf(answer.step_parts_s)} text={seconds} />}
      {typeof answer.memory_bytes === "object" && (
        <PartsBar title={t("plan_memory_parts")} parts={memoryParts(answer.memory_bytes)} text={(value) => `${figure(value / 1e9)} GB`} />
      )}
      {hours && <PartsBar title={t("plan_rl_parts")} parts={partsOf(hours)} text={(value) => `${figure(value)} h`} />}
      {answer.decode_unit && (
        <PartsBar title={t("plan_token_parts")} parts={partsOf(answer.decode_unit.parts_ms)} text={(value) => `${figure(value)} ms`} hint={t("plan_token_parts_hint")} />
      )}
    </>
  );
}

export function Figures({ kind, answer }: { kind: Kind; answer: PlanAnswer }) {
  return (
    <section class="card">
      <h2>{t("plan_figures")}</h2>
      <div class="table">
        <table class="plan-figures">
          <thead>
            <tr><th /><th class="number">{t("plan_low")}</th><th class="number">{t("plan_likely")}</th><th class="number">{t("plan_high")}</th></tr>
          </thead>
          <tbody>
            {known(kind, answer).map(([key, range, text]) => (
              <tr key={key}>
                <th scope="row">{nameOf(key)}</th>
                <td class="number">{text(range.low)}</td>
                <td class="number"><strong>{text(range.likely)}</strong></td>
                <td class="number">{text(range.high)}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
      <p class="hint">{t("plan_range_hint")}</p>
    </section>
  );
}

export function ApiTable({ answer }: { answer: PlanAnswer }) {
  if (!answer.api || answer.api.length === 0) return null;
  return (
    <section class="card">
      <h2>{t("plan_api")}</h2>
      <div class="table">
        <table>
          <thead>
            <tr><th>API</th><th>{t("plan_api_from")}</th><th class="number">{t("plan_api_request")}</th><th class="number">{t("plan_api_use")}</th></tr>
          </thead>
          <tbody>
            {answer.api.map((row) => (
              <tr key={row.model + row.from}>
                <td>{row.model}</td>
                <td>{row.from}</td>
                <td class="number">{dollars(1000 * row.usd_per_request)}</td>
                <td class="number">{row.break_even_use === null ? "–" : `${percent(row.break_even_use.likely)} (${t("plan_from_to", { low: percent(row.break_even_use.low), high: percent(row.break_even_use.high) })})`}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
      <p class="hint">{t("plan_api_hint")}</p>
    </section>
  );
}

export function NotIncluded({ sentences }: { sentences: string[] }) {
  return (
    <section class="plan-left-out">
      <h2><Icon name="warning" />{t("plan_not_included")}</h2>
      <ul>{sentences.map((sentence) => <li key={sentence}>{sentence}</li>)}</ul>
    </section>
  );
}

export function Working({ working }: { working: PlanWorking }) {
  return (
    <details class="card plan-working">
      <summary>
        <h2>{t("plan_working")}</h2>
        <span class="hint">{t("plan_working_hint", { n: working.inputs.length, m: working.steps.length })}</span>
      </summary>
      <div class="table" tabIndex={0}>
        <table>
          <thead><tr><th>{t("plan_figure")}</th><th>{t("plan_formula")}</th><th class="number">{t("plan_result")}</th></tr></thead>
          <tbody>
            {working.steps.map((step) => (
              <tr key={step.name}>
                <th scope="row">{step.name}</th>
                <td>{step.formula}<code>{step.numbers}</code></td>
                <td class="number">{step.result}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
      <div class="table" tabIndex={0}>
        <table>
          <thead><tr><th>{t("plan_input")}</th><th class="number">{t("plan_figure")}</th><th>{t("plan_source")}</th></tr></thead>
          <tbody>
            {working.inputs.map((input) => (
              <tr key={input.name + input.value}>
                <th scope="row">{input.name}</th>
                <td class="number">{input.value}</td>
                <td>{input.source}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </details>
  );
}
