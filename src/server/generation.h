// A reply while the model writes it: the requests at the backend, their events on the way to the writer, and what has to happen
// when it ends in any way. The connection only moves bytes.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "server/active_requests.h"
#include "server/http.h"
#include "server/metrics.h"
#include "server/model/backend.h"
#include "server/model/event_queue.h"
#include "server/model/page_services.h"
#include "server/model/reply_collector.h"
#include "server/reasoning_memory.h"
#include "server/reply_writer.h"

namespace minke::server {

enum class Dialect;

// What outlives a generation.
struct GenerationHost {
  Backend& backend;
  PageServices* services;  // null: nothing is kept
  Metrics& metrics;
  ActiveRequests& active;
  ReasoningMemory& memory;
  size_t max_queued_bytes;
};

struct GenerationPlan {
  ReplyHead head;
  std::string caller;
  Dialect dialect;
  std::vector<ChatRequest> requests;  // their choices follow one another
  std::unique_ptr<ReplyWriter> writer;
  std::shared_ptr<void> slot;  // given back at the end
};

class Generation {
 public:
  // Submits all requests. May block.
  static Outcome<std::shared_ptr<Generation>> start(const GenerationHost& host, GenerationPlan plan);
  // Cancels what still runs.
  ~Generation();
  Generation(const Generation&) = delete;
  Generation& operator=(const Generation&) = delete;

  bool streams() const { return writer_->streams(); }
  std::string_view content_type() const { return writer_->content_type(); }
  std::string_view keep_alive() const { return writer_->keep_alive(); }
  void on_ready(std::function<void()> wake) { queue_->on_ready(std::move(wake)); }

  // Appends what the events so far add to the body. True when the last one is there: then end() follows.
  bool pump(std::string& out);
  // An error before the first byte of a stream: it gets a status of its own instead of an event.
  std::optional<HttpReply> early_failure() const;
  // Keeps the turn (may block) and appends the last bytes.
  void end(std::string& out);
  // After end(), when it does not stream.
  HttpReply finish() { return writer_->finish(); }
  // The client is gone or the server stops: frees the compute. What was written so far is kept with the conversation. May
  // block.
  void abandon();

 private:
  Generation(const GenerationHost& host, GenerationPlan plan);
  Outcome<void> begin_turn(const ChatRequest& request);
  void keep_turn();
  void observe(const ReplyEvent& event);
  void cancel_all();

  GenerationHost host_;
  ReplyHead head_;
  std::string caller_;
  Dialect dialect_;
  std::unique_ptr<ReplyWriter> writer_;
  std::shared_ptr<void> slot_;
  std::shared_ptr<EventQueue> queue_;
  std::vector<Backend::Ticket> tickets_;
  std::vector<ReplyEvent> batch_;
  ReplyCollector collected_;
  bool collects_text_ = false;  // a stream that nobody keeps is not put together
  std::optional<TurnIds> turn_;
  Done total_;
  size_t n_done_ = 0;
  bool is_over_ = false;
  bool has_written_ = false;
  std::chrono::steady_clock::time_point begin_ = std::chrono::steady_clock::now();
  std::optional<std::chrono::steady_clock::time_point> first_token_, last_token_;
};

}  // namespace minke::server
