// Runs, their logs, the ledger and the machine, with shapes of src/ledger/export.h and log.jsonl.
const noise = (n) => Math.sin(n * 12.9898) * 0.5 + Math.sin(n * 78.233) * 0.5;

export const kRuns = [
  { id: 4, kind: "grpo", name: "nano-grpo", programme: "nano", state: "running", started_at: "2026-11-22T09:10:00Z", ended_at: null, tokens: 41_222_464, wall_s: 5120, energy_j: 310_000, energy_source: "estimated", money: 0.021, currency: "USD", step: 180, total: 400 },
  { id: 3, kind: "sft", name: "nano-sft", programme: "nano", state: "finished", started_at: "2026-11-22T07:40:00Z", ended_at: "2026-11-22T09:02:00Z", tokens: 12_000_000, wall_s: 4920, energy_j: 290_000, energy_source: "estimated", money: 0.019, currency: "USD", step: 600, total: 600 },
  { id: 2, kind: "pretrain", name: "nano-pretrain", programme: "nano", state: "finished", started_at: "2026-11-21T20:00:00Z", ended_at: "2026-11-22T06:30:00Z", tokens: 34_000_000, wall_s: 37_800, energy_j: 2_300_000, energy_source: "measured", money: 0.16, currency: "USD", step: 8300, total: 8300 },
  { id: 1, kind: "pretrain", name: "nano-pretrain (lr too high)", programme: "nano", state: "failed", started_at: "2026-11-21T17:00:00Z", ended_at: "2026-11-21T18:10:00Z", tokens: 3_100_000, wall_s: 4200, energy_j: 251_000, energy_source: "estimated", money: null, currency: "", step: 700, total: 8300 },
];

export function logRows(id, after, upTo) {
  const rows = [];
  for (let step = Math.max(after + 1, 1); step <= upTo; ++step) {
    const row = {
      step, tokens: step * 4096, position: step, total: kRuns.find((run) => run.id === id)?.total ?? upTo,
      loss: 1.9 + 7 * Math.exp(-step / 70) + 0.12 * noise(step), grad_norm: 0.6 + 2.4 * Math.exp(-step / 50) + 0.1 * Math.abs(noise(step + 3)),
      lr: 5e-4 * Math.min(1, step / 40), step_s: 0.7, tokens_per_s: 5400 + 260 * noise(step + 9), mfu: 0.25, mtp_loss: 2.2 + 4 * Math.exp(-step / 80), balance_loss: 2.1,
    };
    if (id === 4) {
      row.figures = { reward: 0.85 - 0.7 * Math.exp(-step / 60) + 0.05 * noise(step + 1), accuracy: Math.max(0, 0.78 - 0.7 * Math.exp(-step / 60) + 0.05 * noise(step + 2)), answer_tokens: 40 + step / 6 + 4 * noise(step), entropy: 0.7 - step / 1000, reference_kl: step / 700 };
    }
    if (step % 25 === 0) row.validation_loss = 1.95 + 6.5 * Math.exp(-step / 70);
    rows.push(row);
  }
  return rows;
}

const sum = (runs) => ({
  n_runs: runs.length, n_by_state: {}, tokens: runs.reduce((total, run) => total + run.tokens, 0), flops: 0,
  wall_s: runs.reduce((total, run) => total + run.wall_s, 0), cpu_s: 0, energy_j: runs.reduce((total, run) => total + run.energy_j, 0),
  estimated_energy_j: 310_000, money: { USD: runs.reduce((total, run) => total + (run.money ?? 0), 0) }, n_unpriced: 1,
});

export const ledger = () => ({
  runs: [...kRuns].reverse(),
  programmes: [{ name: "nano", ...sum(kRuns), final: sum(kRuns.slice(0, 3)) }],
});

export const machine = (active) => ({
  cpu: "AMD EPYC 9355 32-Core Processor", n_cores: 2, memory_bytes: 24 * 2 ** 30, memory_used: (9 + Math.random()) * 2 ** 30, load: 1.2 + Math.random() * 0.6,
  isa: "avx512bf16", read_gb_s: 38.4, tokens_per_s_now: active > 0 ? 44 + Math.random() * 8 : 0, active_requests: active,
});
