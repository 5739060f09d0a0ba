// What everything cost. The two numbers that people argue about stand side by side: the final run, and the whole programme.
import type { CostSum, Ledger, Programme, Run } from "../api/types";
import { count, dateTime, energy, money, seconds } from "../text/format";
import { t } from "../text/language";
import { LoadError, useLoaded } from "./page";
import { StateChip } from "./training";

function moneyOf(sum: CostSum): string {
  const parts = Object.entries(sum.money ?? {}).map(([currency, amount]) => money({ amount, currency }));
  return parts.length === 0 ? "–" : parts.join(" + ");
}

function Cost({ name, sum }: { name: string; sum: CostSum }) {
  const isEstimated = (sum.estimated_energy_j ?? 0) > 0;
  return (
    <div class="cost">
      <h3>{name}</h3>
      <dl>
        <div><dt>{t("runs")}</dt><dd>{count(sum.n_runs)}</dd></div>
        <div><dt>{t("time")}</dt><dd>{seconds(sum.wall_s)}</dd></div>
        <div><dt>{t("energy")}</dt><dd>{(isEstimated ? "≈ " : "") + energy(sum.energy_j)}</dd></div>
        <div><dt>{t("money")}</dt><dd>{moneyOf(sum)}</dd></div>
      </dl>
    </div>
  );
}

function ProgrammeCard({ programme }: { programme: Programme }) {
  return (
    <section class="card programme">
      <h2>{programme.name || t("unnamed")}</h2>
      <div class="costs">
        {programme.final && <Cost name={t("final_run")} sum={programme.final} />}
        <Cost name={t("whole_programme")} sum={programme} />
      </div>
    </section>
  );
}

function RunRow({ run }: { run: Run }) {
  const price = typeof run.money === "number" && run.currency ? money({ amount: run.money, currency: run.currency }) : "–";
  return (
    <tr>
      <td>{run.name}<small>{run.programme}</small></td>
      <td><StateChip state={run.state} /></td>
      <td>{dateTime(run.started_at)}</td>
      <td class="number">{seconds(run.wall_s ?? 0)}</td>
      <td class="number">{(run.energy_source === "estimated" ? "≈ " : "") + energy(run.energy_j ?? 0)}</td>
      <td class="number">{price}</td>
    </tr>
  );
}

export function LedgerView({ load }: { load: () => Promise<Ledger> }) {
  const { value, error } = useLoaded(load, 15_000);
  if (!value) return <LoadError text={error} />;
  if (value.runs.length === 0) return <p class="card">{t("ledger_empty")}</p>;
  return (
    <>
      <LoadError text={error} />
      <p class="hint">{t("ledger_hint")}</p>
      <div class="programmes">{value.programmes.map((programme) => <ProgrammeCard key={programme.name} programme={programme} />)}</div>
      <div class="table">
        <table>
          <thead>
            <tr><th>{t("run")}</th><th>{t("state")}</th><th>{t("started")}</th><th class="number">{t("time")}</th><th class="number">{t("energy")}</th><th class="number">{t("money")}</th></tr>
          </thead>
          <tbody>{[...value.runs].reverse().map((run) => <RunRow key={run.id} run={run} />)}</tbody>
        </table>
      </div>
    </>
  );
}
