// The question of the Plan page: flat inputs that the address holds, the request that they make, and the answer to it.
import { computed, signal } from "@preact/signals";
import * as minke from "../api/minke";
import type { PlanChoices, PlanInputs, PlanPreset } from "../api/plan_types";
import { controlsOf, kHeadline, kKinds, kWhatIf, type Kind } from "./controls";

export type Value = string | number | boolean;
export type Question = { kind: Kind } & Record<string, Value>;

export const choices = signal<PlanChoices | null>(null);
export const question = signal<Question | null>(null);

const kPath = "#/plan";

export function isOwnMachine(of: Question): boolean {
  return of.kind === "run" && of["device"] === undefined;
}

// "#/plan?kind=train&tokens=14800000000000&what_if.bandwidth=2"
export function hashOf(of: Question): string {
  const parts = new URLSearchParams();
  for (const [key, value] of Object.entries(of)) parts.append(key, String(value));
  return `${kPath}?${parts}`;
}

// What cannot be read is left to the server to refuse, by name and value.
export function questionOf(hash: string): Question | null {
  const at = hash.indexOf("?");
  if (at < 0) return null;
  const parts = new URLSearchParams(hash.slice(at + 1));
  const kind = kKinds.find(([name]) => name === parts.get("kind"))?.[0];
  if (!kind) return null;
  const of: Question = { kind };
  for (const [key, text] of parts) {
    if (key === "kind") continue;
    const control = [...controlsOf(kind, false), ...controlsOf(kind, true), ...kWhatIf].find((one) => one.key === key);
    const number = Number(text);
    if (control?.type === "flag") of[key] = text === "true";
    else of[key] = control?.type === "text" || control?.type === "select" || text === "" || Number.isNaN(number) ? text : number;
  }
  return of;
}

// The inputs of a preset. `show` is none of the planner's: it names the figure that the page shows large.
export function flat(preset: PlanPreset): Question {
  const of: Record<string, Value> = {};
  for (const [key, value] of Object.entries(preset.request)) of[key] = value as Value;
  if (preset.headline !== kHeadline[of["kind"] as Kind]) of["show"] = preset.headline;
  return of as Question;
}

export function requestOf(of: Question): PlanInputs {
  const request: PlanInputs = {};
  const factors: Record<string, Value> = {};
  for (const [key, value] of Object.entries(of)) {
    if (key.startsWith("what_if.")) factors[key.slice("what_if.".length)] = value;
    else if (key !== "show") request[key] = value;
  }
  if (Object.keys(factors).length > 0) request["what_if"] = factors;
  return request;
}

const sameAs = (a: Question, b: Question) =>
  JSON.stringify(Object.entries(a).sort()) === JSON.stringify(Object.entries(b).sort());

// The preset whose inputs stand here, unchanged.
export const currentPreset = computed<PlanPreset | null>(() => {
  const now = question.value;
  if (now === null) return null;
  return choices.value?.presets.find((preset) => sameAs(flat(preset), now)) ?? null;
});
let timer = 0;

function writeHash(): void {
  window.clearTimeout(timer);
  // Not for every step of a slider: browsers refuse addresses that change too often.
  timer = window.setTimeout(() => question.value && location.hash.startsWith(kPath) && history.replaceState(null, "", hashOf(question.value)), 250);
}

// Inputs that belong to others: a price to its device, a layout to the devices that it divides.
const kBelongsTo: Record<string, string[]> = {
  device: ["usd_per_hour", "layout"], devices: ["layout"], model: ["layout", "with_mtp"],
};

// undefined leaves the input out.
export function set(key: string, value: Value | undefined): void {
  const now = question.value;
  if (now === null) return;
  const next: Question = { ...now };
  for (const other of [key, ...(kBelongsTo[key] ?? [])]) delete next[other];
  if (value !== undefined) next[key] = value;
  change(next);
}

export function change(next: Question): void {
  question.value = next;
  writeHash();
}

// A new entry of the history, so that the back button returns.
export function show(preset: PlanPreset, ownRead: number | undefined): void {
  window.clearTimeout(timer);
  const next = flat(preset);
  if (preset.id === "here" && ownRead !== undefined) next["read_gb_per_s"] = Number(ownRead.toPrecision(3));
  question.value = next;
  location.hash = hashOf(next);
}

export function setKind(kind: Kind, ownRead: number | undefined): void {
  const preset = choices.value?.presets.find((one) => one.request["kind"] === kind);
  if (preset) show(preset, ownRead);
}

// One device of the tables, or a machine whose speed is stated.
export function setMachine(device: string | undefined, ownRead: number | undefined): void {
  const now = question.value;
  if (now === null) return;
  const next: Question = { kind: "run" };
  for (const key of ["model", "bits", "context"]) if (now[key] !== undefined) next[key] = now[key] as Value;
  if (device === undefined) next["read_gb_per_s"] = ownRead ?? 40;
  else next["device"] = device;
  change(next);
}

export async function loadChoices(): Promise<void> {
  choices.value ??= await minke.plan<PlanChoices>({ kind: "choices" });
}
