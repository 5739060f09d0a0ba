#include "server/reasoning_memory.h"

namespace minke::server {

void ReasoningMemory::put(const std::string& caller, const std::string& call_id, std::string reasoning) {
  std::string key = caller + '\0' + call_id;
  std::lock_guard lock(mutex_);
  const size_t n = key.size() + reasoning.size();
  if (n > max_bytes_ || !thoughts_.emplace(key, std::move(reasoning)).second) return;
  order_.push_back(std::move(key));
  n_bytes_ += n;
  while (n_bytes_ > max_bytes_) {
    const auto oldest = thoughts_.find(order_.front());
    n_bytes_ -= oldest->first.size() + oldest->second.size();
    thoughts_.erase(oldest);
    order_.pop_front();
  }
}

std::optional<std::string> ReasoningMemory::get(const std::string& caller, const std::string& call_id) const {
  std::lock_guard lock(mutex_);
  const auto found = thoughts_.find(caller + '\0' + call_id);
  if (found == thoughts_.end()) return std::nullopt;
  return found->second;
}

}  // namespace minke::server
