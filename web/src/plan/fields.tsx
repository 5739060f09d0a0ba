// One input of a question: a slider with its number beside it, a choice, a switch or a text.
import { useSignal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import type { PlanDevice } from "../api/plan_types";
import { language, t } from "../text/language";
import { useDraft } from "../ui/draft";
import { Icon } from "../ui/icons";
import { kDeviceCounts, type Control, type SelectControl, type SliderControl, type TextControl } from "./controls";
import { figure, typeable, typed } from "./numbers";
import { choices, set, setMachine, type Question } from "./question";

// What the planner takes for inputs that are left out.
export type Used = Record<string, number | undefined>;

const kSteps = 200;  // of a slider on a logarithmic scale

// Three digits; whole where only whole numbers make sense.
function rounded(value: number, isWhole: boolean | undefined): number {
  const near = Number(value.toPrecision(value >= 100 ? 3 : 2));
  return isWhole ? Math.max(1, Math.round(near)) : near;
}

interface Rail {
  min: number;
  max: number;
  step: number;
  to: (value: number) => number;  // where the value stands
  from: (place: number) => number;
}

function railOf(control: SliderControl): Rail {
  if (control.scale === "linear") {
    const step = control.step ?? 1;
    return { min: control.min, max: control.max, step, to: (value) => value, from: (place) => Number(place.toPrecision(6)) };
  }
  if (control.scale === "devices") {
    const nearest = (value: number) => kDeviceCounts.reduce((best, n, at) =>
      Math.abs(Math.log(n / value)) < Math.abs(Math.log((kDeviceCounts[best] ?? 1) / value)) ? at : best, 0);
    return { min: 0, max: kDeviceCounts.length - 1, step: 1, to: nearest, from: (place) => kDeviceCounts[place] ?? 1 };
  }
  const span = Math.log(control.max / control.min);
  return {
    min: 0, max: kSteps, step: 1,
    to: (value) => Math.round((kSteps * Math.log(Math.max(value, control.min) / control.min)) / span),
    from: (place) => rounded(control.min * Math.exp((span * place) / kSteps), control.isWhole),
  };
}

// The number as a text that can be typed into; what is no number is marked and changes nothing.
function NumberBox(props: { label: string; value: number | undefined; likely: string; isWhole: boolean | undefined; onChange: (value: number) => void }) {
  const shown = props.value === undefined ? "" : typeable(props.value);
  const isBad = useSignal(false);
  useEffect(() => {
    isBad.value = false;
  }, [shown]);
  const take = (written: string) => {
    const value = typed(written);
    isBad.value = value === null;
    if (value !== null) props.onChange(props.isWhole ? Math.round(value) : value);
  };
  const draft = useDraft(shown, take);
  return (
    <input type="text" class="plan-number" inputMode="decimal" autocomplete="off" spellcheck={false} placeholder={props.likely}
      aria-label={t("plan_value", { name: props.label })} aria-invalid={isBad.value} title={t("plan_bad_number")} {...draft} />
  );
}

// An input that is left out stands where the planner puts it.
function Slider({ control, of, used }: { control: SliderControl; of: Question; used: Used }) {
  const given = of[control.key];
  const value = typeof given === "number" ? given : undefined;
  const rail = railOf(control);
  const name = t(control.label);
  const likely = used[control.key] ?? control.fallback;
  const place = rail.to(value ?? likely ?? control.min);
  const write = control.text ?? figure;
  const isIdle = value === undefined && control.isOff === true;
  const implied = isIdle || likely === undefined ? t("plan_off") : write(likely);
  const text = value === undefined ? `${t("plan_automatic")}: ${implied}` : write(value);
  return (
    <div class="plan-field">
      <label for={`in-${control.key}`}>{name}</label>
      {value !== undefined && control.fallback !== undefined && (
        <button type="button" class="icon-button small" aria-label={t("plan_to_automatic", { name })} title={t("plan_to_automatic", { name })}
          onClick={() => set(control.key, undefined)}>
          <Icon name="again" size={14} />
        </button>
      )}
      <NumberBox label={name} value={value} likely={implied} isWhole={control.isWhole} onChange={(next) => set(control.key, next)} />
      <input id={`in-${control.key}`} type="range" class={value === undefined ? "unset" : ""} min={rail.min} max={rail.max} step={rail.step} value={place}
        aria-valuetext={text} onInput={(event) => set(control.key, rail.from(Number(event.currentTarget.value)))} />
    </div>
  );
}

function DeviceOptions({ devices }: { devices: PlanDevice[] }) {
  const option = (device: PlanDevice) => <option key={device.name} value={device.name}>{device.name.replaceAll("-", " ")}</option>;
  const isBig = (device: PlanDevice) => device.class === "datacenter-gpu";
  return (
    <>
      <optgroup label={t("device_class_gpu")}>{devices.filter(isBig).map(option)}</optgroup>
      <optgroup label={t("device_class_other")}>{devices.filter((device) => !isBig(device)).map(option)}</optgroup>
    </>
  );
}

function Select({ control, of, ownRead }: { control: SelectControl; of: Question; ownRead: number | undefined }) {
  const all = choices.value;
  if (all === null) return null;
  const value = String(of[control.key] ?? "");
  const take = (next: string) => {
    if (control.from === "machines") setMachine(next === "" ? undefined : next, ownRead);
    else set(control.key, next === "" ? undefined : next);
  };
  // a name of the address that is an alias, or unknown, is shown as it is
  const isListed = control.from === "models" ? all.models.some((model) => model.name === value) : all.devices.some((device) => device.name === value);
  const isForeign = (control.from === "models" || control.from === "devices") && !isListed;
  return (
    <label class="plan-field plan-select">
      <span>{t(control.label)}</span>
      <select value={value} onChange={(event) => take(event.currentTarget.value)}>
        {isForeign && <option value={value}>{value}</option>}
        {control.from === "models" && all.models.map((model) => (
          <option key={model.name} value={model.name}>{`${model.name} (${figure(model.parameters)})`}</option>
        ))}
        {control.from === "devices" && <DeviceOptions devices={all.devices.filter((device) => device.class.endsWith("gpu"))} />}
        {control.from === "machines" && <option value="">{t("in_own_machine")}</option>}
        {control.from === "machines" && <DeviceOptions devices={all.devices} />}
        {control.from === "apis" && <option value="">{t("in_api_none")}</option>}
        {control.from === "apis" && all.apis.map((api) => <option key={api} value={api}>{api}</option>)}
        {control.from === "precisions" && <option value="">{t("plan_automatic")}</option>}
        {control.from === "precisions" && ["fp8", "bf16"].map((one) => <option key={one} value={one}>{one.toUpperCase()}</option>)}
      </select>
    </label>
  );
}

function Text({ control, of }: { control: TextControl; of: Question }) {
  const draft = useDraft(String(of[control.key] ?? ""), (text) => set(control.key, text.trim() || undefined));
  return (
    <label class="plan-field plan-text">
      <span>{t(control.label)}<small>{t(control.hint)}</small></span>
      <input type="text" placeholder={t("plan_automatic")} autocomplete="off" spellcheck={false} {...draft} />
    </label>
  );
}

export function Field({ control, of, ownRead, used }: { control: Control; of: Question; ownRead: number | undefined; used: Used }) {
  void language.value;  // numbers are written in it
  if (control.type === "slider") return <Slider control={control} of={of} used={used} />;
  if (control.type === "select") return <Select control={control} of={of} ownRead={ownRead} />;
  if (control.type === "text") return <Text control={control} of={of} />;
  return (
    <label class="plan-field plan-flag">
      <input type="checkbox" checked={of[control.key] === true} onChange={(event) => set(control.key, event.currentTarget.checked || undefined)} />
      <span>{t(control.label)}</span>
    </label>
  );
}
