// The page's frame: sidebar, the view of the address, messages at the edge, and keys that work everywhere.
import { signal } from "@preact/signals";
import type { ComponentChild } from "preact";
import { useEffect } from "preact/hooks";
import { ChatBar } from "./chat/bar";
import { ConversationView } from "./chat/conversation";
import { PrivacyPage } from "./pages/privacy";
import { SettingsPage } from "./pages/settings";
import { DashboardPage } from "./pages/dashboard";
import { Gate } from "./pages/gate";
import { isSidebarOpen, newChat, Sidebar } from "./sidebar/sidebar";
import { current, open } from "./state/chat";
import { gate } from "./state/library";
import { announcement, dismiss, notices, notify, textOf } from "./state/notice";
import { go, route } from "./state/route";
import { t } from "./text/language";
import { Asking } from "./ui/dialog";
import { Icon } from "./ui/icons";

function onKeyDown(event: KeyboardEvent): void {
  if (event.isComposing || event.keyCode === 229) return;
  const isCommand = event.ctrlKey || event.metaKey;
  const inField = event.target instanceof HTMLElement && event.target.matches("input, textarea, select");
  if (isCommand && event.key.toLowerCase() === "k") {
    isSidebarOpen.value = true;
    document.getElementById("search")?.focus();
  } else if (isCommand && event.shiftKey && event.key.toLowerCase() === "o") {
    newChat(false);
  } else if (event.key === "Escape" && current.value.live.value && !document.querySelector("dialog[open]")) {
    current.value.stop();
  } else if (event.key === "/" && !inField && !isCommand) {
    document.getElementById("composer")?.focus();
  } else {
    return;
  }
  event.preventDefault();
}

function Notices() {
  return (
    <>
      <div class="notices">
        {notices.value.map((notice) => (
          <div key={notice.id} class={notice.isError ? "notice bad" : "notice"} role={notice.isError ? "alert" : "status"}>
            <span>{notice.text}</span>
            <button type="button" class="icon-button small" aria-label={t("close")} onClick={() => dismiss(notice.id)}><Icon name="close" size={15} /></button>
          </div>
        ))}
      </div>
      <div class="off-screen" role="status" aria-live="polite">{announcement.value}</div>
    </>
  );
}

function useRoutedChat(): void {
  const { view, conversation } = route.value;
  useEffect(() => {
    if (view !== "chat" || gate.value !== "ready") return;
    // a temporary chat has no address: coming back from another view finds it again
    if (conversation === null && current.value.id === null) return;
    open(conversation).catch((error) => {
      notify(textOf(error), true);
      go("#/");
    });
  }, [view, conversation, gate.value]);
}

// The planner's page is loaded when it is first wanted.
const planPage = signal<(() => ComponentChild) | null>(null);

function LaterPlan() {
  useEffect(() => {
    import("./plan/page").then((module) => (planPage.value = module.PlanPage), (error) => notify(textOf(error), true));
  }, []);
  const Plan = planPage.value;
  return Plan ? <Plan /> : <div class="page" aria-busy="true" />;
}

function View() {
  const chat = current.value;
  const { view } = route.value;
  if (view === "dashboard") return <DashboardPage />;
  if (view === "plan") return <LaterPlan />;
  if (view === "privacy") return <PrivacyPage />;
  if (view === "settings") return <SettingsPage />;
  return (
    <>
      <ChatBar chat={chat} />
      <ConversationView key={chat.uid} chat={chat} />
    </>
  );
}

export function App() {
  useRoutedChat();
  useEffect(() => {
    document.addEventListener("keydown", onKeyDown);
    return () => document.removeEventListener("keydown", onKeyDown);
  }, []);
  useEffect(() => {
    isSidebarOpen.value = false;
  }, [route.value]);
  const title = current.value.title.value;
  useEffect(() => {
    document.title = route.value.view === "chat" && title !== "" ? `${title} · minke` : "minke";
  }, [title, route.value.view]);
  if (gate.value === "loading") return <div class="gate" aria-busy="true" />;
  if (gate.value !== "ready") return <><Gate /><Notices /></>;
  return (
    <div class="frame">
      <a class="skip" href="#composer" onClick={(event) => {
        event.preventDefault();
        document.getElementById("composer")?.focus();
      }}>{t("skip")}</a>
      <Sidebar />
      <main id="main"><View /></main>
      <Asking />
      <Notices />
    </div>
  );
}
