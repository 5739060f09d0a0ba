// One conversation on the page: its messages, and the answer that is being written. It goes on when another one is looked at.
import { batch, signal } from "@preact/signals";
import { cancel, chat, endThinking, type ChatRequest, type Started } from "../api/chat";
import { ApiError, OfflineError } from "../api/client";
import * as minke from "../api/minke";
import type { ApiErrorBody, Attachment, Message, Timings, Usage } from "../api/types";
import { t } from "../text/language";
import { withAttachments } from "../composer/attach";
import { currentModel, gate, refreshHeads, storeInfo } from "./library";
import { announcement, attempt } from "./notice";
import { prefs } from "./prefs";
import { hashOfConversation, replaceHash, route } from "./route";
import { leafBelow, pathTo } from "./tree";

export interface Live {
  message: string;  // id of the message that grows
  request: string | null;
  phase: "waiting" | "thinking" | "answering";
  thought: string;
  answer: string;
  n_thought: number;  // pieces that came, which are tokens or nearly so
  n_answer: number;
  started: number;
  thought_started: number | null;
  thought_ended: number | null;
  asked_end: boolean;
}

export interface Failure {
  text: string;
  code: string;
  retry: () => void;
}

let nextLocal = 1;

let nextUid = 1;

export class Chat {
  readonly uid = nextUid++;
  id: string | null = null;
  readonly messages = signal<Message[]>([]);
  readonly leaf = signal<string | null>(null);
  readonly live = signal<Live | null>(null);
  readonly failure = signal<Failure | null>(null);
  readonly system = signal<string | null>(null);
  readonly title = signal("");
  readonly temporary = signal(false);
  private abort: AbortController | null = null;

  path(): Message[] {
    return pathTo(this.messages.value, this.leaf.value);
  }

  async load(id: string): Promise<void> {
    const conversation = await minke.conversations.get(id);
    batch(() => {
      this.id = conversation.id;
      this.messages.value = conversation.messages;
      this.leaf.value = conversation.leaf ?? conversation.messages.at(-1)?.id ?? null;
      this.system.value = conversation.system ?? null;
      this.title.value = conversation.title ?? "";
    });
  }

  send(text: string, attachments: Attachment[]): void {
    this.sendUnder(this.leaf.value, text, attachments);
  }

  edit(message: Message, text: string): void {
    this.sendUnder(message.parent, text, message.attachments ?? []);
  }

  private sendUnder(parent: string | null, text: string, attachments: Attachment[]): void {
    if (this.live.value) return;
    const user: Message = {
      id: `local-${nextLocal++}`, parent, role: "user", content: text, attachments, created_at: Date.now(),
    };
    const before = pathTo(this.messages.value, parent);
    this.messages.value = [...this.messages.value, user];
    void this.answer(user, [...before, user], parent);
  }

  regenerate(answer: Message): void {
    const user = this.messages.value.find((message) => message.id === answer.parent);
    if (this.live.value || !user) return;
    void this.answer(user, pathTo(this.messages.value, user.id), user.id);
  }

  show(message: Message): void {
    const leaf = leafBelow(this.messages.value, message.id);
    this.leaf.value = leaf;
    if (this.id !== null && !leaf.startsWith("local-")) {
      void attempt(() => minke.conversations.change(this.id as string, { leaf }));
    }
  }

  setSystem(text: string | null): void {
    this.system.value = text;
    if (this.id !== null) void attempt(() => minke.conversations.change(this.id as string, { system: text }));
  }

  stop(): void {
    const live = this.live.value;
    if (!live) return;
    if (live.request) void cancel(live.request).catch(() => undefined);
    this.abort?.abort();
  }

  endThinking(): void {
    const live = this.live.value;
    if (!live?.request || live.asked_end) return;
    this.live.value = { ...live, asked_end: true };
    void attempt(() => endThinking(live.request as string));
  }

