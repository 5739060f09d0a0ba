// How tokens are chosen and how many there may be; used by a chat's settings and by those of the page.
import { change, kDefaults, prefs } from "../state/prefs";
import { decimal } from "../text/format";
import { t } from "../text/language";
import { useDraft } from "../ui/draft";

function Slider(props: { label: string; hint: string; value: number; max: number; step: number; onChange: (value: number) => void }) {
  return (
    <label class="field slider">
      <span>{props.label}<b class="value">{decimal(props.value, 2)}</b></span>
      <input type="range" min={0} max={props.max} step={props.step} value={props.value}
        onInput={(event) => props.onChange(event.currentTarget.valueAsNumber)} />
      <small>{props.hint}</small>
    </label>
  );
}

function OptionalNumber(props: { label: string; hint: string; value: number | null; min: number; onChange: (value: number | null) => void }) {
  const take = (text: string, field: HTMLInputElement) => {
    const value = field.valueAsNumber;
    if (text === "") props.onChange(null);
    else if (Number.isSafeInteger(value) && value >= props.min) props.onChange(value);
    else field.reportValidity();
  };
  const draft = useDraft(String(props.value ?? ""), take);
  return (
    <label class="field">
      <span>{props.label}</span>
      <input type="number" min={props.min} step={1} placeholder={t("automatic")} inputMode="numeric" {...draft} />
      <small>{props.hint}</small>
    </label>
  );
}

export function SamplingFields() {
  const now = prefs.value;
  const isDefault = now.temperature === kDefaults.temperature && now.top_p === kDefaults.top_p && now.max_tokens === null && now.seed === null;
  return (
    <fieldset class="sampling">
      <legend>{t("sampling")}</legend>
      <Slider label={t("temperature")} hint={t("temperature_hint")} value={now.temperature} max={2} step={0.05} onChange={(temperature) => change({ temperature })} />
      <Slider label={t("top_p")} hint={t("top_p_hint")} value={now.top_p} max={1} step={0.01} onChange={(top_p) => change({ top_p })} />
      <div class="pair">
        <OptionalNumber label={t("thought_budget_label")} hint={t("thought_budget_hint")} value={now.budget} min={0} onChange={(budget) => change({ budget })} />
        <OptionalNumber label={t("max_tokens")} hint={t("max_tokens_hint")} value={now.max_tokens} min={1} onChange={(max_tokens) => change({ max_tokens })} />
        <OptionalNumber label={t("seed")} hint={t("seed_hint")} value={now.seed} min={0} onChange={(seed) => change({ seed })} />
      </div>
      {/* always there: a button that appeared when a field lost focus would push away what is being clicked */}
      <button type="button" class="button small" disabled={isDefault}
        onClick={() => change({ temperature: kDefaults.temperature, top_p: kDefaults.top_p, max_tokens: null, seed: null })}>
        {t("reset")}
      </button>
    </fieldset>
  );
}
