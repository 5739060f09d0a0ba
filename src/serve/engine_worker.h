// The thread that runs one model's engine. Everyone else leaves mail: nobody waits for a step but who asks for an embedding.
#pragma once

#include <atomic>
#include <condition_variable>
#include <deque>
#include <functional>
#include <future>
#include <map>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "engine/engine.h"
#include "serve/cost_meter.h"
#include "serve/live_request.h"
#include "serve/served_model.h"
#include "serve/turnstile.h"
#include "server/model/backend.h"

namespace minke::serve {

// What the workers of all models share.
struct Workshop {
  Context context;
  Turnstile turn;  // to compute, and of the meter
  CostMeter meter;
};

// Of one engine, after its last step.
struct EngineLoad {
  int64_t n_running = 0, n_waiting = 0;  // samples; requests that are not read yet and sequences that made room
  int64_t n_used_pages = 0, n_pages = 0;
  int64_t n_preempted = 0;  // since the start
};

class EngineWorker {
 public:
  using Ticket = server::Backend::Ticket;

  // Model and workshop outlive the worker. max_waiting: requests that have no token yet.
  static Result<std::unique_ptr<EngineWorker>> start(ServedModel& model, Workshop& workshop, const EngineOptions& options,
                                                     int64_t max_waiting);
  // Requests that still run end with an error.
  ~EngineWorker();
  EngineWorker(const EngineWorker&) = delete;

  // Any thread. submit() is kOverloaded when too many wait.
  server::Outcome<void> submit(Ticket ticket, std::shared_ptr<LiveRequest> request);
  void cancel(Ticket ticket);
  bool end_thinking(Ticket ticket);
  void resume(Ticket ticket);
  server::Outcome<std::vector<float>> embed(std::vector<TokenId> tokens);
  // Between two steps, on the worker's thread; returns when it is done. Nothing happens when the worker ends.
  void with_engine(const std::function<void(Engine&)>& act);
  size_t n_requests() const;
  EngineLoad load() const;
  // Tokens made since the worker started, of all requests.
  int64_t n_tokens() const { return n_tokens_; }

 private:
  struct Embedding {
    std::vector<TokenId> tokens;
    std::promise<server::Outcome<std::vector<float>>> made;
  };
  struct Running {
    Ticket ticket;
    std::shared_ptr<LiveRequest> request;
  };

  EngineWorker(ServedModel& model, Workshop& workshop, std::unique_ptr<Engine> engine, DType kv, int64_t max_waiting);
  void post(std::function<void()> mail);
  std::shared_ptr<LiveRequest> find(Ticket ticket) const;
  void forget(Ticket ticket);
  // On the worker's thread from here on.
  void run();
  bool has_work() const;
  void begin(Ticket ticket, std::shared_ptr<LiveRequest> request);
  std::map<int64_t, Running>::iterator running_of(Ticket ticket);
  void step();
  void settle(const StepCost& cost);
  void note_load();
  void embed_one();
  void fail_all(const server::ApiError& error);

  ServedModel& model_;
  Workshop& workshop_;
  std::unique_ptr<Engine> engine_;
  DType kv_;
  int64_t max_waiting_;
  std::atomic<int64_t> n_tokens_{0};

  std::map<int64_t, Running> running_;  // by the engine's numbers
  std::deque<std::unique_ptr<Embedding>> embeddings_;

  mutable std::mutex mutex_;  // of what follows
  std::condition_variable wake_;
  std::vector<std::function<void()>> mail_;
  std::map<Ticket, std::shared_ptr<LiveRequest>> requests_;
  EngineLoad load_;
  bool is_stopping_ = false;
  std::thread thread_;  // last: it uses the others
};

}  // namespace minke::serve
