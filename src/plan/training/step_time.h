// How long a training step takes with a layout: compute, idle pipelines, communication that nothing hides, the optimizer.
// Formulas: docs/plan.md.
#pragma once

#include "plan/training/layout.h"
#include "plan/working.h"

namespace minke::plan {

struct StepTime {
  Seconds forward, backward;  // of one micro-batch in one stage, communication that is not hidden included
  Seconds compute;            // of all micro-batches: model operations and those done again
  Seconds tensor_comm, context_comm, pipeline_comm, expert_comm, weight_comm;  // not hidden behind compute
  Seconds bubble, gradient_comm, optimizer;
  Seconds exchanges() const { return tensor_comm + context_comm + pipeline_comm + expert_comm + weight_comm + gradient_comm; }
  Seconds total() const { return compute + exchanges() + bubble + optimizer; }
};

// The rates that a device reaches, its factors applied.
struct TrainingRates {
  FlopsPerS linear, attention;
  BytesPerS scale_up, scale_out, memory;
  double hidden_comm = 0;  // share of the exchanges of tensor, context and pipeline parallelism that compute hides
};
TrainingRates training_rates(const TrainingTask& task, const Tables& tables, Corner corner, Working& working);

// `layout` must have passed check_layout.
StepTime step_time(const TrainingTask& task, const Layout& layout, const TrainingRates& rates);

}  // namespace minke::plan
