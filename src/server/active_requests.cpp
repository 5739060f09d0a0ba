#include "server/active_requests.h"

namespace minke::server {

void ActiveRequests::add(const std::string& name, const std::string& caller, std::vector<Backend::Ticket> tickets) {
  std::lock_guard lock(mutex_);
  requests_[name] = {caller, std::move(tickets)};
}

void ActiveRequests::remove(const std::string& name) {
  std::lock_guard lock(mutex_);
  requests_.erase(name);
}

std::vector<Backend::Ticket> ActiveRequests::find(const std::string& name, const std::string& caller) const {
  std::lock_guard lock(mutex_);
  const auto found = requests_.find(name);
  return found == requests_.end() || found->second.caller != caller ? std::vector<Backend::Ticket>{} : found->second.tickets;
}

bool ActiveRequests::end_thinking(const std::string& name, const std::string& caller) {
  bool any = false;
  for (const Backend::Ticket ticket : find(name, caller)) any = backend_.end_thinking(ticket) || any;
  return any;
}

bool ActiveRequests::cancel(const std::string& name, const std::string& caller) {
  const auto tickets = find(name, caller);
  for (const Backend::Ticket ticket : tickets) backend_.cancel(ticket);
  return !tickets.empty();
}

size_t ActiveRequests::size() const {
  std::lock_guard lock(mutex_);
  return requests_.size();
}

}  // namespace minke::server
