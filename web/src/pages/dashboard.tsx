// Three looks at the machine: what trains, what it is doing now, and what all of it has cost.
import { signal } from "@preact/signals";
import * as minke from "../api/minke";
import { t, type StringKey } from "../text/language";
import { LedgerView } from "./ledger";
import { MachineView } from "./machine";
import { Page } from "./page";
import { TrainingView } from "./training";

type Tab = "training" | "machine" | "ledger";
const kTabs: [Tab, StringKey][] = [["training", "tab_training"], ["machine", "tab_machine"], ["ledger", "tab_ledger"]];
const tab = signal<Tab>("training");

function onKeyDown(event: KeyboardEvent): void {
  const step = event.key === "ArrowRight" ? 1 : event.key === "ArrowLeft" ? -1 : 0;
  if (step === 0) return;
  const at = kTabs.findIndex(([name]) => name === tab.value);
  const next = kTabs[(at + step + kTabs.length) % kTabs.length];
  if (!next) return;
  tab.value = next[0];
  document.getElementById(`tab-${next[0]}`)?.focus();
}

export function DashboardPage() {
  const now = tab.value;
  return (
    <Page title={t("dashboard")} lead={t("dashboard_lead")}>
      <div class="tabs" role="tablist" aria-label={t("dashboard")} onKeyDown={onKeyDown}>
        {kTabs.map(([name, label]) => (
          <button key={name} id={`tab-${name}`} type="button" role="tab" aria-selected={now === name} aria-controls="tab-panel"
            tabIndex={now === name ? 0 : -1} onClick={() => (tab.value = name)}>
            {t(label)}
          </button>
        ))}
      </div>
      <div id="tab-panel" role="tabpanel" aria-labelledby={`tab-${now}`}>
        {now === "training" && <TrainingView />}
        {now === "machine" && <MachineView load={minke.machine} />}
        {now === "ledger" && <LedgerView load={minke.ledger} />}
      </div>
    </Page>
  );
}
