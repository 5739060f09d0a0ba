#include "server/model/event_queue.h"

#include <iterator>

namespace minke::server {

class Lane final : public ReplySink {
 public:
  Lane(std::shared_ptr<EventQueue> queue, int first_choice) : queue_(std::move(queue)), first_choice_(first_choice) {}

  bool put(ReplyEvent event) override {
    std::visit(
        [this](auto& e) {
          if constexpr (requires { e.choice; }) e.choice += first_choice_;
        },
        event);
    return queue_->put(std::move(event));
  }

 private:
  std::shared_ptr<EventQueue> queue_;
  int first_choice_;
};

std::shared_ptr<ReplySink> EventQueue::lane(int first_choice) {
  return std::make_shared<Lane>(shared_from_this(), first_choice);
}

bool EventQueue::put(ReplyEvent event) {
  std::lock_guard lock(mutex_);
  if (closed_) return true;
  n_bytes_ += event_bytes(event);
  const bool was_empty = events_.empty();
  events_.push_back(std::move(event));
  if (was_empty && wake_) wake_();
  if (n_bytes_ < max_bytes_) return true;
  paused_ = true;
  return false;
}

bool EventQueue::take(std::vector<ReplyEvent>& out) {
  std::lock_guard lock(mutex_);
  std::move(events_.begin(), events_.end(), std::back_inserter(out));
  events_.clear();
  n_bytes_ = 0;
  return std::exchange(paused_, false);
}

void EventQueue::on_ready(std::function<void()> wake) {
  std::lock_guard lock(mutex_);
  wake_ = std::move(wake);
  if (wake_ && !events_.empty()) wake_();
}

void EventQueue::close() {
  std::lock_guard lock(mutex_);
  closed_ = true;
  events_.clear();
  wake_ = nullptr;
}

}  // namespace minke::server
