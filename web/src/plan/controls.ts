// The inputs of each kind of question: how far a slider goes, and what an input is when nobody has set it. The server refuses
// what is impossible; these bounds are only those of the sliders.
import type { StringKey } from "../text/language";
import { figure, percent } from "./numbers";

export type Kind = "train" | "rl" | "serve" | "run";
export const kKinds: [Kind, StringKey][] = [
  ["train", "plan_train"], ["rl", "plan_rl"], ["serve", "plan_serve"], ["run", "plan_run"],
];

// What each kind is mostly about: the large figure, unless the question names another.
export const kHeadline: Record<Kind, string> = {
  train: "run_usd", rl: "usd", serve: "usd_per_million_out", run: "decode_tokens_per_s",
};

interface Common {
  key: string;
  label: StringKey;
}
export interface SliderControl extends Common {
  type: "slider";
  min: number;
  max: number;
  scale: "log" | "linear" | "devices";
  step?: number;      // of a linear slider
  isWhole?: boolean;
  fallback?: number;  // what holds, or about what, while the input is left out; without it the input is required
  isOff?: boolean;    // left out means that there is none
  text?: (value: number) => string;
}
export interface SelectControl extends Common {
  type: "select";
  from: "models" | "devices" | "machines" | "apis" | "precisions";
}
export interface FlagControl extends Common {
  type: "flag";
}
export interface TextControl extends Common {
  type: "text";
  hint: StringKey;
}
export type Control = SliderControl | SelectControl | FlagControl | TextControl;

// Numbers of devices that divide well.
export const kDeviceCounts = [
  1, 2, 4, 8, 16, 24, 32, 48, 64, 96, 128, 192, 256, 384, 512, 768, 1024, 1536, 2048, 3072, 4096, 6144, 8192, 12288, 16384,
  24576, 32768, 49152, 65536, 98304,
];

const slider = (key: string, label: StringKey, min: number, max: number, more: Partial<SliderControl> = {}): SliderControl =>
  ({ type: "slider", key, label, min, max, scale: "log", ...more });

const model: Control = { type: "select", key: "model", label: "in_model", from: "models" };
const fleet: Control[] = [
  model,
  { type: "select", key: "device", label: "in_device", from: "devices" },
  slider("devices", "in_devices", 1, 98304, { scale: "devices", isWhole: true }),
];
const price = slider("usd_per_hour", "in_usd_per_hour", 0.1, 20, { fallback: 2, text: figure });
const whole = { isWhole: true };

export const kControls: Record<Kind, Control[]> = {
  train: [
    ...fleet,
    slider("tokens", "in_tokens", 1e9, 1e14),
    price,
    slider("programme", "in_programme", 1, 20, { scale: "linear", step: 0.1, fallback: 4 }),
    slider("sequences", "in_sequences", 16, 65536, { ...whole, fallback: 4096 }),
    slider("tflops", "in_tflops", 10, 2000, { fallback: 400 }),
    slider("goodput", "in_goodput", 0.5, 1, { scale: "linear", step: 0.01, fallback: 0.96, text: percent }),
    slider("extra_hours", "in_extra_hours", 1e3, 1e7, { fallback: 1e3, isOff: true }),
    { type: "select", key: "precision", label: "in_precision", from: "precisions" },
    { type: "text", key: "layout", label: "in_layout", hint: "in_layout_hint" },
    { type: "flag", key: "with_mtp", label: "in_with_mtp" },
  ],
  rl: [
    ...fleet,
    slider("rounds", "in_rounds", 10, 10_000, whole),
    slider("answers_per_round", "in_answers_per_round", 64, 65536, whole),
    slider("answer_tokens", "in_answer_tokens", 100, 64_000, { ...whole, fallback: 8000 }),
    slider("cap_tokens", "in_cap_tokens", 1000, 128_000, { ...whole, fallback: 32768 }),
    slider("prompt_tokens", "in_prompt_tokens", 10, 8000, { ...whole, fallback: 200 }),
    price,
    slider("bits", "in_bits", 4, 16, { scale: "linear", step: 0.5, fallback: 8 }),
  ],
  serve: [
    ...fleet,
    slider("input_tokens", "in_input_tokens", 10, 128_000, { ...whole, fallback: 2000 }),
    slider("output_tokens", "in_output_tokens", 10, 32_000, { ...whole, fallback: 600 }),
    slider("hit_share", "in_hit_share", 0, 0.99, { scale: "linear", step: 0.01, fallback: 0, text: percent }),
    price,
    slider("use", "in_use", 0.01, 1, { scale: "linear", step: 0.01, fallback: 1, text: percent }),
    slider("token_ms", "in_token_ms", 5, 1000, { fallback: 100, isOff: true }),
    slider("bits", "in_bits", 4, 16, { scale: "linear", step: 0.5, fallback: 8 }),
    slider("drafts", "in_drafts", 0, 4, { scale: "linear", step: 1, ...whole, fallback: 0 }),
    { type: "select", key: "api", label: "in_api", from: "apis" },
  ],
  run: [
    model,
    { type: "select", key: "device", label: "in_machine", from: "machines" },
    slider("read_gb_per_s", "in_read_gb_per_s", 5, 5000),
    slider("compute_gops", "in_compute_gops", 10, 1e6, { fallback: 500, isOff: true }),
    slider("f32_gflops", "in_f32_gflops", 10, 1e6, { fallback: 250, isOff: true }),
    slider("memory_gb", "in_memory_gb", 4, 1024, { fallback: 24, isOff: true }),
    slider("bits", "in_bits", 2, 16, { scale: "linear", step: 0.01, fallback: 4.82 }),
    slider("context", "in_context", 100, 128_000, { ...whole, fallback: 100, isOff: true }),
    slider("disk_gb_per_s", "in_disk_gb_per_s", 0.5, 50, { fallback: 6, isOff: true }),
    { type: "flag", key: "hybrid", label: "in_hybrid" },
  ],
};

export const kWhatIf: SliderControl[] = (["compute", "bandwidth", "network", "memory"] as const).map((property) =>
  slider(`what_if.${property}`, `in_${property}`, 0.25, 4, { fallback: 1, text: (value) => `× ${figure(value)}` }));

const kOwnMachine = new Set(["read_gb_per_s", "compute_gops", "f32_gflops", "memory_gb"]);
const kOfExperts = new Set(["disk_gb_per_s", "hybrid"]);

// On one machine either its own speed is stated or it is a device of the tables; there the experts may lie elsewhere.
export function controlsOf(kind: Kind, isOwnMachine: boolean, hasExperts = true): Control[] {
  return kControls[kind].filter(({ key }) => kind !== "run" || !(kOwnMachine.has(key) ? !isOwnMachine : kOfExperts.has(key) && (isOwnMachine || !hasExperts)));
}

export const hasWhatIf = (kind: Kind, isOwnMachine: boolean) => !(kind === "run" && isOwnMachine);
