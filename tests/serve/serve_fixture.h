// A backend over models/nano, and readers that collect what comes of a request.
#pragma once

#include <gtest/gtest.h>

#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "base/thread_pool.h"
#include "serve/model_backend.h"
#include "server/model/reply_collector.h"

namespace minke::testing {

// Collects the events of one request. `stall_after`: says that it is behind after so many events, until it is drained.
class Reader final : public server::ReplySink {
 public:
  explicit Reader(int n_choices = 1) : collected_(n_choices) {}

  bool put(server::ReplyEvent event) override;
  // True when the request is over within the patience of a test.
  bool wait_until_over();
  bool wait_until(const std::function<bool(const std::vector<server::ReplyEvent>&)>& ready);
  std::vector<server::ReplyEvent> events() const;
  size_t n_events() const;
  const server::ReplyCollector& collected() const { return collected_; }  // once it is over
  const server::CollectedChoice& choice(size_t i = 0) const { return collected_.choices[i]; }

  size_t stall_after = SIZE_MAX;  // events
  std::function<void()> on_stall;

 private:
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<server::ReplyEvent> events_;
  server::ReplyCollector collected_;
  bool is_over_ = false;
};

struct Served {
  explicit Served(serve::BackendOptions options);
  std::unique_ptr<ThreadPool> pool;
  std::unique_ptr<serve::ModelBackend> backend;

  std::shared_ptr<Reader> run(const server::ChatRequest& request);
  server::Outcome<server::Backend::Ticket> submit(const server::ChatRequest& request, std::shared_ptr<Reader> reader) {
    return backend->submit(request, std::move(reader));
  }
  bool wait_until_idle();
};

serve::BackendOptions nano_options();
// One for all tests that change nothing of it.
Served& nano();

server::ChatMessage message(server::Role role, const std::string& text);
// A problem of nano's kind. Greedy unless changed, and short.
server::ChatRequest ask(const std::string& text =
                            "Use 19, 7, 15 to make 27. Each number at most once, with + - * / and parentheses. "
                            "Reply as 'Answer: expression'.");

}  // namespace minke::testing
