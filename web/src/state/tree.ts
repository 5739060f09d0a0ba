// Messages form a tree: an edited message or a second answer is a sibling. The page shows one path from the root to a leaf.
import type { Message } from "../api/types";

export function pathTo(messages: readonly Message[], leaf: string | null): Message[] {
  const byId = new Map(messages.map((message) => [message.id, message]));
  const path: Message[] = [];
  const seen = new Set<string>();
  for (let id = leaf; id !== null && !seen.has(id); ) {
    const message = byId.get(id);
    if (!message) break;
    seen.add(id);
    path.push(message);
    id = message.parent;
  }
  return path.reverse().filter((message) => message.role !== "system");
}

export function siblingsOf(messages: readonly Message[], message: Message): Message[] {
  return messages.filter((other) => other.parent === message.parent && other.role === message.role);
}

// The newest leaf below a message: messages stand in the order in which they were made.
export function leafBelow(messages: readonly Message[], id: string): string {
  for (;;) {
    const child = messages.findLast((message) => message.parent === id);
    if (!child) return id;
    id = child.id;
  }
}
