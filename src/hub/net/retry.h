// Bounded waiting between tries: exponential, Retry-After respected, cut short by cancel.
#pragma once

#include <functional>
#include <string>

#include "base/error.h"
#include "hub/cancel.h"
#include "hub/net/failure.h"
#include "hub/options.h"

namespace minke::hub {

class Retry {
 public:
  Retry(const RetryPolicy& policy, const Cancel& cancel, std::function<void(const std::string&)> note)
      : policy_(policy), cancel_(cancel), note_(std::move(note)) {}

  // Waits as the failure asks; an error when the tries are used up, the wait would be too long or the user cancelled.
  Status wait(const Failure& failure);
  // New bytes have come: the line is bad but works.
  void reset() { n_retries_ = 0; }

 private:
  const RetryPolicy& policy_;
  const Cancel& cancel_;
  std::function<void(const std::string&)> note_;
  int n_retries_ = 0;
};

}  // namespace minke::hub