  private request(path: Message[], parent: string | null, user: Message): ChatRequest {
    const chosen = prefs.value;
    const system = (this.system.value ?? chosen.system).trim();
    const model = currentModel();
    const isNew = user.id.startsWith("local-");
    const request: ChatRequest = {
      model: model?.id ?? chosen.model,
      messages: path.map((message) => ({
        role: message.role, content: withAttachments(message.content, message.attachments ?? []),
      })),
      temperature: chosen.temperature,
      top_p: chosen.top_p,
      minke: {
        thinking: { enabled: chosen.think && model?.minke?.can_think !== false, budget: chosen.budget },
        language_lock: chosen.language_lock,
        conversation: this.id,
        parent,
        temporary: this.temporary.value || storeInfo.value.state !== "open",
      },
    };
    if (system !== "") request.messages.unshift({ role: "system", content: system });
    if (chosen.max_tokens !== null) request.max_tokens = chosen.max_tokens;
    if (chosen.seed !== null) request.seed = chosen.seed;
    // files are in the prompt already; these two are what the store keeps of the message
    if (isNew && user.attachments && user.attachments.length > 0) {
      request.minke.text = user.content;
      request.minke.attachments = user.attachments;
    }
    return request;
  }

  private async answer(user: Message, path: Message[], parent: string | null): Promise<void> {
    const request = this.request(path, parent, user);
    const writer = new Writer(this, user, request.model);
    this.abort = new AbortController();
    this.failure.value = null;
    writer.begin();
    let failure: Failure | null = null;
    try {
      for await (const event of chat(request, this.abort.signal)) {
        if (event.kind === "started") this.adopt(event.ids, writer);
        else if (event.kind === "thought") writer.think(event.text);
        else if (event.kind === "answer") writer.say(event.text);
        else if (event.kind === "finish") writer.finishReason = event.reason;
        else if (event.kind === "figures") writer.figures(event.usage, event.timings);
        else throw new ApiError(500, event.error);
      }
    } catch (error) {
      if (this.abort.signal.aborted) writer.finishReason = "stop";
      else failure = this.failureOf(error, user, writer);
    }
    writer.end(failure !== null);
    this.failure.value = failure;
    announcement.value = failure ? failure.text : t("answer_finished");
    await refreshHeads().catch(() => undefined);
  }

  private failureOf(error: unknown, user: Message, writer: Writer): Failure {
    const retry = () => {
      const kept = this.messages.value.find((message) => message.id === writer.userId) ?? user;
      this.failure.value = null;
      if (!kept.id.startsWith("local-")) {
        void this.answer(kept, pathTo(this.messages.value, kept.id), kept.id);
        return;
      }
      this.messages.value = this.messages.value.filter((message) => message.id !== kept.id);
      this.leaf.value = kept.parent;
      this.sendUnder(kept.parent, kept.content, kept.attachments ?? []);
    };
    if (error instanceof OfflineError) return { text: t("stream_cut"), code: "offline", retry };
    const body: ApiErrorBody = error instanceof ApiError ? error.body : { message: String(error) };
    if (error instanceof ApiError && error.code === "locked") gate.value = "locked";
    if (error instanceof ApiError && error.status === 401) gate.value = "key";
    if (error instanceof ApiError && error.status === 503) {
      return { text: t("busy", { n: error.retryAfterS ?? 1 }), code: "busy", retry };
    }
    return { text: body.message, code: body.code ?? body.type ?? "", retry };
  }

  // The server gave ids: local ones are replaced, and a new conversation gets its address.
  private adopt(ids: Started, writer: Writer): void {
    batch(() => {
      if (ids.conversation && this.id === null) {
        this.id = ids.conversation;
        if (current.value === this && route.value.view === "chat") replaceHash(hashOfConversation(this.id));
        void refreshHeads().catch(() => undefined);
      }
      writer.rename(ids);
    });
  }
}

// Often enough to look like writing. The model may run on the same processor, so every redraw takes time from the next token.
const kRedrawMs = 80;

// Writes the growing answer into the chat, however fast tokens come.
class Writer {
  userId: string;
  finishReason: string | null = null;
  private id = `local-${nextLocal++}`;
  private live: Live;
  private usage: Usage | null = null;
  private timings: Timings | null = null;
  private isPending = false;

