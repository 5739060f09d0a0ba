// What would it cost? Inputs at the left, the planner's answer at the right, all of it in the address.
import "../styles/plan.css";
import { useSignal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import * as minke from "../api/minke";
import type { PlanAnswer, PlanPreset, Range } from "../api/plan_types";
import { LoadError, Page, useLoaded } from "../pages/page";
import { Chart, type Line } from "../pages/chart";
import { notify } from "../state/notice";
import { language, t } from "../text/language";
import { copyText } from "../ui/copy";
import { Icon } from "../ui/icons";
import { kSwept, useAnswer, useDevices, useSweep, type Swept } from "./ask";
import { RangeBars } from "./bars";
import { controlsOf, hasWhatIf, kKinds, kWhatIf } from "./controls";
import { Field, type Used } from "./fields";
import { dollars, figure } from "./numbers";
import { choices, currentPreset, flat, hashOf, isOwnMachine, loadChoices, question, questionOf, set, setKind, show, type Question } from "./question";
import { ApiTable, Facts, Figures, Headline, NotIncluded, Parts, Working } from "./results";

// The question of the address; without one the first preset, whose address then stands there.
function useAddress(): void {
  useEffect(() => {
    if (choices.value === null) return;
    const read = () => {
      if (!location.hash.startsWith("#/plan")) return;
      const asked = questionOf(location.hash);
      const first = choices.value?.presets[0];
      if (asked !== null) {
        if (question.value === null || hashOf(asked) !== hashOf(question.value)) question.value = asked;
      } else if (question.value !== null) {
        history.replaceState(null, "", hashOf(question.value));
      } else if (first) {
        question.value = flat(first);
        history.replaceState(null, "", hashOf(question.value));
      }
    };
    read();
    window.addEventListener("hashchange", read);
    return () => window.removeEventListener("hashchange", read);
  }, [choices.value]);
}

function Presets({ ownRead }: { ownRead: number | undefined }) {
  const now = currentPreset.value;
  const said = (of: { en: string; ko: string }) => of[language.value];
  return (
    <section class="plan-presets" aria-label={t("plan_presets")}>
      <div class="preset-row">
        {choices.value?.presets.map((preset: PlanPreset) => (
          <button key={preset.id} type="button" class="preset" aria-pressed={preset === now} onClick={() => show(preset, ownRead)}>{said(preset.title)}</button>
        ))}
      </div>
      {now && <p class="preset-note">{said(now.note)}</p>}
    </section>
  );
}

function Kinds({ of, ownRead }: { of: Question; ownRead: number | undefined }) {
  return (
    <fieldset class="plan-kinds">
      <legend class="off-screen">{t("plan_kind")}</legend>
      <div class="segments">
        {kKinds.map(([kind, name]) => (
          <label key={kind} class={of.kind === kind ? "on" : ""}>
            <input type="radio" name="plan-kind" checked={of.kind === kind} onChange={() => setKind(kind, ownRead)} />
            {t(name)}
          </label>
        ))}
      </div>
    </fieldset>
  );
}

const likelyOf = (value: unknown) => (value as Range | null | undefined)?.likely;

// What the answer took for inputs that were left out.
function usedBy(of: Question, answer: PlanAnswer | null): Used {
  const device = choices.value?.devices.find((one) => one.name === of["device"]);
  const own: Used = { usd_per_hour: device?.rental?.likely, programme: choices.value?.programme.likely };
  if (answer === null || of.kind !== "train") return own;
  const asked = answer["question"] as { sequences?: number } | undefined;
  return { ...own, sequences: asked?.sequences, tflops: likelyOf(answer["tflops"]), goodput: likelyOf(answer["goodput"]) };
}

function Inputs({ of, ownRead, used }: { of: Question; ownRead: number | undefined; used: Used }) {
  const isOwn = isOwnMachine(of);
  const device = choices.value?.devices.find((one) => one.name === of["device"]);
  const hasExperts = choices.value?.models.find((one) => one.name === of["model"])?.has_experts ?? true;
  const hasFactors = kWhatIf.some((control) => of[control.key] !== undefined);
  return (
    <form class="plan-inputs card" aria-label={t("plan_inputs")} onSubmit={(event) => event.preventDefault()}>
      {controlsOf(of.kind, isOwn, hasExperts).map((control) => <Field key={`${of.kind}-${control.key}`} control={control} of={of} ownRead={ownRead} used={used} />)}
      {hasWhatIf(of.kind, isOwn) && (
        <details open={hasFactors}>
          <summary>{t("plan_what_if")}</summary>
          <p class="hint">{t("plan_what_if_hint")}</p>
          {kWhatIf.map((control) => <Field key={control.key} control={control} of={of} ownRead={ownRead} used={used} />)}
        </details>
      )}
      {device && (
        <p class="hint plan-sources">
          {t("plan_device_source", { name: device.name, source: device.source, date: device.date })}
          {device.rental && of["usd_per_hour"] === undefined && of.kind !== "run" && <><br />{t("plan_price_source", { source: device.rental.source, date: device.rental.date })}</>}
        </p>
      )}
    </form>
  );
}

function Devices({ of }: { of: Question }) {
  const { value, error } = useDevices(of);
  if (of.kind === "rl") return null;
  if (value === null) return <LoadError text={error} />;
  const rows = value.map((row) => ({
    name: row.device.replaceAll("-", " "), range: row.range, isOwn: row.isOwn, ...(row.error ? { note: row.error } : {}),
  }));
  const unit = of.kind === "train" ? t("out_run_usd") : of.kind === "serve" ? t("out_usd_per_million_out") : t("out_decode_tokens_per_s");
  return (
    <figure class="parts">
      <figcaption>{t("plan_devices_chart")} <small>{unit}</small></figcaption>
      <RangeBars rows={rows} text={of.kind === "run" ? figure : dollars} label={t("plan_devices_chart")} />
      {of.kind !== "run" && <p class="hint">{t("plan_devices_hint")}</p>}
    </figure>
  );
}

function Sweep({ of }: { of: Question }) {
  const chosen = useSignal<Swept | null>(null);
  const property = chosen.value ?? (of.kind === "serve" ? "bandwidth" : "compute");
  const { value, error } = useSweep(of, property);
  if (of.kind !== "train" && of.kind !== "serve") return null;
  const hasMoney = value?.some((point) => (of.kind === "train" ? point.usd : point.usd_per_million_out)) ?? true;
  const range = (point: NonNullable<typeof value>[number]) =>
    (of.kind === "train" ? (hasMoney ? point.usd : point.days) : hasMoney ? point.usd_per_million_out : point.decode_tokens_per_s_per_device) ?? null;
  const title = t(of.kind === "train" ? (hasMoney ? "out_run_usd" : "out_days") : hasMoney ? "out_usd_per_million_out" : "out_decode_tokens_per_s_per_device");
  const line = (name: string, end: "low" | "likely" | "high", isEdge: boolean): Line =>
    ({ name, color: "--line-1", isEdge, values: value?.map((point) => range(point)?.[end] ?? null) ?? [] });
  const lines = [line(t("plan_low"), "low", true), line(t("plan_likely"), "likely", false), line(t("plan_high"), "high", true)];
  const name = (one: Swept) => t(`in_${one}` as const);
  return (
    <section class="plan-sweep">
      <label class="row">
        <span>{t("plan_sweep")}</span>
        <select value={property} onChange={(event) => (chosen.value = event.currentTarget.value as Swept)}>
          {kSwept.map((one) => <option key={one} value={one}>{name(one)}</option>)}
        </select>
      </label>
      <LoadError text={value === null ? error : ""} />
      {value !== null && (
        <Chart title={title} axis={{ name: t("plan_sweep_axis", { name: name(property) }), isRatio: true, text: hasMoney ? dollars : figure }} x={value.map((point) => point.factor ?? 1)}
          lines={lines} figure={t("plan_sweep_axis", { name: name(property) })} height={220} />
      )}
    </section>
  );
}

function Refusal({ text, of }: { text: string; of: Question }) {
  const first = choices.value?.presets[0];
  return (
    <div class="card plan-refusal" role="alert">
      <h2><Icon name="warning" />{t("plan_error")}</h2>
      <p>{text}</p>
      <div class="row">
        {of["layout"] !== undefined && <button type="button" class="button small" onClick={() => set("layout", undefined)}>{t("plan_free_layout")}</button>}
        {first && <button type="button" class="button small" onClick={() => show(first, undefined)}>{t("plan_first_preset")}</button>}
      </div>
    </div>
  );
}

function Answer({ answer, of }: { answer: PlanAnswer; of: Question }) {
  const hasPrice = of.kind === "run" || [answer["run_usd"], answer["usd"], answer["usd_per_day"]].some((value) => value !== null && value !== undefined);
  return (
    <>
      <Facts kind={of.kind} answer={answer} hasPrice={hasPrice} />
      <NotIncluded sentences={answer.not_included} />
      <div class="plan-charts">
        <Parts kind={of.kind} answer={answer} />
        <Devices of={of} />
      </div>
      <Sweep of={of} />
      <Figures kind={of.kind} answer={answer} />
      <ApiTable answer={answer} />
      <Working working={answer.working} />
    </>
  );
}

async function share(of: Question): Promise<void> {
  history.replaceState(null, "", hashOf(of));
  notify((await copyText(location.href)) ? t("plan_shared") : t("copy_failed"));
}

export function PlanPage() {
  const { error } = useLoaded(loadChoices, null);
  const machine = useLoaded(minke.machine, null).value;
  const ownRead = machine?.read_gb_s;
  useAddress();
  const of = question.value;
  const asked = useAnswer(of);
  if (choices.value === null || of === null) return <Page title={t("plan")} lead={t("plan_lead")}><LoadError text={error} /></Page>;
  const isCurrent = asked.value !== null && asked.of?.kind === of.kind;
  return (
    <Page title={t("plan")} lead={t("plan_lead")} isWide>
      <Presets ownRead={ownRead} />
      <div class="row plan-bar">
        <Kinds of={of} ownRead={ownRead} />
        <button type="button" class="button small" title={t("plan_share_hint")} onClick={() => void share(of)}><Icon name="copy" size={15} />{t("plan_share")}</button>
      </div>
      <div class="plan">
        <div class="plan-top">
          {asked.error !== "" ? <Refusal text={asked.error} of={of} /> : isCurrent && <Headline of={of} answer={asked.value as PlanAnswer} />}
        </div>
        <Inputs of={of} ownRead={ownRead} used={usedBy(of, isCurrent ? asked.value : null)} />
        <div class={asked.error !== "" ? "plan-answer stale" : "plan-answer"} aria-busy={asked.isBusy}>
          {isCurrent && <Answer answer={asked.value as PlanAnswer} of={asked.of as Question} />}
        </div>
      </div>
    </Page>
  );
}
