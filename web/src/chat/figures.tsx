// Under each answer: what it cost and how fast it came, and the verdict when the task has a verifier.
import { useId, useState } from "preact/hooks";
import type { Message } from "../api/types";
import { count, decimal, energy, money, seconds } from "../text/format";
import { t } from "../text/language";
import { Icon } from "../ui/icons";

export function Verdict({ message }: { message: Message }) {
  const verified = message.timings?.verified;
  if (!verified) return null;
  return (
    <span class={verified.right ? "chip good" : "chip bad"} title={t("verified_hint", { task: verified.task })}>
      <Icon name={verified.right ? "shield" : "close"} size={14} />
      {verified.right ? t("verified_right") : t("verified_wrong")}
    </span>
  );
}

function rowsOf(message: Message): [string, string][] {
  const { usage, timings } = message;
  const rows: [string, string][] = [];
  const add = (name: string, value: string | null | undefined) => value && rows.push([name, value]);
  add(t("model"), message.model);
  if (usage?.prompt_tokens !== undefined) {
    const cached = usage.prompt_cache_hit_tokens ?? 0;
    add(t("prompt"), t("n_tokens", { n: count(usage.prompt_tokens) }) + (cached > 0 ? ` (${t("n_cached", { n: count(cached) })})` : ""));
  }
  const thought = usage?.completion_tokens_details?.reasoning_tokens;
  if (thought) add(t("thought"), t("n_tokens", { n: count(thought) }));
  if (usage?.completion_tokens !== undefined) add(t("answer"), t("n_tokens", { n: count(usage.completion_tokens - (thought ?? 0)) }));
  if (timings?.prompt_s !== undefined) add(t("time_prompt"), seconds(timings.prompt_s));
  if (timings?.thought_s) add(t("time_thought"), seconds(timings.thought_s));
  if (timings?.answer_s !== undefined) add(t("time_answer"), seconds(timings.answer_s));
  if (timings?.tokens_per_s !== undefined) add(t("speed"), t("tokens_per_s", { n: decimal(timings.tokens_per_s) }));
  if (timings?.energy_j !== undefined) {
    add(t("energy"), energy(timings.energy_j) + (timings.energy_estimated ? ` (${t("estimated")})` : ""));
  }
  if (timings?.money) add(t("money"), money(timings.money));
  return rows;
}

export function Figures({ message }: { message: Message }) {
  const [isOpen, setOpen] = useState(false);
  const table = useId();
  const { usage, timings } = message;
  if (!usage && !timings) return null;
  const parts: string[] = [];
  if (usage?.completion_tokens !== undefined) parts.push(t("n_tokens", { n: count(usage.completion_tokens) }));
  if (timings?.tokens_per_s !== undefined) parts.push(t("tokens_per_s", { n: decimal(timings.tokens_per_s) }));
  if (timings?.energy_j !== undefined) parts.push((timings.energy_estimated ? "≈ " : "") + energy(timings.energy_j));
  if (timings?.money) parts.push(money(timings.money));
  if (parts.length === 0) return null;
  return (
    <div class="figures">
      <button type="button" class="figures-line" aria-expanded={isOpen} aria-controls={table} title={t("cost_details")}
        onClick={() => setOpen(!isOpen)}>
        {parts.join(" · ")}
      </button>
      {isOpen && (
        <dl id={table} class="figures-table">
          {rowsOf(message).map(([name, value]) => (
            <div key={name}>
              <dt>{name}</dt>
              <dd>{value}</dd>
            </div>
          ))}
        </dl>
      )}
    </div>
  );
}
