import type { ComponentChildren } from "preact";
import { useEffect, useState } from "preact/hooks";
import { isSidebarOpen } from "../sidebar/sidebar";
import { textOf } from "../state/notice";
import { t } from "../text/language";
import { Icon } from "../ui/icons";

export function Page(props: { title: string; lead: string; isWide?: boolean; children: ComponentChildren }) {
  return (
    <div class="page">
      <header class="bar only-narrow">
        <button type="button" class="icon-button" aria-label={t("open_navigation")} onClick={() => (isSidebarOpen.value = true)}>
          <Icon name="menu" />
        </button>
      </header>
      <div class={props.isWide ? "page-column wide" : "page-column"}>
        <h1 tabIndex={-1}>{props.title}</h1>
        <p class="lead">{props.lead}</p>
        {props.children}
      </div>
    </div>
  );
}

// Loads, and loads again every `everyMs` while the tab is looked at.
export function useLoaded<T>(load: () => Promise<T>, everyMs: number | null): { value: T | null; error: string; reload: () => void } {
  const [value, setValue] = useState<T | null>(null);
  const [error, setError] = useState("");
  const [round, setRound] = useState(0);
  useEffect(() => {
    let isGone = false;
    const once = () =>
      load().then(
        (loaded) => {
          if (isGone) return;
          setValue(() => loaded);
          setError("");
        },
        (reason) => !isGone && setError(textOf(reason)),
      );
    void once();
    const timer = everyMs === null ? 0 : window.setInterval(() => document.visibilityState === "visible" && void once(), everyMs);
    return () => {
      isGone = true;
      window.clearInterval(timer);
    };
  }, [round]);
  return { value, error, reload: () => setRound((n) => n + 1) };
}

export function LoadError({ text }: { text: string }) {
  return text === "" ? null : <p class="card warn" role="alert"><Icon name="warning" /> {text}</p>;
}
