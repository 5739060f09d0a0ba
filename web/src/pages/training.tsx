// Training runs and their curves, read from the live log while a run goes on.
import { signal } from "@preact/signals";
import { useEffect, useMemo, useState } from "preact/hooks";
import * as minke from "../api/minke";
import type { LogRow, Run } from "../api/types";
import { textOf } from "../state/notice";
import { count, dateTime, decimal, seconds } from "../text/format";
import { t, type StringKey } from "../text/language";
import { Chart, type Line } from "./chart";
import { LoadError, useLoaded } from "./page";

export const kStates: Record<string, [StringKey, string]> = {
  running: ["state_running", "chip live"],
  finished: ["state_finished", "chip good"],
  interrupted: ["state_interrupted", "chip"],
  failed: ["state_failed", "chip bad"],
  killed: ["state_killed", "chip bad"],
};

export function StateChip({ state }: { state: string }) {
  const known = kStates[state];
  return <span class={known?.[1] ?? "chip"}>{known ? t(known[0]) : state}</span>;
}

const chosen = signal<string | null>(null);

// Which figures are worth a chart, in order; those a run does not have are not drawn. Others stay in the log.
const kCharts: [string, StringKey][] = [
  ["reward", "chart_reward"], ["accuracy", "chart_accuracy"], ["loss", "chart_loss"], ["validation_loss", "chart_validation"],
  ["mtp_loss", "chart_mtp"], ["balance_loss", "chart_balance"], ["answer_tokens", "chart_length"], ["entropy", "chart_entropy"],
  ["reference_kl", "chart_kl"], ["grad_norm", "chart_grad"], ["lr", "chart_lr"], ["tokens_per_s", "chart_speed"],
];

function figureOf(row: LogRow, key: string): number | null {
  const inner = row["figures"] as Record<string, unknown> | undefined;
  const value = row[key] ?? inner?.[key];
  return typeof value === "number" ? value : null;
}

// A running mean over about a thirtieth of the run.
function smoothed(values: (number | null)[]): (number | null)[] {
  const weight = 1 - 2 / (Math.max(5, values.length / 30) + 1);
  let mean: number | null = null;
  return values.map((value) => {
    if (value === null) return mean;
    mean = mean === null ? value : mean * weight + value * (1 - weight);
    return mean;
  });
}

function useLog(run: Run): { rows: LogRow[]; error: string } {
  const [rows, setRows] = useState<LogRow[]>([]);
  const [error, setError] = useState("");
  const id = String(run.id);
  const isLive = run.state === "running";
  useEffect(() => {
    let isGone = false;
    let all: LogRow[] = [];
    const more = async () => {
      try {
        const next = await minke.runLog(id, all.at(-1)?.step ?? -1);
        if (isGone || next.length === 0) return;
        all = [...all, ...next];
        setRows(all);
        setError("");
      } catch (reason) {
        if (!isGone) setError(textOf(reason));
      }
    };
    void more();
    const timer = isLive ? window.setInterval(() => document.visibilityState === "visible" && void more(), 2000) : 0;
    return () => {
      isGone = true;
      window.clearInterval(timer);
    };
  }, [id, isLive]);
  return { rows, error };
}

function Curves({ rows }: { rows: LogRow[] }) {
  const charts = useMemo(() => {
    const x = rows.map((row) => row.step);
    return kCharts.flatMap(([key, name]) => {
      const values = rows.map((row) => figureOf(row, key));
      const n = values.filter((value) => value !== null).length;
      if (n < 2) return [];
      const isRough = n > 60 && key !== "lr" && key !== "validation_loss";
      const lines: Line[] = isRough
        ? [{ name: t("raw"), values, color: "--line-1", isFaint: true }, { name: t("smoothed"), values: smoothed(values), color: "--line-1" }]
        : [{ name: t(name), values, color: "--line-1" }];
      return [{ key, name, x, lines }];
    });
  }, [rows]);
  if (rows.length === 0) return <p class="hint">{t("no_log_yet")}</p>;
  return (
    <div class="charts">
      {charts.map((chart) => <Chart key={chart.key} title={t(chart.name)} axis={{ name: t("step") }} x={chart.x} lines={chart.lines} />)}
    </div>
  );
}

function RunHead({ run, rows }: { run: Run; rows: LogRow[] }) {
  const last = rows.at(-1);
  const step = last?.step ?? run.step;
  const done = typeof last?.["position"] === "number" && typeof last["total"] === "number" && last["total"] > 0
    ? last["position"] / last["total"] : null;
  const facts = [
    step === undefined ? "" : t("step_n", { n: count(step) }),
    run.wall_s === undefined ? "" : seconds(run.wall_s),
    run.tokens ? t("n_tokens", { n: count(run.tokens) }) : "",
    run.started_at ? dateTime(run.started_at) : "",
  ];
  return (
    <div class="run-head">
      <div class="row">
        <h2>{run.name}</h2>
        <StateChip state={run.state} />
      </div>
      <p class="hint">{facts.filter((fact) => fact !== "").join(" · ")}</p>
      {done !== null && (
        <div class="progress">
          <progress max={1} value={done} aria-label={t("progress")} />
          <span>{decimal(done * 100)} %</span>
        </div>
      )}
    </div>
  );
}

// One run; another one is another element, which never shows the curves of the one before.
function RunView({ run }: { run: Run }) {
  const log = useLog(run);
  return (
    <div>
      <LoadError text={log.error} />
      <RunHead run={run} rows={log.rows} />
      <Curves rows={log.rows} />
    </div>
  );
}

export function TrainingView() {
  const { value: runs, error } = useLoaded(minke.runs, 5000);
  const run = runs?.find((other) => String(other.id) === chosen.value) ?? runs?.[0];
  if (runs !== null && runs.length === 0) {
    return <div class="card"><p>{t("no_runs")}</p><pre><code>./minke recipe run recipes/nano.toml</code></pre></div>;
  }
  return (
    <div class="training">
      <LoadError text={error} />
      <ul class="runs" aria-label={t("runs")}>
        {runs?.map((other) => (
          <li key={other.id}>
            <button type="button" aria-pressed={other === run} onClick={() => (chosen.value = String(other.id))}>
              <span><strong>{other.name}</strong><small>{[other.kind, dateTime(other.started_at)].filter(Boolean).join(" · ")}</small></span>
              <StateChip state={other.state} />
            </button>
          </li>
        ))}
      </ul>
      {run && <RunView key={run.id} run={run} />}
    </div>
  );
}
