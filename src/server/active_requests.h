// The requests that run now, by the names that their replies carry: for "answer now" and cancel.
#pragma once

#include <map>
#include <mutex>
#include <string>
#include <vector>

#include "server/model/backend.h"

namespace minke::server {

class ActiveRequests {
 public:
  explicit ActiveRequests(Backend& backend) : backend_(backend) {}

  void add(const std::string& name, const std::string& caller, std::vector<Backend::Ticket> tickets);
  void remove(const std::string& name);
  // False when no such request of this caller runs; end_thinking also when it has no thought to end.
  bool end_thinking(const std::string& name, const std::string& caller);
  bool cancel(const std::string& name, const std::string& caller);
  size_t size() const;

 private:
  struct Active {
    std::string caller;
    std::vector<Backend::Ticket> tickets;
  };
  std::vector<Backend::Ticket> find(const std::string& name, const std::string& caller) const;

  Backend& backend_;
  mutable std::mutex mutex_;  // of requests_
  std::map<std::string, Active> requests_;
};

}  // namespace minke::server
