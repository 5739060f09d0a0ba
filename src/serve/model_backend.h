// The models behind the server: each loaded once, each with a thread that runs its engine.
#pragma once

#include <atomic>
#include <cstddef>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <vector>

#include "serve/engine_worker.h"
#include "serve/served_model.h"
#include "server/model/backend.h"

namespace minke::serve {

struct BackendOptions {
  std::vector<ServedModelOptions> models;
  Context context;  // its pool outlives the backend
  DType kv = DType::kF16;
  uint64_t cache_bytes = 0;   // of each model's KV cache; 0: room for several contexts, at most a quarter of the memory
  uint64_t weight_bytes = 0;  // LoadOptions::memory_bytes of each model
  int64_t max_waiting = 128;  // requests of a model that wait for their first token
};

// Where prompts of conversations that are kept are found again after they have left the memory, and after a restart.
struct DiskCacheOptions {
  std::string folder;
  int64_t max_bytes = 0;           // for all models together
  std::span<const std::byte> key;  // 32 secret bytes
  std::string program;             // another one may compute other bits
};

class ModelBackend final : public server::Backend {
 public:
  static Result<std::unique_ptr<ModelBackend>> create(const BackendOptions& options);

  const std::vector<server::ModelInfo>& models() const override { return infos_; }
  server::Outcome<Ticket> submit(server::ChatRequest request, std::shared_ptr<server::ReplySink> sink) override;
  void cancel(Ticket ticket) override;
  bool end_thinking(Ticket ticket) override;
  void resume(Ticket ticket) override;
  server::Outcome<int64_t> count_prompt_tokens(const server::ChatRequest& request) override;
  server::Outcome<std::vector<int32_t>> tokenize(const std::string& model, std::string_view text, bool add_special,
                                                 bool parse_special) override;
  server::Outcome<std::string> detokenize(const std::string& model, const std::vector<int32_t>& tokens) override;
  server::Outcome<server::Embeddings> embed(const std::string& model, const std::vector<std::string>& texts) override;
  std::vector<server::Gauge> gauges() const override;

  // Any thread. One at a time is open.
  Status open_disk_cache(const DiskCacheOptions& options);
  // Writes what prompts the memory has, then leaves the folder alone. Nothing is to do when none is open.
  void close_disk_cache();
  // No prompt that came before leaves anything in memory or on the disk.
  Status forget_prompts();

  // Requests that run or wait.
  size_t n_requests() const;
  // Tokens made since the start.
  int64_t n_tokens() const;
  std::vector<std::string> warnings() const;

 private:
  struct Row {
    std::unique_ptr<ServedModel> model;
    int64_t cache_tokens = 0;
    std::unique_ptr<EngineWorker> worker;
  };

  explicit ModelBackend(const BackendOptions& options, CostMeter meter) : workshop_{options.context, {}, std::move(meter)} {}
  Status add(const ServedModelOptions& model, const BackendOptions& options);
  server::Outcome<Row*> find(const std::string& id);
  EngineWorker& worker_of(Ticket ticket) { return *rows_[ticket % rows_.size()].worker; }

  Workshop workshop_;
  mutable std::mutex disk_mutex_;
  std::unique_ptr<PrefixStore> disk_;  // outlives the engines
  std::vector<Row> rows_;
  std::vector<server::ModelInfo> infos_;
  std::atomic<uint64_t> n_submitted_{0};
};

}  // namespace minke::serve
