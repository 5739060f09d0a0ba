// The thought of an answer: apart from it, with its time and length; open while it is written, folded when it is over.
import { useEffect, useId, useState } from "preact/hooks";
import type { Chat, Live } from "../state/chat";
import type { Message } from "../api/types";
import { Markdown } from "../markdown/view";
import { prefs } from "../state/prefs";
import { count, seconds } from "../text/format";
import { t, type StringKey } from "../text/language";
import { Icon } from "../ui/icons";

function useClock(isRunning: boolean): number {
  const [now, setNow] = useState(performance.now());
  useEffect(() => {
    if (!isRunning) return;
    const timer = window.setInterval(() => setNow(performance.now()), 200);
    return () => window.clearInterval(timer);
  }, [isRunning]);
  return now;
}

const kEndings: Record<string, StringKey> = {
  budget: "thought_budget", loop: "thought_loop", user: "thought_user", length: "thought_length",
};

// One line when folded: the last words of what is being thought.
function lastLine(text: string): string {
  const line = text.trimEnd().split("\n").at(-1) ?? "";
  return line.length > 90 ? "…" + line.slice(-90) : line;
}

export function Thought(props: { message: Message; live: Live | null; chat: Chat }) {
  const { live, message } = props;
  const isThinking = live !== null && live.phase === "thinking";
  const text = live ? live.thought : message.reasoning ?? "";
  const [choice, setChoice] = useState<boolean | null>(null);
  const now = useClock(isThinking);
  const body = useId();
  if (text.trim() === "") return null;

  const isOpen = choice ?? (isThinking && prefs.value.open_thoughts);
  const n = message.usage?.completion_tokens_details?.reasoning_tokens ?? live?.n_thought;
  const time = live?.thought_started != null
    ? ((live.thought_ended ?? now) - live.thought_started) / 1000
    : message.timings?.thought_s;
  const ending = kEndings[message.timings?.thinking_end ?? ""];
  const facts = [
    time === undefined ? "" : seconds(time),
    n === undefined ? "" : t("n_tokens", { n: count(n) }),
  ].filter((fact) => fact !== "");

  return (
    <section class={isThinking ? "thought running" : "thought"}>
      <div class="thought-bar">
        <button type="button" class="thought-toggle" aria-expanded={isOpen} aria-controls={body}
          onClick={() => setChoice(!isOpen)}>
          <Icon name="thought" size={17} />
          <span class="thought-name">{isThinking ? t("thinking") : t("thought")}</span>
          <span class="thought-facts">{facts.join(" · ")}</span>
          {ending && <span class="chip warn" title={t("thought_end_hint")}>{t(ending)}</span>}
          <span class={isOpen ? "turn open" : "turn"}><Icon name="down" size={15} /></span>
        </button>
        {isThinking && (
          <button type="button" class="button small answer-now" disabled={live.request === null || live.asked_end}
            onClick={() => props.chat.endThinking()}>
            {live.asked_end ? t("ending_thought") : t("answer_now")}
          </button>
        )}
      </div>
      {!isOpen && isThinking && <p class="thought-last" aria-hidden="true">{lastLine(text)}</p>}
      <div id={body} class="thought-text" hidden={!isOpen}>
        {isOpen && <Markdown text={text} isThought />}
      </div>
    </section>
  );
}
