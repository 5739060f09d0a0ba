// Two reasons to stop: the user's wish, and another file of the same pull that failed.
#pragma once

#include <atomic>

namespace minke::hub {

class Cancel {
 public:
  explicit Cancel(const std::atomic<bool>& user) : user_(user) {}
  void stop() { stopped_.store(true); }
  bool is_set() const { return user_.load() || stopped_.load(); }

 private:
  const std::atomic<bool>& user_;
  std::atomic<bool> stopped_{false};
};

}  // namespace minke::hub
