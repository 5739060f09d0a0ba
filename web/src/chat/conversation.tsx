// The conversation: turns, what went wrong, and a view that follows the answer until the reader scrolls away.
import { useLayoutEffect, useRef, useState } from "preact/hooks";
import type { Chat } from "../state/chat";
import { currentModel } from "../state/library";
import { t, type StringKey } from "../text/language";
import { Composer } from "../composer/composer";
import { Icon, Whale } from "../ui/icons";
import { AnswerMessage, UserMessage } from "./message";

const kExamples: [StringKey, StringKey][] = [
  ["example_1", "example_1_text"],
  ["example_2", "example_2_text"],
  ["example_3", "example_3_text"],
];
// What the model that comes with minke was taught; it knows nothing else.
const kNanoExamples: [StringKey, StringKey][] = [
  ["nano_1", "nano_1_text"],
  ["nano_2", "nano_2_text"],
  ["nano_3", "nano_3_text"],
];

function Welcome({ chat }: { chat: Chat }) {
  const model = currentModel();
  return (
    <div class="welcome">
      <Whale size={76} />
      <h1>{t("welcome")}</h1>
      <p>{chat.temporary.value ? t("welcome_temporary") : t("welcome_private")}</p>
      {model === undefined && <p class="card warn">{t("no_model")}</p>}
      <div class="examples">
        {(model?.minke?.bundled ? kNanoExamples : kExamples).map(([name, text]) => (
          <button key={name} type="button" class="example" disabled={model === undefined} onClick={() => chat.send(t(text), [])}>
            <strong>{t(name)}</strong>
            <span>{t(text)}</span>
          </button>
        ))}
      </div>
    </div>
  );
}

function FailureCard({ chat }: { chat: Chat }) {
  const failure = chat.failure.value;
  if (!failure) return null;
  const advice = failure.code === "context_length_exceeded" ? t("too_long_advice") : null;
  return (
    <div class="failure" role="alert">
      <Icon name="warning" size={20} />
      <div>
        <p>{failure.text}</p>
        {advice && <p class="hint">{advice}</p>}
      </div>
      <button type="button" class="button small" onClick={failure.retry}>{t("retry")}</button>
    </div>
  );
}

const kNear = 80;

export function ConversationView({ chat }: { chat: Chat }) {
  const scroller = useRef<HTMLDivElement>(null);
  const follows = useRef(true);
  const [isAway, setAway] = useState(false);
  const path = chat.path();
  const live = chat.live.value;
  const isEmpty = path.length === 0;

  const toEnd = (behavior: ScrollBehavior = "instant") =>
    scroller.current?.scrollTo({ top: scroller.current.scrollHeight, behavior });

  // before the paint, as the text is: the view and what it follows move together
  useLayoutEffect(() => {
    follows.current = true;
    toEnd();
  }, [chat, live?.message]);
  useLayoutEffect(() => {
    if (follows.current) toEnd();
  });

  const onScroll = () => {
    const box = scroller.current;
    if (!box) return;
    const gap = box.scrollHeight - box.scrollTop - box.clientHeight;
    follows.current = gap < kNear;
    setAway(gap > 240);
  };
  // A wheel or finger that goes up stops the following at once, before the next token pulls the view down again.
  const onWheel = (event: WheelEvent) => {
    if (event.deltaY < 0) follows.current = false;
  };

  return (
    <div class={isEmpty ? "conversation empty" : "conversation"}>
      <div class="scroller" ref={scroller} onScroll={onScroll} onWheel={onWheel} tabIndex={-1}>
        <div class="column">
          {isEmpty && <Welcome chat={chat} />}
          {path.map((message, at) =>
            message.role === "user"
              ? <UserMessage key={keyOf(message, at)} chat={chat} message={message} />
              : <AnswerMessage key={keyOf(message, at)} chat={chat} message={message} isLast={at === path.length - 1} />)}
          <FailureCard chat={chat} />
        </div>
      </div>
      <div class="dock">
        {isAway && (
          <button type="button" class="to-end" aria-label={t("to_end")} title={t("to_end")} onClick={() => toEnd("smooth")}>
            <Icon name="arrow_down" />
          </button>
        )}
        <Composer chat={chat} />
        <p class="small-print">{t("small_print")}</p>
      </div>
    </div>
  );
}

// The place keeps a turn's element while its local id becomes the server's; branches differ in what stands before them.
function keyOf(message: { role: string; parent: string | null }, at: number): string {
  return `${at}-${message.role}`;
}
