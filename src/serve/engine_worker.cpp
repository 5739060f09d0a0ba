#include "serve/engine_worker.h"

#include <algorithm>

#include "serve/embedding.h"

namespace minke::serve {
namespace {

using namespace server;

constexpr int kRetryAfterS = 5;

ApiError shutting_down() { return {ErrorKind::kOverloaded, "the server is shutting down", {}, "shutting_down", kRetryAfterS}; }

}  // namespace

EngineWorker::EngineWorker(ServedModel& model, Workshop& workshop, std::unique_ptr<Engine> engine, DType kv,
                           int64_t max_waiting)
    : model_(model), workshop_(workshop), engine_(std::move(engine)), kv_(kv), max_waiting_(max_waiting) {
  thread_ = std::thread([this] { run(); });
}

Result<std::unique_ptr<EngineWorker>> EngineWorker::start(ServedModel& model, Workshop& workshop, const EngineOptions& options,
                                                          int64_t max_waiting) {
  auto engine = TRY(Engine::create(*model.lm.model, workshop.context, options, model.tokenizer().vocab_size()));
  return std::unique_ptr<EngineWorker>(new EngineWorker(model, workshop, std::move(engine), options.kv, max_waiting));
}

EngineWorker::~EngineWorker() {
  {
    std::lock_guard lock(mutex_);
    is_stopping_ = true;
  }
  wake_.notify_one();
  thread_.join();
}

void EngineWorker::post(std::function<void()> mail) {
  {
    std::lock_guard lock(mutex_);
    mail_.push_back(std::move(mail));
  }
  wake_.notify_one();
}

std::shared_ptr<LiveRequest> EngineWorker::find(Ticket ticket) const {
  std::lock_guard lock(mutex_);
  const auto found = requests_.find(ticket);
  return found == requests_.end() ? nullptr : found->second;
}

void EngineWorker::forget(Ticket ticket) {
  std::lock_guard lock(mutex_);
  requests_.erase(ticket);
}

size_t EngineWorker::n_requests() const {
  std::lock_guard lock(mutex_);
  return requests_.size();
}

EngineLoad EngineWorker::load() const {
  std::lock_guard lock(mutex_);
  return load_;
}

Outcome<void> EngineWorker::submit(Ticket ticket, std::shared_ptr<LiveRequest> request) {
  {
    std::lock_guard lock(mutex_);
    if (is_stopping_) return tl::unexpected(shutting_down());
    const auto n_waiting =
        std::count_if(requests_.begin(), requests_.end(), [](const auto& r) { return !r.second->has_begun(); });
    if (n_waiting >= max_waiting_) {
      return tl::unexpected(ApiError{ErrorKind::kOverloaded,
                                     fmt::format("{} requests wait for {} already: try again later", n_waiting, model_.info.id),
                                     {},
                                     "queue_full",
                                     kRetryAfterS});
    }
    requests_[ticket] = request;
  }
  post([this, ticket, request = std::move(request)] { begin(ticket, request); });
  return {};
}

void EngineWorker::cancel(Ticket ticket) {
  post([this, ticket] {
    const auto found = running_of(ticket);
    if (found == running_.end()) return;
    engine_->cancel(found->first);
    found->second.request->cancel(workshop_.meter);
    forget(ticket);
    running_.erase(found);
  });
}

bool EngineWorker::end_thinking(Ticket ticket) {
  const auto request = find(ticket);
  if (request == nullptr || !request->may_think()) return false;
  post([request] { request->end_thoughts(); });
  return true;
}

void EngineWorker::resume(Ticket ticket) {
  post([this, ticket] {
    const auto found = running_of(ticket);
    if (found == running_.end()) return;
    found->second.request->resume();
    engine_->resume(found->first);
  });
}

Outcome<std::vector<float>> EngineWorker::embed(std::vector<TokenId> tokens) {
  auto job = std::make_shared<std::unique_ptr<Embedding>>(std::make_unique<Embedding>());
  (*job)->tokens = std::move(tokens);
  auto made = (*job)->made.get_future();
  {
    std::lock_guard lock(mutex_);
    if (is_stopping_) return tl::unexpected(shutting_down());
    mail_.push_back([this, job] { embeddings_.push_back(std::move(*job)); });
  }
  wake_.notify_one();
  return made.get();
}

void EngineWorker::with_engine(const std::function<void(Engine&)>& act) {
  std::promise<void> done;
  {
    std::lock_guard lock(mutex_);
    if (is_stopping_) return;
    mail_.push_back([&] {
      act(*engine_);
      done.set_value();
    });
  }
  wake_.notify_one();
  done.get_future().wait();
}

std::map<int64_t, EngineWorker::Running>::iterator EngineWorker::running_of(Ticket ticket) {
  return std::find_if(running_.begin(), running_.end(), [&](const auto& r) { return r.second.ticket == ticket; });
}

bool EngineWorker::has_work() const {
  if (!embeddings_.empty()) return true;
  return std::any_of(running_.begin(), running_.end(), [](const auto& r) { return !r.second.request->is_paused(); });
}

void EngineWorker::run() {
  for (;;) {
    std::vector<std::function<void()>> mail;
    bool stops = false;
    {
      std::unique_lock lock(mutex_);
      const bool waits = !has_work();
      wake_.wait(lock, [&] { return !waits || is_stopping_ || !mail_.empty(); });
      mail.swap(mail_);
      stops = is_stopping_;
    }
    for (const auto& read : mail) read();
    if (stops) break;
    if (!embeddings_.empty()) embed_one();
    if (has_work()) step();
    note_load();
  }
  fail_all(shutting_down());
  for (const auto& job : embeddings_) job->made.set_value(tl::unexpected(shutting_down()));
}

void EngineWorker::begin(Ticket ticket, std::shared_ptr<LiveRequest> request) {
  const auto id = engine_->submit(request->engine_request());
  if (id) {
    running_[*id] = {ticket, std::move(request)};
    return;
  }
  request->fail({ErrorKind::kInvalid, id.error().message});
  forget(ticket);
}

void EngineWorker::step() {
  StepCost cost;
  Status done;
  {
    std::lock_guard turn(workshop_.turn);
    workshop_.meter.lap();
    done = engine_->step([this](const EngineToken& token) {
      ++n_tokens_;
      const auto found = running_.find(token.request);
      return found != running_.end() && found->second.request->on_token(token);
    });
    cost = workshop_.meter.lap();
  }
  if (!done) {
    engine_->clear();
    return fail_all({ErrorKind::kInternal, done.error().message});
  }
  settle(cost);
}

// Shares the cost of a step among those that it was made for, and lets go of those that are over.
void EngineWorker::settle(const StepCost& cost) {
  const double share = 1.0 / static_cast<double>(std::max<size_t>(running_.size(), 1));
  for (auto running = running_.begin(); running != running_.end();) {
    LiveRequest& request = *running->second.request;
    request.add_cost(cost, share);
    if (request.settle(workshop_.meter)) {
      engine_->cancel(running->first);
      forget(running->second.ticket);
      running = running_.erase(running);
      continue;
    }
    if (request.is_paused()) engine_->pause(running->first);
    ++running;
  }
}

void EngineWorker::note_load() {
  const EngineLoad now{engine_->n_running(), engine_->n_waiting(), engine_->n_pages() - engine_->n_free_pages(), engine_->n_pages(),
                       engine_->n_preempted()};
  std::lock_guard lock(mutex_);
  load_ = now;
}

void EngineWorker::embed_one() {
  const std::unique_ptr<Embedding> job = std::move(embeddings_.front());
  embeddings_.pop_front();
  std::lock_guard turn(workshop_.turn);
  auto made = embed_tokens(*model_.lm.model, job->tokens, kv_, workshop_.context);
  if (made) {
    job->made.set_value(std::move(*made));
  } else {
    job->made.set_value(tl::unexpected(ApiError{ErrorKind::kInvalid, made.error().message, "input"}));
  }
}

void EngineWorker::fail_all(const ApiError& error) {
  for (auto& [id, running] : running_) {
    running.request->fail(error);
    forget(running.ticket);
  }
  running_.clear();
}

}  // namespace minke::serve
