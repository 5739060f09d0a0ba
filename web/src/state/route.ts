// Where the page is: the part of its address after "#", so that the back button works and the server need not know views.
import { signal } from "@preact/signals";

export type View = "chat" | "dashboard" | "plan" | "privacy" | "settings";
export interface Route {
  view: View;
  conversation: string | null;
}

const kViews: readonly string[] = ["dashboard", "plan", "privacy", "settings"] satisfies View[];

// What stands after "?" belongs to the view.
function parse(hash: string): Route {
  const [first = "", second] = hash.replace(/^#\/?/, "").split("?", 1)[0]?.split("/") ?? [];
  if (first === "c" && second) return { view: "chat", conversation: decodeURIComponent(second) };
  if (kViews.includes(first)) return { view: first as View, conversation: null };
  return { view: "chat", conversation: null };
}

export const route = signal<Route>(parse(location.hash));
window.addEventListener("hashchange", () => (route.value = parse(location.hash)));

export const hashOfConversation = (id: string | null) => (id === null ? "#/" : `#/c/${encodeURIComponent(id)}`);

export function go(hash: string): void {
  if (location.hash === hash) route.value = parse(hash);
  else location.hash = hash;
}

// The address of a chat that just got its id: no new entry, nothing is loaded again.
export function replaceHash(hash: string): void {
  history.replaceState(null, "", hash);
  route.value = parse(hash);
}
