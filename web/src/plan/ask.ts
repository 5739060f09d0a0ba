// Asking the planner: the answer to a question, and the answers beside it (other devices, other factors).
import { useEffect, useState } from "preact/hooks";
import * as minke from "../api/minke";
import type { PlanAnswer, PlanInputs, PlanOutcome, Range } from "../api/plan_types";
import { textOf } from "../state/notice";
import { language } from "../text/language";
import { requestOf, type Question } from "./question";

const kPauseMs = 120;  // a slider that moves asks when it rests this long

export interface Asked<T> {
  value: T | null;
  of: Question | null;  // what the value answers; the one before stays while the next is computed
  error: string;
  isBusy: boolean;
}

// Runs `ask` for every question that stands long enough; an answer that is no longer wanted is called off.
function useAsked<T>(of: Question | null, key: string, ask: (of: Question, signal: AbortSignal) => Promise<T>): Asked<T> {
  const [state, setState] = useState<Asked<T>>({ value: null, of: null, error: "", isBusy: true });
  useEffect(() => {
    if (of === null) return;
    const abort = new AbortController();
    setState((before) => ({ ...before, isBusy: true }));
    const timer = window.setTimeout(() => {
      ask(of, abort.signal).then(
        (value) => setState({ value, of, error: "", isBusy: false }),
        (reason) => !abort.signal.aborted && setState((before) => ({ ...before, error: textOf(reason), isBusy: false })),
      );
    }, kPauseMs);
    return () => {
      window.clearTimeout(timer);
      abort.abort();
    };
  }, [key]);
  return state;
}

const plan = <T>(request: PlanInputs, signal: AbortSignal) => minke.plan<T>({ ...request, language: language.value }, signal);

export function useAnswer(of: Question | null): Asked<PlanAnswer> {
  return useAsked(of, JSON.stringify([of, language.value]), (question, signal) => plan<PlanAnswer>(requestOf(question), signal));
}

// Without what belongs to this device alone.
function asElsewhere(of: Question): Question {
  const next = { ...of };
  for (const key of ["usd_per_hour", "layout", "tflops", "hybrid", "disk_gb_per_s"]) delete next[key];
  return next;
}

type Compared = "train" | "serve" | "run";
const kFleets = ["H800", "H20", "H100", "H200", "B200", "Ascend-910C"];
const kOthers: Record<Compared, string[]> = {
  train: kFleets, serve: kFleets, run: ["M3-Ultra", "M4-Max", "RTX-4090", "H100", "EPYC-9654", "Xeon-6980P"],
};
// What devices are compared by.
const kBy: Record<Compared, keyof PlanOutcome> = { train: "usd", serve: "usd_per_million_out", run: "decode_tokens_per_s" };

export interface OnDevice {
  device: string;
  range: Range | null;
  error?: string;
  isOwn: boolean;
}

async function compared(of: Question, signal: AbortSignal): Promise<OnDevice[]> {
  const kind = of.kind as Compared;
  const own = of["device"];
  const on = [own, ...kOthers[kind].filter((name) => name !== own)].filter((name) => name !== undefined).slice(0, 6);
  const rows = await plan<PlanOutcome[]>({ kind: "compare", on, of: requestOf(asElsewhere(of)) }, signal);
  return rows.map((row) => ({
    device: row.device, isOwn: row.device === own, range: (row[kBy[kind]] ?? null) as Range | null, ...(row.error ? { error: row.error } : {}),
  }));
}

export function useDevices(of: Question | null): Asked<OnDevice[]> {
  const isAsked = of !== null && of.kind !== "rl";
  return useAsked(isAsked ? of : null, JSON.stringify(isAsked ? of : null), compared);
}

export const kSwept = ["bandwidth", "network", "compute", "memory", "price", "tokens"] as const;
export type Swept = (typeof kSwept)[number];

export function useSweep(of: Question | null, property: Swept): Asked<PlanOutcome[]> {
  const isAsked = of !== null && (of.kind === "train" || of.kind === "serve");
  return useAsked(isAsked ? of : null, JSON.stringify([isAsked ? of : null, property]), async (question, signal) => {
    const request = { kind: "compare", on: [question["device"]], of: requestOf(question), sweep: { property, low: 0.25, high: 4 } };
    return (await plan<{ points: PlanOutcome[] }>(request, signal)).points;
  });
}
