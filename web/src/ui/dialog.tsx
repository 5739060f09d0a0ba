// Dialogs on the browser's own <dialog>: focus stays inside, Escape closes, the rest of the page is inert.
import type { ComponentChildren } from "preact";
import { signal, useSignal } from "@preact/signals";
import { useId, useLayoutEffect, useRef } from "preact/hooks";
import { t } from "../text/language";
import { Icon } from "./icons";

export function Dialog(props: { title: string; onClose: () => void; children: ComponentChildren; isWide?: boolean }) {
  const element = useRef<HTMLDialogElement>(null);
  const heading = useId();
  useLayoutEffect(() => {
    const dialog = element.current;
    if (dialog && !dialog.open) dialog.showModal();
    return () => dialog?.close();
  }, []);
  return (
    <dialog
      ref={element}
      class={props.isWide ? "dialog wide" : "dialog"}
      aria-labelledby={heading}
      onClose={props.onClose}
      onClick={(event) => event.target === element.current && props.onClose()}
    >
      <div class="dialog-body">
        <header>
          <h2 id={heading}>{props.title}</h2>
          <button type="button" class="icon-button" aria-label={t("close")} onClick={props.onClose}>
            <Icon name="close" />
          </button>
        </header>
        {props.children}
      </div>
    </dialog>
  );
}

interface Question {
  title: string;
  text?: string;
  action: string;
  isDanger?: boolean;
  field?: { label: string; value: string; options?: string[]; required?: string };
  answer: (value: string | null) => void;
}

const question = signal<Question | null>(null);

// Resolves to null when it is called off, else to the field's text ("" without a field).
export function ask(what: Omit<Question, "answer">): Promise<string | null> {
  return new Promise((resolve) => {
    question.value?.answer(null);
    question.value = {
      ...what,
      answer: (value) => {
        question.value = null;
        resolve(value);
      },
    };
  });
}

export function Asking() {
  const now = question.value;
  return now === null ? null : <AskDialog key={now.title} now={now} />;
}

function AskDialog({ now }: { now: Question }) {
  const input = useRef<HTMLInputElement>(null);
  const text = useSignal(now.field?.value ?? "");
  const list = useId();
  const mayGo = () => now.field?.required === undefined || text.value === now.field.required;
  return (
    <Dialog title={now.title} onClose={() => now.answer(null)}>
      <form
        class="ask"
        onSubmit={(event) => {
          event.preventDefault();
          if (mayGo()) now.answer(input.current?.value ?? "");
        }}
      >
        {now.text && <p class="ask-text">{now.text}</p>}
        {now.field && (
          <label>
            <span>{now.field.label}</span>
            <input
              ref={input} type="text" list={list} defaultValue={now.field.value} autocomplete="off" autofocus
              onFocus={(event) => event.currentTarget.select()}
              onInput={(event) => (text.value = event.currentTarget.value)}
            />
            {now.field.options && (
              <datalist id={list}>{now.field.options.map((option) => <option key={option} value={option} />)}</datalist>
            )}
          </label>
        )}
        <div class="row end">
          <button type="button" class="button" autofocus={!now.field} onClick={() => now.answer(null)}>{t("cancel")}</button>
          <SubmitButton isDanger={now.isDanger} action={now.action} mayGo={mayGo} />
        </div>
      </form>
    </Dialog>
  );
}

function SubmitButton(props: { isDanger: boolean | undefined; action: string; mayGo: () => boolean }) {
  return (
    <button type="submit" class={props.isDanger ? "button danger" : "button primary"} disabled={!props.mayGo()}>
      {props.action}
    </button>
  );
}
