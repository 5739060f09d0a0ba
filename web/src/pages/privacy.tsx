// Every byte that is kept, everything that ever left, and the ways to keep less of it.
import { useSignal } from "@preact/signals";
import * as minke from "../api/minke";
import type { OutboundItem, StoredItem } from "../api/types";
import { apiKey } from "../api/client";
import { Chat, current } from "../state/chat";
import { heads, refreshHeads, start, storeInfo } from "../state/library";
import { attempt, notify } from "../state/notice";
import { bytes, count, dateTime } from "../text/format";
import { t } from "../text/language";
import { kStrings } from "../text/strings";
import { download } from "../ui/copy";
import { ask } from "../ui/dialog";
import { Icon } from "../ui/icons";
import { LoadError, Page, useLoaded } from "./page";

function CreateStore({ onDone }: { onDone: () => void }) {
  const first = useSignal("");
  const second = useSignal("");
  const differs = second.value !== "" && first.value !== second.value;
  const create = async (passphrase: string | null) => {
    const isDone = await attempt(async () => {
      await minke.store.create(passphrase);
      await start();
    });
    if (isDone) {
      notify(t("store_created"));
      onDone();
    }
  };
  const onSubmit = (event: Event) => {
    event.preventDefault();
    if (first.value !== "" && first.value === second.value) void create(first.value);
  };
  return (
    <form class="card" onSubmit={onSubmit}>
      <h2>{t("store_none_title")}</h2>
      <p>{t("store_none_text")}</p>
      <div class="pair">
        <label class="field">
          <span>{t("passphrase")}</span>
          <input type="password" autocomplete="new-password" value={first.value} onInput={(event) => (first.value = event.currentTarget.value)} />
        </label>
        <label class="field">
          <span>{t("passphrase_again")}</span>
          <input type="password" autocomplete="new-password" value={second.value} aria-invalid={differs}
            onInput={(event) => (second.value = event.currentTarget.value)} />
          {differs && <small class="bad-text">{t("passphrase_differs")}</small>}
        </label>
      </div>
      <p class="hint">{t("passphrase_warning")}</p>
      <div class="row">
        <button type="submit" class="button primary" disabled={first.value === "" || first.value !== second.value}>{t("create_with_passphrase")}</button>
        <button type="button" class="button" onClick={() => void create(null)}>{t("create_with_keyfile")}</button>
      </div>
    </form>
  );
}

const kRetentions = [0, 1, 7, 30, 90, 365];

function Retention() {
  const { value, reload } = useLoaded(minke.retention.get, null);
  const onChange = async (event: Event) => {
    const text = (event.currentTarget as HTMLSelectElement).value;
    const days = text === "" ? null : Number(text);
    const answer = days === null ? "" : await ask({ title: t("retention"), text: t("retention_ask", { n: days }), action: t("save"), isDanger: true });
    if (answer !== null) await attempt(() => minke.retention.set(days).then(refreshHeads));
    reload();
  };
  if (!value) return null;
  const days = value.days;
  const options = days === null || kRetentions.includes(days) ? kRetentions : [...kRetentions, days].sort((a, b) => a - b);
  return (
    <label class="field inline">
      <span>{t("retention")}<small>{t("retention_hint")}</small></span>
      <select key={String(days)} value={days ?? ""} onChange={onChange}>
        <option value="">{t("for_ever")}</option>
        {options.map((n) => <option key={n} value={n}>{n === 0 ? t("not_at_all") : t("n_days", { n })}</option>)}
      </select>
    </label>
  );
}

async function exportAll(): Promise<void> {
  await attempt(async () => {
    const both = [...(await minke.conversations.list("", false)), ...(await minke.conversations.list("", true))];
    const ids = [...new Set(both.map((head) => head.id))];
    const all: unknown[] = [];
    for (const id of ids) all.push(JSON.parse(await minke.conversations.exported(id, "json")));
    download(`minke-${new Date().toISOString().slice(0, 10)}.json`, "application/json", JSON.stringify({ conversations: all }, null, 1));
    notify(t("exported", { n: count(all.length) }));
  });
}

async function importFile(file: File | undefined): Promise<void> {
  if (!file) return;
  await attempt(async () => {
    let value: unknown;
    try {
      value = JSON.parse(await file.text());
    } catch {
      throw new Error(t("import_not_json", { name: file.name }));
    }
    const { imported } = await minke.conversations.import(value);
    await refreshHeads();
    notify(t("imported", { n: count(imported) }));
  });
}

async function shred(): Promise<void> {
  const word = t("shred_word");
  const answer = await ask({
    title: t("shred_title"), text: t("shred_text"), action: t("shred"), isDanger: true,
    field: { label: t("shred_type", { word }), value: "", required: word },
  });
  if (answer === null) return;
  await attempt(async () => {
    await minke.store.shred();
    current.value.stop();
    current.value = new Chat();
    heads.value = [];
    await start();
    notify(t("shredded"));
  });
}

