#include "serve/serve_fixture.h"

#include <chrono>
#include <thread>

#include "support/support.h"

namespace minke::testing {
namespace {

constexpr std::chrono::seconds kPatience(120);

}  // namespace

bool Reader::put(server::ReplyEvent event) {
  bool goes_on = true, is_over = false;
  {
    std::lock_guard lock(mutex_);
    collected_.add(event);
    is_over = is_over_ = std::holds_alternative<server::Done>(event) || std::holds_alternative<server::ApiError>(event);
    events_.push_back(std::move(event));
    goes_on = events_.size() < stall_after;
  }
  changed_.notify_all();
  if (!goes_on && !is_over && on_stall) on_stall();  // after the last event the test may be gone
  return goes_on;
}

bool Reader::wait_until_over() {
  std::unique_lock lock(mutex_);
  return changed_.wait_for(lock, kPatience, [&] { return is_over_; });
}

bool Reader::wait_until(const std::function<bool(const std::vector<server::ReplyEvent>&)>& ready) {
  std::unique_lock lock(mutex_);
  return changed_.wait_for(lock, kPatience, [&] { return ready(events_); });
}

std::vector<server::ReplyEvent> Reader::events() const {
  std::lock_guard lock(mutex_);
  return events_;
}

size_t Reader::n_events() const {
  std::lock_guard lock(mutex_);
  return events_.size();
}

Served::Served(serve::BackendOptions options) : pool(std::make_unique<ThreadPool>(2)) {
  options.context.pool = pool.get();
  options.context.isa = value_of(choose_isa());
  backend = value_of(serve::ModelBackend::create(options));
}

std::shared_ptr<Reader> Served::run(const server::ChatRequest& request) {
  auto reader = std::make_shared<Reader>(request.n_choices);
  const auto ticket = submit(request, reader);
  if (!ticket) throw std::runtime_error(ticket.error().message);
  if (!reader->wait_until_over()) throw std::runtime_error("the request does not end");
  return reader;
}

bool Served::wait_until_idle() {
  for (int i = 0; i < 2000 && backend->n_requests() > 0; i++) std::this_thread::sleep_for(std::chrono::milliseconds(10));
  return backend->n_requests() == 0;
}

serve::BackendOptions nano_options() {
  serve::BackendOptions options;
  options.models = {{"nano", repository_path("models/nano"), true}};
  return options;
}

Served& nano() {
  static Served served(nano_options());
  return served;
}

server::ChatMessage message(server::Role role, const std::string& text) {
  server::ChatMessage out;
  out.role = role;
  out.content = text;
  return out;
}

server::ChatRequest ask(const std::string& text) {
  server::ChatRequest request;
  request.model = "nano";
  request.messages.push_back(message(server::Role::kUser, text));
  request.sampling.temperature = 0;
  request.sampling.seed = 1;
  request.max_tokens = 200;
  return request;
}

}  // namespace minke::testing