  constructor(private readonly chat: Chat, user: Message, private readonly model: string) {
    this.userId = user.id;
    this.live = {
      message: this.id, request: null, phase: "waiting", thought: "", answer: "", n_thought: 0, n_answer: 0,
      started: performance.now(), thought_started: null, thought_ended: null, asked_end: false,
    };
  }

  begin(): void {
    const message: Message = { id: this.id, parent: this.userId, role: "assistant", content: "", model: this.model };
    batch(() => {
      this.chat.messages.value = [...this.chat.messages.value, message];
      this.chat.leaf.value = this.id;
      this.chat.live.value = this.live;
    });
  }

  rename(ids: Started): void {
    const user = ids.user_message ?? this.userId;
    const answer = ids.message ?? this.id;
    this.chat.messages.value = this.chat.messages.value.map((message) => {
      if (message.id === this.userId) return { ...message, id: user };
      if (message.id === this.id) return { ...message, id: answer, parent: user };
      return message;
    });
    if (this.chat.leaf.value === this.id) this.chat.leaf.value = answer;
    this.userId = user;
    this.id = answer;
    this.live = { ...this.live, request: ids.request, message: answer };
    this.show();  // in the same batch as the messages: the growing one must never look like a finished one
  }

  think(text: string): void {
    if (this.live.thought_started === null) announcement.value = t("thinking");
    this.update({
      phase: "thinking", thought: this.live.thought + text, n_thought: this.live.n_thought + 1,
      thought_started: this.live.thought_started ?? performance.now(),
    });
  }

  say(text: string): void {
    const isFirst = this.live.phase !== "answering";
    if (isFirst) announcement.value = t("answering");
    this.update({
      phase: "answering", answer: this.live.answer + text, n_answer: this.live.n_answer + 1,
      thought_ended: this.live.thought_ended ?? (this.live.thought_started === null ? null : performance.now()),
    });
  }

  figures(usage: Usage | null, timings: Timings | null): void {
    this.usage = usage;
    this.timings = timings;
  }

  private update(part: Partial<Live>): void {
    this.live = { ...this.live, ...part };
    if (this.isPending) return;
    this.isPending = true;
    window.setTimeout(() => this.flush(), kRedrawMs);
  }

  private flush(): void {
    this.isPending = false;
    this.show();
  }

  private show(): void {
    const shown = this.chat.live.value;
    if (shown) this.chat.live.value = { ...this.live, asked_end: shown.asked_end };
  }

  end(hasFailed: boolean): void {
    const live = this.live;
    const isEmpty = live.thought === "" && live.answer === "";
    const timings = this.timings ?? this.measured();
    const list = this.chat.messages.value;
    batch(() => {
      this.chat.live.value = null;
      if (hasFailed && isEmpty) {
        this.chat.messages.value = list.filter((message) => message.id !== this.id);
        if (this.chat.leaf.value === this.id) this.chat.leaf.value = this.userId;
        return;
      }
      this.chat.messages.value = list.map((message) => message.id !== this.id ? message : {
        ...message, content: live.answer, reasoning: live.thought, created_at: Date.now(),
        finish_reason: hasFailed ? "error" : this.finishReason, usage: this.usage, timings,
      });
    });
  }

  // For an answer that was stopped the server sends no figures; the thought's time is known here.
  private measured(): Timings | null {
    const { thought_started: from, thought_ended: to } = this.live;
    return from === null ? null : { thought_s: ((to ?? performance.now()) - from) / 1000 };
  }
}

export const current = signal<Chat>(new Chat());
const writing = new Set<Chat>();

// Chats whose answer is still being written are found again instead of loaded.
export async function open(id: string | null): Promise<void> {
  const now = current.value;
  if (now.live.value) writing.add(now);
  for (const chat of writing) if (!chat.live.value) writing.delete(chat);
  if (id === null) {
    if (now.id !== null || now.messages.value.length > 0) current.value = new Chat();
    return;
  }
  if (now.id === id) return;
  const found = [...writing].find((chat) => chat.id === id);
  if (found) {
    current.value = found;
    return;
  }
  const chat = new Chat();
  await chat.load(id);
  current.value = chat;
}
