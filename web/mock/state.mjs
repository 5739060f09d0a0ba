// The mock's store: everything in memory, with the shapes of the contract.
export class State {
  constructor(options) {
    this.options = options;
    this.nextId = 1;
    this.settings = {};
    this.retention = null;
    this.conversations = new Map();
    this.store = { state: options.store ?? "open", protection: options.store === "locked" ? "passphrase" : options.store === "none" ? null : "keyfile" };
    this.passphrase = options.passphrase ?? null;
    this.requests = new Map();
    this.log = [];  // every request's method, path and body: what tests look at
    if (options.sample) this.addSamples();
  }

  newId(prefix) {
    return `${prefix}${String(this.nextId++).padStart(4, "0")}`;
  }

  add(title, fields = {}) {
    const conversation = {
      id: this.newId("c"), title, folder: null, pinned: false, archived: false, updated_at: new Date().toISOString(), system: null, leaf: null, messages: [], ...fields,
    };
    this.conversations.set(conversation.id, conversation);
    return conversation;
  }

  addMessage(conversation, parent, role, content, fields = {}) {
    const message = { id: this.newId("m"), parent, role, content, created_at: new Date().toISOString(), ...fields };
    conversation.messages.push(message);
    conversation.leaf = message.id;
    conversation.updated_at = new Date().toISOString();
    return message;
  }

  // Lets every request go on that holds, or will hold, in this part ("thought" or "answer").
  release(part) {
    for (const live of this.requests.values()) {
      live.released.add(part);
      live.wake();
    }
  }

  addSamples() {
    const day = 86_400_000;
    const ago = (days) => new Date(Date.now() - days * day).toISOString();
    const rows = [
      ["Countdown with four numbers", 0, { pinned: true }], ["처음 n개의 홀수의 합", 0.05, {}], ["Why MLA saves memory", 0.1, { folder: "DeepSeek" }],
      ["GRPO, step by step", 1.2, { folder: "DeepSeek" }], ["A letter to the landlord", 1.1, {}], ["여행 계획: 제주 3박 4일", 3, {}],
      ["Regular expressions for dates", 5, {}], ["Recipe for kimchi stew", 16, {}], ["Old notes on tokenizers", 60, {}], ["Put away", 90, { archived: true }],
    ];
    for (const [title, days, fields] of rows) {
      const conversation = this.add(title, fields);
      const user = this.addMessage(conversation, null, "user", title);
      this.addMessage(conversation, user.id, "assistant", `About *${title}*: what would you like to know?`, { model: "minke-nano", reasoning: "A short thought.", usage: { prompt_tokens: 12, completion_tokens: 20, completion_tokens_details: { reasoning_tokens: 5 } }, timings: { tokens_per_s: 51.2, prompt_s: 0.02, thought_s: 0.1, answer_s: 0.3, energy_j: 4.1, energy_estimated: true, money: null } });
      conversation.updated_at = ago(days);
    }
  }

  heads(query, archived) {
    const word = query.toLowerCase();
    return [...this.conversations.values()]
      .filter((one) => one.archived === archived)
      .filter((one) => word === "" || one.title.toLowerCase().includes(word) || one.messages.some((message) => message.content.toLowerCase().includes(word)))
      .map(({ messages, leaf: _leaf, system: _system, ...head }) => ({ ...head, n_messages: messages.length }));
  }

  privacy() {
    const bytes = JSON.stringify([...this.conversations.values()]).length;
    return {
      stored: this.store.state === "none" ? [] : [
        { what: "conversations", path: "~/.local/share/minke/store/chats.sqlite", bytes, encrypted: true },
        { what: "search index", path: "~/.local/share/minke/store/chats.sqlite (tables)", bytes: Math.round(bytes / 3), encrypted: true },
        { what: "disk KV cache", path: "~/.local/share/minke/store/kv", bytes: 48_234_496, encrypted: true },
        { what: "ledger of training runs", path: "~/.local/share/minke/ledger.sqlite", bytes: 90_112, encrypted: false },
        { what: "settings of the page", path: "~/.local/share/minke/page.json", bytes: JSON.stringify(this.settings).length, encrypted: false },
      ],
      outbound: this.options.outbound ? [
        { time: "2026-11-20T08:12:00Z", host: "huggingface.co", purpose: "pull deepseek-ai/DeepSeek-R1-Distill-Qwen-1.5B", bytes: 3_554_214_752 },
      ] : [],
    };
  }
}
