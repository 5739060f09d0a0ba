// The bounded queue between a backend's thread and the connection that writes. Several requests may share one reader (a
// completion of several prompts): each has a Lane, which shifts the numbers of its choices.
#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <vector>

#include "server/model/backend.h"

namespace minke::server {

class EventQueue : public std::enable_shared_from_this<EventQueue> {
 public:
  explicit EventQueue(size_t max_bytes) : max_bytes_(max_bytes) {}

  std::shared_ptr<ReplySink> lane(int first_choice);
  // Moves all events to the end of out. True when a backend was told to pause and may go on now.
  bool take(std::vector<ReplyEvent>& out);
  // Called once for each time that the queue stops being empty, on the backend's thread and under the queue's lock: it only
  // wakes someone. Called at once when there is something already. An empty function forgets the last one.
  void on_ready(std::function<void()> wake);
  // Drops everything, now and later.
  void close();

 private:
  friend class Lane;
  bool put(ReplyEvent event);

  const size_t max_bytes_;
  std::mutex mutex_;  // of all that follow
  std::vector<ReplyEvent> events_;
  size_t n_bytes_ = 0;
  bool paused_ = false;
  bool closed_ = false;
  std::function<void()> wake_;
};

}  // namespace minke::server
