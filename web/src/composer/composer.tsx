// Where people write: the field grows, Enter sends (see ime.ts), files are dropped, pasted or chosen.
import { useSignal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import type { Attachment } from "../api/types";
import { FileChip } from "../chat/message";
import type { Chat } from "../state/chat";
import { currentModel } from "../state/library";
import { notify } from "../state/notice";
import { count } from "../text/format";
import { t } from "../text/language";
import { Icon } from "../ui/icons";
import { readFile } from "./attach";
import { EnterGate } from "./ime";
import { ThinkingMenu } from "./thinking";

const kLongPaste = 12_000;  // characters; more is easier to handle as a file

function useFiles() {
  const files = useSignal<Attachment[]>([]);
  const add = async (list: Iterable<File>) => {
    // a copy: the browser empties its list when the chooser is reset or the drop is over
    for (const file of [...list]) {
      const read = await readFile(file);
      if (read === "too_big") notify(t("file_too_big", { name: file.name }), true);
      else if (read === "not_text") notify(t("file_not_text", { name: file.name }), true);
      else files.value = [...files.value.filter((other) => other.name !== read.name), read];
    }
  };
  const remove = (name: string) => (files.value = files.value.filter((file) => file.name !== name));
  return { files, add, remove };
}

export function Composer({ chat }: { chat: Chat }) {
  const field = useRef<HTMLTextAreaElement>(null);
  const picker = useRef<HTMLInputElement>(null);
  const isEmpty = useSignal(true);
  const isOver = useSignal(false);
  const { files, add, remove } = useFiles();
  const live = chat.live.value;

  const fit = () => {
    const area = field.current;
    if (!area) return;
    area.style.height = "auto";
    area.style.height = `${Math.min(area.scrollHeight, window.innerHeight * 0.4)}px`;
    isEmpty.value = area.value.trim() === "";
  };

  const send = () => {
    const area = field.current;
    if (!area || chat.live.value) return;
    const text = area.value.trim();
    if ((text === "" && files.value.length === 0) || currentModel() === undefined) return;
    area.value = "";
    const attachments = files.value;
    files.value = [];
    fit();
    chat.send(text, attachments);
  };
  const latest = useRef(send);
  latest.current = send;
  const gate = useRef<EnterGate>(null as unknown as EnterGate);
  gate.current ??= new EnterGate(() => latest.current());

  useEffect(() => {
    if (!matchMedia("(pointer: coarse)").matches) field.current?.focus();
  }, [chat]);

  const onKeyDown = (event: KeyboardEvent) => {
    // on a touch keyboard Enter is the only way to a new line; the button sends
    if (matchMedia("(pointer: coarse)").matches) return;
    if (gate.current.keyDown(event)) event.preventDefault();
    if (event.key === "ArrowUp" && field.current?.value === "" && !event.isComposing) {
      const edit = document.querySelectorAll<HTMLButtonElement>(".turn-user .actions button:last-child");
      edit.item(edit.length - 1)?.click();
      event.preventDefault();
    }
  };
  const onPaste = (event: ClipboardEvent) => {
    const pasted = [...(event.clipboardData?.files ?? [])];
    const text = event.clipboardData?.getData("text/plain") ?? "";
    if (pasted.length > 0) void add(pasted);
    else if (text.length > kLongPaste) void add([new File([text], t("pasted_name", { n: files.value.length + 1 }))]);
    else return;
    event.preventDefault();
  };
  const onDrop = (event: DragEvent) => {
    event.preventDefault();
    isOver.value = false;
    void add(event.dataTransfer?.files ?? []);
  };

  return (
    <div class={isOver.value ? "composer over" : "composer"} onDrop={onDrop}
      onDragOver={(event) => {
        event.preventDefault();
        isOver.value = true;
      }}
      onDragLeave={() => (isOver.value = false)}>
      {files.value.length > 0 && (
        <div class="files">
          {files.value.map((file) => <FileChip key={file.name} file={file} onRemove={() => remove(file.name)} />)}
        </div>
      )}
      <textarea
        ref={field} id="composer" rows={1} placeholder={t("composer_placeholder")} aria-label={t("composer_label")} dir="auto"
        enterkeyhint="enter" autocomplete="off"
        onInput={fit} onPaste={onPaste} onKeyDown={onKeyDown}
        onKeyUp={(event) => gate.current.keyUp(event)}
        onBeforeInput={(event) => {
          if ((event as InputEvent).inputType === "insertLineBreak" && gate.current.dropsLineBreak()) event.preventDefault();
        }}
        onCompositionStart={() => gate.current.compositionStart()}
        onCompositionUpdate={(event) => gate.current.compositionUpdate(event.data)}
        onCompositionEnd={(event) => gate.current.compositionEnd(event.data)}
      />
      <div class="composer-bar">
        <button type="button" class="icon-button" aria-label={t("attach")} title={t("attach")} onClick={() => picker.current?.click()}>
          <Icon name="clip" />
        </button>
        <input ref={picker} type="file" multiple hidden
          onChange={(event) => {
            void add(event.currentTarget.files ?? []);
            event.currentTarget.value = "";
          }} />
        <ThinkingMenu />
        <span class="grow" />
        {live !== null && <span class="live-count" aria-hidden="true">{t("n_tokens", { n: count(live.n_thought + live.n_answer) })}</span>}
        {live === null ? (
          <button type="button" class="send" aria-label={t("send")} title={t("send_hint")}
            disabled={isEmpty.value && files.value.length === 0} onClick={send}>
            <Icon name="send" size={20} />
          </button>
        ) : (
          <button type="button" class="send stop" aria-label={t("stop")} title={t("stop_hint")} onClick={() => chat.stop()}>
            <Icon name="stop" size={20} />
          </button>
        )}
      </div>
    </div>
  );
}
