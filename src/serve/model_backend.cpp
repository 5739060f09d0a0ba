#include "serve/model_backend.h"

#include <algorithm>

#include "base/check.h"
#include "base/cpu_info.h"
#include "serve/disk/model_identity.h"

namespace minke::serve {
namespace {

using namespace server;

constexpr int64_t kPrefillTokens = 512;  // in one step, so that those that are answered wait no longer than that
constexpr int64_t kLeastCacheTokens = 1 << 16;
constexpr int64_t kContextsInCache = 8;

Result<int64_t> choose_cache_tokens(const ServedModel& model, const BackendOptions& options) {
  const int64_t per_token = KvCache::bytes_per_token(model.lm.model->config(), options.kv);
  const int64_t context = (model.info.context + kPageSize - 1) / kPageSize * kPageSize;
  if (options.cache_bytes > 0) {
    const int64_t n_tokens = static_cast<int64_t>(options.cache_bytes) / per_token / kPageSize * kPageSize;
    if (n_tokens >= 2 * kPageSize) return n_tokens;
    return error("--cache-memory: {} bytes hold {} tokens of {}, which takes {} a token; give at least {}", options.cache_bytes,
                 n_tokens, model.info.id, per_token, 2 * kPageSize * per_token);
  }
  const int64_t most = detect_cpu().memory_bytes / 4 / static_cast<int64_t>(options.models.size()) / per_token;
  const int64_t wanted = std::max(kContextsInCache * context, kLeastCacheTokens);
  // One context must fit; who has less memory says so with --ctx.
  return std::max(context, std::min(wanted, most) / kPageSize * kPageSize);
}

}  // namespace

Result<std::unique_ptr<ModelBackend>> ModelBackend::create(const BackendOptions& options) {
  CostMeter meter = TRY(CostMeter::create());
  std::unique_ptr<ModelBackend> backend(new ModelBackend(options, std::move(meter)));
  for (const ServedModelOptions& model : options.models) TRY(backend->add(model, options));
  return backend;
}

Status ModelBackend::add(const ServedModelOptions& model, const BackendOptions& options) {
  for (const ModelInfo& info : infos_) {
    if (info.id == model.id) return error("{}: two models have this name", model.id);
  }
  LoadOptions load;
  load.pack = &workshop_.context;
  load.memory_bytes = options.weight_bytes;
  load.mtp = false;  // nobody drafts where several sequences share a step
  Row row;
  row.model = TRY(ServedModel::load(model, load));
  row.cache_tokens = TRY(choose_cache_tokens(*row.model, options));
  EngineOptions engine;
  engine.cache_tokens = row.cache_tokens;
  engine.prefix_tokens = row.cache_tokens;
  engine.prefill_tokens = kPrefillTokens;
  engine.kv = options.kv;
  row.worker = TRY(EngineWorker::start(*row.model, workshop_, engine, options.max_waiting));
  infos_.push_back(row.model->info);
  rows_.push_back(std::move(row));
  return {};
}

Status ModelBackend::open_disk_cache(const DiskCacheOptions& options) {
  const std::lock_guard lock(disk_mutex_);
  CHECK(disk_ == nullptr, "{}: another disk cache is open", options.folder);
  std::vector<std::string> origins;
  for (const Row& row : rows_)
    origins.push_back(fmt::format("{}, {}", options.program, TRY(model_identity(row.model->lm.model->files()))));
  disk_ = TRY(PrefixStore::open({options.folder, options.max_bytes, options.key}));
  for (size_t i = 0; i < rows_.size(); i++)
    rows_[i].worker->with_engine([&](Engine& engine) { engine.set_store(disk_.get(), origins[i]); });
  return {};
}

void ModelBackend::close_disk_cache() {
  const std::lock_guard lock(disk_mutex_);
  if (disk_ == nullptr) return;
  for (const Row& row : rows_) {
    row.worker->with_engine([](Engine& engine) {
      engine.save_prefixes();
      engine.set_store(nullptr, "");
    });
  }
  disk_.reset();
}

Status ModelBackend::forget_prompts() {
  const std::lock_guard lock(disk_mutex_);
  for (const Row& row : rows_) row.worker->with_engine([](Engine& engine) { engine.forget_prefixes(); });
  return disk_ == nullptr ? Status() : disk_->clear();
}

std::vector<std::string> ModelBackend::warnings() const {
  std::vector<std::string> out;
  for (const Row& row : rows_) {
    for (const std::string& warning : row.model->lm.model->config().warnings)
      out.push_back(fmt::format("{}: {}", row.model->info.id, warning));
  }
  return out;
}

std::vector<server::Gauge> ModelBackend::gauges() const {
  struct OfModel {
    std::string_view name, help;
    bool is_counter;
    double (*value)(const EngineLoad&);
  };
  static constexpr OfModel kOfModel[] = {
      {"minke_engine_samples_running", "Samples that get a token in every step.", false,
       [](const EngineLoad& l) { return static_cast<double>(l.n_running); }},
      {"vllm:num_requests_waiting", "Requests that are not read yet, and samples that made room for others.", false,
       [](const EngineLoad& l) { return static_cast<double>(l.n_waiting); }},
      {"vllm:kv_cache_usage_perc", "Share of the KV cache that is in use, kept beginnings included; 1 is all of it.", false,
       [](const EngineLoad& l) { return l.n_pages == 0 ? 0 : static_cast<double>(l.n_used_pages) / static_cast<double>(l.n_pages); }},
      {"vllm:num_preemptions_total", "How often a sample made room for others and was read again.", true,
       [](const EngineLoad& l) { return static_cast<double>(l.n_preempted); }},
  };
  std::vector<server::Gauge> out;
  for (const OfModel& gauge : kOfModel) {
    for (const Row& row : rows_)
      out.push_back({gauge.name, gauge.help, gauge.is_counter, row.model->info.id, gauge.value(row.worker->load())});
  }
  const std::unique_lock lock(disk_mutex_, std::try_to_lock);  // not while it is opened, emptied or closed
  if (!lock || disk_ == nullptr) return out;
  const PrefixStore::Stats stats = disk_->stats();
  const auto add = [&](std::string_view name, std::string_view help, bool is_counter, int64_t value) {
    out.push_back({name, help, is_counter, {}, static_cast<double>(value)});
  };
  add("minke_disk_cache_bytes", "Bytes of the KV cache on the disk.", false, stats.n_bytes);
  add("minke_disk_cache_pages", "Pages of the KV cache on the disk.", false, stats.n_files);
  add("minke_disk_cache_pages_read_total", "Pages that were read from the disk.", true, stats.n_read);
  add("minke_disk_cache_pages_written_total", "Pages that were written to the disk.", true, stats.n_written);
  add("minke_disk_cache_pages_refused_total", "Files that were not what was written.", true, stats.n_refused);
  add("minke_disk_cache_pages_skipped_total", "Pages that could not be written or were too many.", true, stats.n_skipped);
  return out;
}

size_t ModelBackend::n_requests() const {
  size_t n = 0;
  for (const Row& row : rows_) n += row.worker->n_requests();
  return n;
}

int64_t ModelBackend::n_tokens() const {
  int64_t n = 0;
  for (const Row& row : rows_) n += row.worker->n_tokens();
  return n;
}

Outcome<ModelBackend::Row*> ModelBackend::find(const std::string& id) {
  for (Row& row : rows_) {
    if (row.model->info.id == id) return &row;
  }
  return tl::unexpected(
      ApiError{ErrorKind::kNotFound, fmt::format("there is no model \"{}\"", id), "model", "model_not_found"});
}

Outcome<Backend::Ticket> ModelBackend::submit(ChatRequest request, std::shared_ptr<ReplySink> sink) {
  auto row = find(request.model);
  if (!row) return tl::unexpected(std::move(row.error()));
  auto plan = plan_request(*(*row)->model, request, (*row)->cache_tokens);
  if (!plan) return tl::unexpected(std::move(plan.error()));
  const auto index = static_cast<uint64_t>(*row - rows_.data());
  const Ticket ticket = n_submitted_++ * rows_.size() + index;
  auto live = std::make_shared<LiveRequest>(*(*row)->model, std::move(*plan), std::move(sink));
  if (auto ok = (*row)->worker->submit(ticket, std::move(live)); !ok) return tl::unexpected(std::move(ok.error()));
  return ticket;
}

void ModelBackend::cancel(Ticket ticket) { worker_of(ticket).cancel(ticket); }
bool ModelBackend::end_thinking(Ticket ticket) { return worker_of(ticket).end_thinking(ticket); }
void ModelBackend::resume(Ticket ticket) { worker_of(ticket).resume(ticket); }

Outcome<int64_t> ModelBackend::count_prompt_tokens(const ChatRequest& request) {
  auto row = find(request.model);
  if (!row) return tl::unexpected(std::move(row.error()));
  return serve::count_prompt_tokens(*(*row)->model, request);
}

Outcome<std::vector<int32_t>> ModelBackend::tokenize(const std::string& model, std::string_view text, bool add_special,
                                                     bool parse_special) {
  auto row = find(model);
  if (!row) return tl::unexpected(std::move(row.error()));
  auto tokens = (*row)->model->tokenizer().encode(text, {.add_special = add_special, .parse_special = parse_special});
  if (!tokens) return tl::unexpected(invalid("content", "{}", tokens.error().message));
  return std::move(*tokens);
}

Outcome<std::string> ModelBackend::detokenize(const std::string& model, const std::vector<int32_t>& tokens) {
  auto row = find(model);
  if (!row) return tl::unexpected(std::move(row.error()));
  auto text = (*row)->model->tokenizer().decode(tokens);
  if (!text) return tl::unexpected(invalid("tokens", "{}", text.error().message));
  return std::move(*text);
}

Outcome<Embeddings> ModelBackend::embed(const std::string& model, const std::vector<std::string>& texts) {
  auto row = find(model);
  if (!row) return tl::unexpected(std::move(row.error()));
  Embeddings out;
  for (const std::string& text : texts) {
    auto tokens = tokenize(model, text, true, false);
    if (!tokens) return tl::unexpected(std::move(tokens.error()));
    const auto n = static_cast<int64_t>(tokens->size()), context = (*row)->model->info.context;
    if (n == 0) return tl::unexpected(invalid("input", "input: expected texts of at least one token"));
    if (n > context) {
      return tl::unexpected(ApiError{ErrorKind::kInvalid,
                                     fmt::format("a text has {} tokens, the context of {} holds {}", n, model, context),
                                     "input", "context_length_exceeded"});
    }
    auto made = (*row)->worker->embed(std::move(*tokens));
    if (!made) return tl::unexpected(std::move(made.error()));
    out.rows.push_back(std::move(*made));
    out.n_tokens += n;
  }
  return out;
}

}  // namespace minke::serve
