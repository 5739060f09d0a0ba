// Before the page can be used: the passphrase of a locked store, the server's key, or a server that is not there.
import { useSignal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import * as minke from "../api/minke";
import { ApiError, setApiKey } from "../api/client";
import { gate, start } from "../state/library";
import { textOf } from "../state/notice";
import { t } from "../text/language";
import { Icon, Whale } from "../ui/icons";

function Secret(props: { title: string; text: string; label: string; action: string; submit: (secret: string) => Promise<string> }) {
  const secret = useSignal("");
  const problem = useSignal("");
  const isBusy = useSignal(false);
  const field = useRef<HTMLInputElement>(null);
  useEffect(() => field.current?.focus(), []);
  const onSubmit = async (event: Event) => {
    event.preventDefault();
    if (secret.value === "" || isBusy.value) return;
    isBusy.value = true;
    problem.value = await props.submit(secret.value);
    isBusy.value = false;
    if (problem.value !== "") field.current?.select();
  };
  return (
    <form class="gate-form" onSubmit={onSubmit}>
      <h1>{props.title}</h1>
      <p>{props.text}</p>
      <label class="field">
        <span>{props.label}</span>
        <input ref={field} type="password" autocomplete="current-password" value={secret.value} aria-invalid={problem.value !== ""}
          aria-describedby="gate-problem" onInput={(event) => (secret.value = event.currentTarget.value)} />
      </label>
      <p id="gate-problem" class="bad-text" role="alert">{problem.value}</p>
      <button type="submit" class="button primary" disabled={secret.value === "" || isBusy.value}>{isBusy.value ? t("checking") : props.action}</button>
    </form>
  );
}

async function unlock(passphrase: string): Promise<string> {
  try {
    await minke.store.unlock(passphrase);
    await start();
    return "";
  } catch (error) {
    return error instanceof ApiError && error.status === 403 ? t("wrong_passphrase") : textOf(error);
  }
}

async function useKey(key: string): Promise<string> {
  setApiKey(key);
  await start();
  if (gate.value !== "key") return "";
  setApiKey("");
  return t("wrong_key");
}

function Waiting() {
  useEffect(() => {
    const timer = window.setInterval(() => void start(), 2000);
    return () => window.clearInterval(timer);
  }, []);
  return (
    <div class="gate-form">
      <h1>{t("offline_title")}</h1>
      <p>{t("offline_text")}</p>
      <pre><code>./minke up</code></pre>
      <p class="hint"><Icon name="again" size={15} /> {t("offline_retry")}</p>
    </div>
  );
}

export function Gate() {
  const state = gate.value;
  return (
    <main class="gate">
      <Whale size={72} />
      {state === "locked" && <Secret title={t("locked_title")} text={t("locked_text")} label={t("passphrase")} action={t("unlock")} submit={unlock} />}
      {state === "key" && <Secret title={t("key_title")} text={t("key_text")} label={t("key_label")} action={t("continue")} submit={useKey} />}
      {state === "offline" && <Waiting />}
    </main>
  );
}
