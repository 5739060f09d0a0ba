// What the machine is and does at the moment.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>

#include "base/json.h"

namespace minke::page {

// What only who runs the models knows.
struct LiveFigures {
  double tokens_per_s = 0;
  int64_t n_active_requests = 0;
  std::optional<double> read_gb_s;  // of memory, when it was measured
};

class Machine {
 public:
  explicit Machine(std::function<LiveFigures()> live);  // may be empty
  ~Machine();
  Json now() const;

 private:
  std::function<LiveFigures()> live_;
  std::unique_ptr<Json> fixed_;  // what does not change
  int64_t memory_bytes_ = 0;
};

}  // namespace minke::page
