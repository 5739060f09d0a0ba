// What the server and the page say to each other; the names are those of the wire.

export interface ApiErrorBody {
  message: string;
  type?: string;
  param?: string | null;
  code?: string | null;
}

export interface ModelInfo {
  id: string;
  minke?: {
    architecture?: string;
    n_parameters?: number;
    n_active?: number;
    context?: number;
    dtype?: string;
    path?: string;
    bundled?: boolean;
    can_think?: boolean;
  };
}

export type StoreState = "none" | "locked" | "open";

export interface StoreInfo {
  state: StoreState;
  protection: "passphrase" | "keyfile" | null;
}

export interface ConversationHead {
  id: string;
  title: string;
  folder: string | null;
  pinned: boolean;
  archived: boolean;
  updated_at: string | number;
  n_messages: number;
}

export interface Attachment {
  name: string;
  text: string;
}

export type ThinkingEnd = "finished" | "budget" | "loop" | "user" | "length" | "none";

export interface Money {
  amount: number;
  currency: string;
}

export interface Timings {
  thinking_end?: ThinkingEnd;
  tokens_per_s?: number;
  prompt_s?: number;
  thought_s?: number;
  answer_s?: number;
  energy_j?: number;
  energy_estimated?: boolean;
  money?: Money | null;
  verified?: { task: string; right: boolean } | null;
}

export interface Usage {
  prompt_tokens?: number;
  completion_tokens?: number;
  total_tokens?: number;
  prompt_cache_hit_tokens?: number;
  prompt_cache_miss_tokens?: number;
  completion_tokens_details?: { reasoning_tokens?: number };
}

export type Role = "system" | "user" | "assistant" | "tool";

export interface Message {
  id: string;
  parent: string | null;
  role: Role;
  content: string;
  reasoning?: string | null;
  model?: string | null;
  created_at?: string | number;
  finish_reason?: string | null;
  usage?: Usage | null;
  timings?: Timings | null;
  attachments?: Attachment[];
}

export interface Conversation extends Partial<ConversationHead> {
  id: string;
  messages: Message[];
  leaf: string | null;
  system?: string | null;
}

export interface StoredItem {
  what: string;
  path: string;
  bytes: number;
  encrypted: boolean;
}

export interface OutboundItem {
  time: string | number;
  host: string;
  purpose: string;
  bytes: number;
}

export interface Privacy {
  stored: StoredItem[];
  outbound: OutboundItem[];
}

// A row of the ledger (run_json of src/ledger/export.h).
export interface Run {
  id: number | string;
  kind?: string;
  name: string;
  programme?: string;
  state: string;
  started_at?: string;
  ended_at?: string | null;
  tokens?: number;
  flops?: number;
  wall_s?: number;
  energy_j?: number;
  energy_source?: string;
  money?: number | null;
  currency?: string;
  step?: number;
  total?: number;
}

export interface CostSum {
  n_runs: number;
  n_by_state?: Record<string, number>;
  tokens?: number;
  flops?: number;
  wall_s: number;
  energy_j: number;
  estimated_energy_j?: number;
  money?: Record<string, number>;
  n_unpriced?: number;
}

export interface Programme extends CostSum {
  name: string;
  final?: CostSum | null;
}

export interface Ledger {
  programmes: Programme[];
  runs: Run[];
}

export type LogRow = Record<string, unknown> & { step: number };

export interface Machine {
  cpu?: string;
  n_cores?: number;
  memory_bytes?: number;
  memory_used?: number;
  load?: number;
  isa?: string;
  read_gb_s?: number;
  tokens_per_s_now?: number;
  active_requests?: number;
}
