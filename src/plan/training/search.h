// The fastest layout that fits.
#pragma once

#include "plan/training/memory.h"
#include "plan/training/step_time.h"

namespace minke::plan {

struct LayoutChoice {
  Layout layout;
  StepTime step;
  TrainingMemory memory;
};

// Memory that a run may fill: without what fragments and buffers take.
Bytes usable_memory(const Device& device, const Tables& tables, Working& working);

// The fastest of all layouts that pass check_layout and fit. The error says what even the most frugal one lacks.
Result<LayoutChoice> search_layout(const TrainingTask& task, const TrainingRates& rates, Bytes usable);

// `wanted` checked and timed. An error names the constraint that fails and the nearest layout that works.
Result<LayoutChoice> use_layout(const TrainingTask& task, const Layout& wanted, const TrainingRates& rates, Bytes usable);

}  // namespace minke::plan
