// The thoughts behind tool calls, by the id of the first call: a client that gives a result back without the thought gets it
// put back in, so that clients of every era of DeepSeek's API work. In memory only, bounded, oldest first out.
#pragma once

#include <deque>
#include <map>
#include <mutex>
#include <optional>
#include <string>

namespace minke::server {

class ReasoningMemory {
 public:
  explicit ReasoningMemory(size_t max_bytes) : max_bytes_(max_bytes) {}
  void put(const std::string& caller, const std::string& call_id, std::string reasoning);
  std::optional<std::string> get(const std::string& caller, const std::string& call_id) const;

 private:
  const size_t max_bytes_;
  mutable std::mutex mutex_;  // of all that follow
  std::map<std::string, std::string> thoughts_;
  std::deque<std::string> order_;
  size_t n_bytes_ = 0;
};

}  // namespace minke::server
