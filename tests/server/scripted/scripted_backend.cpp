#include "server/scripted/scripted_backend.h"

namespace minke::testing {

ScriptedBackend::ScriptedBackend(Choose choose, bool threaded) : choose_(std::move(choose)), threaded_(threaded) {
  ModelInfo model;
  model.id = "script";
  model.architecture = "qwen2";
  model.dtype = "q4_k";
  model.path = "/models/script.gguf";
  model.n_parameters = 1'500'000'000;
  model.context = 4096;
  model.created = 1'737'331'200;  // 2025-01-20
  model.can_think = model.can_use_tools = model.can_fill_in = model.can_embed = true;
  models_.push_back(model);
  model.id = "plain";
  model.can_think = model.can_use_tools = model.can_fill_in = model.can_embed = false;
  models_.push_back(model);
}

ScriptedBackend::~ScriptedBackend() {
  {
    std::lock_guard lock(mutex_);
    for (auto& [ticket, job] : jobs_) job->cancelled = true;
  }
  changed_.notify_all();
  for (std::thread& thread : threads_) thread.join();
}

Outcome<Backend::Ticket> ScriptedBackend::submit(ChatRequest request, std::shared_ptr<ReplySink> sink) {
  const Script script = choose_(request, 0);
  if (script.refusal) return tl::unexpected(*script.refusal);
  Job* job = nullptr;
  Ticket ticket = 0;
  {
    std::lock_guard lock(mutex_);
    last_request_ = request;
    ticket = jobs_.size() + 1;
    job = (jobs_[ticket] = std::make_unique<Job>()).get();
    job->request = std::move(request);
    job->sink = std::move(sink);
    if (threaded_) threads_.emplace_back([this, job] { run(*job); });
  }
  if (!threaded_) run(*job);
  return ticket;
}

void ScriptedBackend::pause_for(Job& job, std::chrono::milliseconds delay) {
  if (!threaded_ || delay.count() == 0) return;
  std::unique_lock lock(mutex_);
  changed_.wait_for(lock, delay, [&] { return job.cancelled.load(); });
}

bool ScriptedBackend::put(Job& job, ReplyEvent event) {
  const bool goes_on = job.sink->put(std::move(event));
  if (goes_on || !threaded_) return !job.cancelled;
  std::unique_lock lock(mutex_);
  ++n_pauses_;
  job.paused = true;
  changed_.wait(lock, [&] { return !job.paused || job.cancelled.load(); });
  return !job.cancelled;
}

void ScriptedBackend::run(Job& job) {
  ++n_running_;
  Done done;
  done.n_prompt_tokens = 10;
  done.n_cached_tokens = 4;
  done.prompt_s = 0.25;
  done.thought_s = 0.5;
  done.answer_s = 1;
  pause_for(job, choose_(job.request, 0).first_delay);
  put(job, Started{10, 4});
  std::optional<ApiError> failure;
  for (int choice = 0; choice < job.request.n_choices; ++choice) {
    run_choice(job, choice, done);
    failure = choose_(job.request, choice).failure;
    if (failure) break;
  }
  {
    std::lock_guard lock(mutex_);
    job.over = true;
    --n_running_;
  }
  if (failure) {
    put(job, *failure);
  } else {
    put(job, done);
  }
}

void ScriptedBackend::run_choice(Job& job, int choice, Done& done) {
  const Script script = choose_(job.request, choice);
  AssemblerOptions options;
  options.choice = choice;
  options.starts_in_thought = script.starts_in_thought;
  options.stop = job.request.stop;
  options.tool_syntax = script.syntax;
  ReplyAssembler assembler(options);
  bool goes_on = true;
  for (int i = 0; i < script.repeats && goes_on; ++i) {
    for (const ScriptToken& token : script.tokens) {
      bool skip = false;
      {
        std::lock_guard lock(mutex_);
        job.in_thought = assembler.in_thought();
        skip = job.end_thought && assembler.in_thought() && token.kind != PieceKind::kThoughtEnd;
      }
      if (skip) continue;
      goes_on = put_token(job, assembler, script, token, done);
      if (!goes_on) break;
    }
  }
  std::vector<ReplyEvent> events;
  assembler.finish(job.cancelled ? ChoiceFinish::kCancelled : script.finish, events);
  if (script.failure) return;
  for (ReplyEvent& event : events) put(job, std::move(event));
}

bool ScriptedBackend::put_token(Job& job, ReplyAssembler& assembler, const Script& script, const ScriptToken& token,
                                Done& done) {
  pause_for(job, script.token_delay);
  ++done.n_completion_tokens;
  if (assembler.in_thought()) ++done.n_thought_tokens;
  ++n_tokens_put_;
  PieceLogprob logprob{token.text, -0.5f, {{token.text, -0.5f}, {"other", -1.5f}}};
  if (job.request.sampling.n_logprobs == 0) logprob.top.clear();
  const bool wants_logprobs = job.request.sampling.n_logprobs >= 0 && token.kind == PieceKind::kText;
  std::vector<ReplyEvent> events;
  bool goes_on = true;
  if (token.kind == PieceKind::kThoughtEnd && job.end_thought) assembler.thought_is_closed_by(ThinkingEnd::kUser);
  if (token.kind != PieceKind::kText) {
    goes_on = assembler.push({token.kind}, events);
  } else {
    const size_t step = script.cut_bytes == 0 ? std::max<size_t>(token.text.size(), 1) : script.cut_bytes;
    for (size_t begin = 0; begin < token.text.size() && goes_on; begin += step) {
      goes_on = assembler.push({PieceKind::kText, std::string_view(token.text).substr(begin, step),
                                wants_logprobs && begin == 0 ? &logprob : nullptr},
                               events);
    }
  }
  for (ReplyEvent& event : events) goes_on = put(job, std::move(event)) && goes_on;
  std::lock_guard lock(mutex_);
  return goes_on && !job.cancelled;
}

ScriptedBackend::Job* ScriptedBackend::find(Ticket ticket) {
  const auto found = jobs_.find(ticket);
  return found == jobs_.end() ? nullptr : found->second.get();
}

void ScriptedBackend::cancel(Ticket ticket) {
  std::lock_guard lock(mutex_);
  Job* job = find(ticket);
  if (job == nullptr || job->over || job->cancelled) return;
  job->cancelled = true;
  ++n_cancelled_;
  changed_.notify_all();
}

bool ScriptedBackend::end_thinking(Ticket ticket) {
  std::lock_guard lock(mutex_);
  Job* job = find(ticket);
  if (job == nullptr || job->over || !job->in_thought) return false;
  job->end_thought = true;
  return true;
}

void ScriptedBackend::resume(Ticket ticket) {
  std::lock_guard lock(mutex_);
  if (Job* job = find(ticket)) job->paused = false;
  changed_.notify_all();
}

Outcome<int64_t> ScriptedBackend::count_prompt_tokens(const ChatRequest& request) {
  return static_cast<int64_t>(request.messages.size() * 7);
}

Outcome<std::vector<int32_t>> ScriptedBackend::tokenize(const std::string&, std::string_view text, bool add_special, bool) {
  std::vector<int32_t> out;
  if (add_special) out.push_back(1);
  for (const char c : text) out.push_back(static_cast<unsigned char>(c) + 100);
  return out;
}

Outcome<std::string> ScriptedBackend::detokenize(const std::string&, const std::vector<int32_t>& tokens) {
  std::string out;
  for (const int32_t token : tokens) {
    if (token < 100 || token > 355) return tl::unexpected(invalid("tokens", "tokens: there is no token {}", token));
    out += static_cast<char>(token - 100);
  }
  return out;
}

Outcome<Embeddings> ScriptedBackend::embed(const std::string&, const std::vector<std::string>& texts) {
  Embeddings out;
  for (const std::string& text : texts) {
    out.rows.push_back({1.0f, 0.0f, -0.5f});
    out.n_tokens += static_cast<int64_t>(text.size());
  }
  return out;
}

std::vector<Gauge> ScriptedBackend::gauges() const {
  return {{"minke_scripts_running", "Scripts that are played now.", false, "script", static_cast<double>(n_running_)},
          {"minke_tokens_put_total", "Tokens of all scripts.", true, {}, static_cast<double>(n_tokens_put_)}};
}

ChatRequest ScriptedBackend::last_request() const {
  std::lock_guard lock(mutex_);
  return last_request_;
}

std::vector<ScriptToken> words(const std::string& text) {
  std::vector<ScriptToken> out;
  for (size_t begin = 0; begin < text.size();) {
    size_t end = text.find(' ', begin + 1);
    if (end == std::string::npos) end = text.size();
    out.push_back({PieceKind::kText, text.substr(begin, end - begin)});
    begin = end;
  }
  return out;
}

}  // namespace minke::testing