function StoreCard({ reload }: { reload: () => void }) {
  const info = storeInfo.value;
  const lock = () => attempt(async () => {
    await minke.store.lock();
    current.value = new Chat();
    heads.value = [];
    await start();
  });
  return (
    <section class="card">
      <h2><Icon name="lock" /> {t("store_open_title")}</h2>
      <p>{info.protection === "passphrase" ? t("store_passphrase") : t("store_keyfile")}</p>
      <Retention />
      <div class="row">
        <button type="button" class="button" onClick={() => void exportAll()}><Icon name="export" size={16} />{t("export_all")}</button>
        <label class="button">
          <Icon name="import" size={16} />{t("import")}
          <input type="file" accept=".json,application/json" class="off-screen"
            onChange={(event) => void importFile(event.currentTarget.files?.[0]).then(reload)} />
        </label>
        {info.protection === "passphrase" && <button type="button" class="button" onClick={() => void lock()}><Icon name="lock" size={16} />{t("lock_now")}</button>}
        <span class="grow" />
        <button type="button" class="button danger" onClick={() => void shred().then(reload)}><Icon name="trash" size={16} />{t("shred")}</button>
      </div>
    </section>
  );
}

// The server says what it keeps in English; a kind that this page does not know stays as it is.
const kStoredKinds = ["stored_chats", "stored_lock", "stored_derived", "stored_key", "stored_ledger", "stored_outbound"] as const;
function storedName(what: string): string {
  const kind = kStoredKinds.find((key) => kStrings[key][0] === what);
  return kind === undefined ? what : t(kind);
}

function StoredTable({ items }: { items: StoredItem[] }) {
  const total = items.reduce((sum, item) => sum + item.bytes, 0);
  return (
    <div class="table">
      <table>
        <thead><tr><th>{t("what")}</th><th>{t("where")}</th><th class="number">{t("size")}</th><th>{t("encrypted")}</th></tr></thead>
        <tbody>
          {items.map((item) => (
            <tr key={item.path + item.what}>
              <td>{storedName(item.what)}</td>
              <td><code>{item.path}</code></td>
              <td class="number">{bytes(item.bytes)}</td>
              <td>{item.encrypted ? <span class="chip good">{t("yes")}</span> : <span class="chip">{t("no")}</span>}</td>
            </tr>
          ))}
        </tbody>
        <tfoot><tr><td colSpan={2}>{t("total")}</td><td class="number">{bytes(total)}</td><td /></tr></tfoot>
      </table>
    </div>
  );
}

function OutboundTable({ items }: { items: OutboundItem[] }) {
  if (items.length === 0) return <p class="calm"><Icon name="shield" size={20} /> {t("outbound_none")}</p>;
  return (
    <div class="table">
      <table>
        <thead><tr><th>{t("time")}</th><th>{t("host")}</th><th>{t("purpose")}</th><th class="number">{t("size")}</th></tr></thead>
        <tbody>
          {items.map((item, at) => (
            <tr key={at}><td>{dateTime(item.time)}</td><td><code>{item.host}</code></td><td>{item.purpose}</td><td class="number">{bytes(item.bytes)}</td></tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

// What this browser holds, counted and not claimed.
function InBrowser() {
  let kept: string[] = [];
  try {
    kept = Object.keys(localStorage).filter((name) => name.startsWith("minke."));
  } catch {
    // forbidden storage holds nothing
  }
  return <p>{t("in_browser", { list: kept.length === 0 ? t("nothing") : kept.join(", ") })} {apiKey() !== "" && t("in_browser_key")}</p>;
}

export function PrivacyPage() {
  const { value, error, reload } = useLoaded(minke.privacy, 10_000);
  return (
    <Page title={t("privacy")} lead={t("privacy_lead")}>
      <LoadError text={error} />
      {storeInfo.value.state === "open" ? <StoreCard reload={reload} /> : <CreateStore onDone={reload} />}
      {value && (
        <>
          <section>
            <h2>{t("stored_title")}</h2>
            <p class="hint">{t("stored_hint")}</p>
            {value.stored.length === 0 ? <p class="calm">{t("stored_none")}</p> : <StoredTable items={value.stored} />}
          </section>
          <section>
            <h2>{t("outbound_title")}</h2>
            <p class="hint">{t("outbound_hint")}</p>
            <OutboundTable items={value.outbound} />
          </section>
        </>
      )}
      <section>
        <h2>{t("in_browser_title")}</h2>
        <InBrowser />
      </section>
    </Page>
  );
}
