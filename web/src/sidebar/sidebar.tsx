// Left: new chat, search, the history by folder and age, and the ways to the other views.
import { signal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import type { ConversationHead } from "../api/types";
import { current, open } from "../state/chat";
import { heads, query, refreshHeads, showArchived, storeInfo } from "../state/library";
import { attempt } from "../state/notice";
import { go, hashOfConversation, route, type View } from "../state/route";
import { ageOf, dateOf } from "../text/format";
import { t, type StringKey } from "../text/language";
import { Icon, Whale, type IconName } from "../ui/icons";
import { Menu } from "../ui/menu";
import { actionsOf } from "./actions";

export const isSidebarOpen = signal(false);  // on narrow screens

export function newChat(temporary: boolean): void {
  isSidebarOpen.value = false;
  void open(null).then(() => {
    current.value.temporary.value = temporary;
    go("#/");
    document.getElementById("composer")?.focus();
  });
}

function Entry({ head }: { head: ConversationHead }) {
  const isCurrent = route.value.view === "chat" && route.value.conversation === head.id;
  return (
    <li class={isCurrent ? "entry current" : "entry"}>
      <a href={hashOfConversation(head.id)} aria-current={isCurrent ? "page" : undefined} title={head.title}
        onClick={() => (isSidebarOpen.value = false)}>
        <span>{head.title || t("untitled")}</span>
      </a>
      <Menu label={t("conversation_menu", { title: head.title || t("untitled") })} className="icon-button small" side="right" items={actionsOf(head)}>
        <Icon name="dots" size={16} />
      </Menu>
    </li>
  );
}

interface Group {
  key: string;
  name: string;
  icon?: IconName;
  heads: ConversationHead[];
}

const kAges: [ReturnType<typeof ageOf>, StringKey][] = [
  ["today", "today"], ["yesterday", "yesterday"], ["week", "last_week"], ["month", "last_month"], ["older", "older"],
];

function groupsOf(all: ConversationHead[]): Group[] {
  const newest = [...all].sort((a, b) => dateOf(b.updated_at).getTime() - dateOf(a.updated_at).getTime());
  const groups: Group[] = [];
  const add = (key: string, name: string, members: ConversationHead[], icon?: IconName) => {
    if (members.length > 0) groups.push({ key, name, heads: members, ...(icon ? { icon } : {}) });
  };
  add("pinned", t("pinned"), newest.filter((head) => head.pinned), "pin");
  const rest = newest.filter((head) => !head.pinned);
  const names = [...new Set(rest.map((head) => head.folder).filter((name): name is string => !!name))];
  for (const name of names.sort((a, b) => a.localeCompare(b))) {
    add(`folder-${name}`, name, rest.filter((head) => head.folder === name), "folder");
  }
  for (const [age, key] of kAges) add(age, t(key), rest.filter((head) => !head.folder && ageOf(head.updated_at) === age));
  return groups;
}

const folded = signal<ReadonlySet<string>>(new Set());

function GroupView({ group }: { group: Group }) {
  const isFolded = folded.value.has(group.key);
  const flip = () => {
    const next = new Set(folded.value);
    if (!next.delete(group.key)) next.add(group.key);
    folded.value = next;
  };
  return (
    <section>
      <h3>
        <button type="button" aria-expanded={!isFolded} onClick={flip}>
          {group.icon && <Icon name={group.icon} size={14} />}
          <span>{group.name}</span>
          <span class={isFolded ? "turn" : "turn open"}><Icon name="down" size={13} /></span>
        </button>
      </h3>
      {!isFolded && <ul>{group.heads.map((head) => <Entry key={head.id} head={head} />)}</ul>}
    </section>
  );
}

function Search() {
  const timer = useRef(0);
  const field = useRef<HTMLInputElement>(null);
  useEffect(() => () => window.clearTimeout(timer.current), []);
  const onInput = (event: InputEvent) => {
    query.value = (event.currentTarget as HTMLInputElement).value;
    window.clearTimeout(timer.current);
    timer.current = window.setTimeout(() => void attempt(refreshHeads), 160);
  };
  return (
    <label class="search">
      <Icon name="search" size={16} />
      <input ref={field} id="search" type="search" placeholder={t("search")} aria-label={t("search")} value={query.value} onInput={onInput} autocomplete="off" />
    </label>
  );
}

function History() {
  if (storeInfo.value.state !== "open") {
    return (
      <div class="side-note">
        <p>{t("no_store_note")}</p>
        <a class="button small" href="#/privacy" onClick={() => (isSidebarOpen.value = false)}>{t("keep_chats")}</a>
      </div>
    );
  }
  const groups = groupsOf(heads.value);
  if (groups.length === 0) {
    return <p class="side-note">{query.value !== "" ? t("nothing_found") : showArchived.value ? t("nothing_archived") : t("no_chats_yet")}</p>;
  }
  return <>{groups.map((group) => <GroupView key={group.key} group={group} />)}</>;
}

const kViews: [View, IconName, StringKey][] = [
  ["dashboard", "chart", "dashboard"], ["plan", "scales", "plan"], ["privacy", "shield", "privacy"], ["settings", "gear", "settings"],
];

export function Sidebar() {
  const isOpen = isSidebarOpen.value;
  const flipArchive = () => {
    showArchived.value = !showArchived.value;
    void attempt(refreshHeads);
  };
  return (
    <>
      {isOpen && <div class="shade" onClick={() => (isSidebarOpen.value = false)} />}
      <nav class={isOpen ? "sidebar open" : "sidebar"} aria-label={t("navigation")}
        onKeyDown={(event) => event.key === "Escape" && (isSidebarOpen.value = false)}>
        <div class="brand">
          <Whale size={30} />
          <strong>minke</strong>
          <button type="button" class="icon-button only-narrow" aria-label={t("close")} onClick={() => (isSidebarOpen.value = false)}>
            <Icon name="close" />
          </button>
        </div>
        <div class="new-row">
          <button type="button" class="new-chat" onClick={() => newChat(false)} title={t("new_chat_hint")}>
            <Icon name="plus" />
            <span>{t("new_chat")}</span>
          </button>
          <button type="button" class="icon-button" aria-label={t("temporary_chat")} title={t("temporary_hint")} onClick={() => newChat(true)}>
            <Icon name="ghost" />
          </button>
        </div>
        {storeInfo.value.state === "open" && <Search />}
        <div class="history">
          <History />
        </div>
        <div class="views">
          {storeInfo.value.state === "open" && (
            <button type="button" aria-pressed={showArchived.value} class={showArchived.value ? "current" : ""} onClick={flipArchive}>
              <Icon name="archive" />
              <span>{t("archive")}</span>
            </button>
          )}
          {kViews.map(([view, icon, name]) => (
            <a key={view} href={`#/${view}`} class={route.value.view === view ? "current" : ""}
              aria-current={route.value.view === view ? "page" : undefined} onClick={() => (isSidebarOpen.value = false)}>
              <Icon name={icon} />
              <span>{t(name)}</span>
            </a>
          ))}
        </div>
      </nav>
    </>
  );
}
