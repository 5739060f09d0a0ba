#include "plan/shape/exchange.h"

#include <algorithm>

#include "plan/shape/compute.h"

namespace minke::plan {
namespace {

// The share of n places that are not one's own.
double others(double n) { return n <= 1 ? 0 : (n - 1) / n; }

}  // namespace

Seconds exchange_time(const ModelConfig& c, const ExpertExchange& e) {
  if (e.n_devices <= 1 || c.moe.n_routed_experts == 0) return Seconds(0);
  double k = static_cast<double>(c.moe.n_experts_per_token), d = static_cast<double>(c.hidden_size);
  double local = std::min(e.n_devices, static_cast<double>(e.scale_up_size)), n_nodes = e.n_devices / local;
  double vector_bytes = d * e.bytes_per_value * e.n_tokens;
  Seconds inside = e.scale_up.value() > 0 ? Bytes(others(local) * k * vector_bytes) / e.scale_up : Seconds(0);
  if (n_nodes <= 1) return inside;
  double limit = c.moe.n_groups > 1 ? static_cast<double>(c.moe.topk_groups) : n_nodes;
  double fan = reached_groups(n_nodes, k, limit) * others(n_nodes);
  return std::max(inside, Bytes(fan * vector_bytes) / e.scale_out);
}

}  // namespace minke::plan
