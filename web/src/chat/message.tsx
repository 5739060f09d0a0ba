// One turn: the user's words with edit, or an answer with its thought, figures and actions; arrows where there are branches.
import { useLayoutEffect, useRef, useState } from "preact/hooks";
import type { Attachment, Message } from "../api/types";
import { Markdown } from "../markdown/view";
import type { Chat, Live } from "../state/chat";
import { siblingsOf } from "../state/tree";
import { bytes } from "../text/format";
import { t } from "../text/language";
import { copyText } from "../ui/copy";
import { Dialog } from "../ui/dialog";
import { Icon, type IconName } from "../ui/icons";
import { Figures, Verdict } from "./figures";
import { Thought } from "./thought";

function Action(props: { icon: IconName; label: string; onClick: () => void; isDisabled?: boolean }) {
  return (
    <button type="button" class="icon-button small" aria-label={props.label} title={props.label}
      disabled={props.isDisabled ?? false} onClick={props.onClick}>
      <Icon name={props.icon} size={16} />
    </button>
  );
}

function CopyAction({ text }: { text: string }) {
  const [isDone, setDone] = useState(false);
  const copy = async () => {
    setDone(await copyText(text));
    window.setTimeout(() => setDone(false), 1600);
  };
  return <Action icon={isDone ? "check" : "copy"} label={isDone ? t("copied") : t("copy")} onClick={copy} />;
}

function Branches({ chat, message }: { chat: Chat; message: Message }) {
  const all = siblingsOf(chat.messages.value, message);
  if (all.length < 2) return null;
  const at = all.findIndex((other) => other.id === message.id);
  const isBusy = chat.live.value !== null;
  const show = (to: number) => {
    const other = all[to];
    if (other) chat.show(other);
  };
  return (
    <span class="branches" role="group" aria-label={t("branches")}>
      <Action icon="left" label={t("branch_before")} isDisabled={at === 0 || isBusy} onClick={() => show(at - 1)} />
      <span class="branch-number">{at + 1}/{all.length}</span>
      <Action icon="right" label={t("branch_after")} isDisabled={at === all.length - 1 || isBusy} onClick={() => show(at + 1)} />
    </span>
  );
}

export function FileChip({ file, onRemove }: { file: Attachment; onRemove?: () => void }) {
  const [isOpen, setOpen] = useState(false);
  return (
    <span class="file">
      <button type="button" class="file-name" title={t("show_file")} onClick={() => setOpen(true)}>
        <Icon name="file" size={16} />
        <span>{file.name}</span>
        <small>{bytes(new TextEncoder().encode(file.text).length)}</small>
      </button>
      {onRemove && <Action icon="close" label={t("remove_file", { name: file.name })} onClick={onRemove} />}
      {isOpen && (
        <Dialog title={file.name} isWide onClose={() => setOpen(false)}>
          <pre class="file-text" tabIndex={0}>{file.text}</pre>
        </Dialog>
      )}
    </span>
  );
}

function Editor(props: { text: string; onSave: (text: string) => void; onCancel: () => void }) {
  const field = useRef<HTMLTextAreaElement>(null);
  useLayoutEffect(() => {
    const area = field.current;
    if (!area) return;
    area.focus();
    area.setSelectionRange(area.value.length, area.value.length);
  }, []);
  const save = () => {
    const text = field.current?.value.trim() ?? "";
    if (text !== "") props.onSave(text);
  };
  const onKeyDown = (event: KeyboardEvent) => {
    if (event.isComposing || event.keyCode === 229) return;
    if (event.key === "Escape") props.onCancel();
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) save();
  };
  return (
    <div class="editor">
      <textarea ref={field} defaultValue={props.text} aria-label={t("edit_message")} onKeyDown={onKeyDown}
        rows={Math.min(12, props.text.split("\n").length + 1)} />
      <p class="hint">{t("edit_hint")}</p>
      <div class="row end">
        <button type="button" class="button" onClick={props.onCancel}>{t("cancel")}</button>
        <button type="button" class="button primary" onClick={save}>{t("send")}</button>
      </div>
    </div>
  );
}

export function UserMessage({ chat, message }: { chat: Chat; message: Message }) {
  const [isEditing, setEditing] = useState(false);
  const isBusy = chat.live.value !== null;
  return (
    <article class="turn-user" aria-label={t("you_said")}>
      {message.attachments && message.attachments.length > 0 && (
        <div class="files">{message.attachments.map((file) => <FileChip key={file.name} file={file} />)}</div>
      )}
      {isEditing ? (
        <Editor text={message.content} onCancel={() => setEditing(false)}
          onSave={(text) => {
            setEditing(false);
            chat.edit(message, text);
          }} />
      ) : (
        message.content !== "" && <div class="bubble" dir="auto">{message.content}</div>
      )}
      {!isEditing && (
        <div class="actions">
          <Branches chat={chat} message={message} />
          <CopyAction text={message.content} />
          <Action icon="edit" label={t("edit_message")} isDisabled={isBusy} onClick={() => setEditing(true)} />
        </div>
      )}
    </article>
  );
}

export function AnswerMessage({ chat, message, isLast }: { chat: Chat; message: Message; isLast: boolean }) {
  const now = chat.live.value;
  const live: Live | null = now?.message === message.id ? now : null;
  const text = live ? live.answer : message.content;
  const isWaiting = live?.phase === "waiting";
  const isSilent = !live && text === "";
  return (
    <article class={isLast ? "turn-answer last" : "turn-answer"} aria-label={t("minke_said")} aria-busy={live !== null}>
      {isWaiting && <p class="waiting"><span class="wave" aria-hidden="true"><i /><i /><i /></span>{t("reading_prompt")}</p>}
      <Thought message={message} live={live} chat={chat} />
      {text !== "" && <Markdown text={text} />}
      {isSilent && <p class="no-answer">{t(message.finish_reason === "length" ? "no_answer_length" : "no_answer")}</p>}
      {!live && (
        <footer>
          <div class="actions">
            <Branches chat={chat} message={message} />
            <CopyAction text={message.content} />
            <Action icon="again" label={t("regenerate")} isDisabled={now !== null} onClick={() => chat.regenerate(message)} />
          </div>
          <Verdict message={message} />
          {message.finish_reason === "stop" && !message.usage && <span class="chip">{t("stopped")}</span>}
          {message.finish_reason === "length" && <span class="chip warn">{t("cut_at_length")}</span>}
          {message.finish_reason === "error" && <span class="chip warn">{t("cut_by_error")}</span>}
          <Figures message={message} />
        </footer>
      )}
    </article>
  );
}
