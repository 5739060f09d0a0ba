// What POST /api/minke/plan takes and gives (docs/plan.md).
export type PlanInputs = Record<string, unknown>;

export interface Range {
  low: number;
  likely: number;
  high: number;
}

export interface Sourced {
  source: string;
  date: string;
  confidence: string;
}

export interface PlanModel extends Sourced {
  name: string;
  aliases: string[];
  parameters: number;
  active: number;
  context: number;
  has_mtp: boolean;
  has_experts: boolean;
}

export interface PlanDevice extends Sourced {
  name: string;
  class: string;
  bf16_tflops: number | null;
  fp8_tflops: number | null;
  memory_gb: number | null;
  memory_gb_per_s: number | null;
  rental: (Range & Sourced) | null;
}

export interface PlanPreset {
  id: string;
  title: { en: string; ko: string };
  note: { en: string; ko: string };
  headline: string;
  request: PlanInputs;
}

export interface PlanChoices {
  models: PlanModel[];
  devices: PlanDevice[];
  apis: string[];
  presets: PlanPreset[];
  programme: Range & Sourced;
}

export interface PlanWorking {
  inputs: { name: string; value: string; source: string }[];
  steps: { name: string; formula: string; numbers: string; result: string }[];
}

export interface PlanAnswer {
  not_included: string[];
  working: PlanWorking;
  layout?: string;
  memory_bytes?: Record<string, number> | number;
  step_parts_s?: Record<string, number>;
  waits_for_longest?: boolean;
  fits?: boolean;
  disk_share?: number;
  decode_unit?: { devices: number; streams: number; step_ms: number; limit: string; parts_ms: Record<string, number> };
  api?: { model: string; from: string; usd_per_request: number; break_even_use: Range | null }[];
  [figure: string]: unknown;
}

export interface PlanOutcome {
  device: string;
  factor?: number;
  error?: string;
  days?: Range;
  usd?: Range | null;
  decode_tokens_per_s?: Range;
  decode_tokens_per_s_per_device?: Range;
  usd_per_million_out?: Range | null;
}
