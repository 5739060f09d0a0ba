// How a training run is cut over devices, what a cut needs of the model and the cluster, and the idle time of pipelines.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/error.h"
#include "model/config.h"
#include "plan/tables/tables.h"
#include "plan/units.h"

namespace minke::plan {

enum class PipelineSchedule { k1F1B, kInterleaved, kZeroBubble, kDualPipe };
// What is computed again in the backward pass: nothing; norms, SwiGLU's products and MLA's up-projections; whole layers.
enum class Recomputation { kNone, kSelective, kFull };

struct Layout {
  int64_t tensor = 1, pipeline = 1, context = 1, expert = 1, data = 1;  // ways; expert ways are taken from the others
  int64_t n_chunks = 1;                                                 // of layers per device, with kInterleaved
  PipelineSchedule schedule = PipelineSchedule::k1F1B;
  int zero_stage = 1;       // what data-parallel replicas share: 1 optimizer state, 2 gradients too, 3 weights too
  int64_t micro_batch = 1;  // sequences
  Recomputation recomputation = Recomputation::kSelective;

  int64_t n_devices() const { return tensor * pipeline * context * data; }
};

// "tp1 pp16 cp1 ep64 dp128, dualpipe, zero1, micro-batch 1, selective recomputation".
std::string layout_text(const Layout& layout);
std::string_view schedule_name(PipelineSchedule schedule);
// Parts such as "pp16,ep64,dualpipe,zero1,mb1,full"; what is not given stays as in `base`. Unknown parts are errors.
Result<Layout> parse_layout(std::string_view text, Layout base);

// What is trained on what.
struct TrainingTask {
  ModelConfig config;
  int64_t seq_len = 0;
  int64_t n_sequences = 0;  // of a step
  Precision precision = Precision::kBf16;
  bool with_mtp = false;  // the modules of multi-token prediction are trained too
  Device device;
  int64_t n_devices = 0;

  Tokens step_tokens() const { return Tokens(static_cast<double>(n_sequences * seq_len)); }
};

// Whether the layout's numbers fit the model, the cluster and the batch; memory is another question. The error names the
// constraint with its numbers.
Status check_layout(const TrainingTask& task, const Layout& layout);
// Micro-batches that each pipeline runs in a step.
int64_t n_micro_batches(const TrainingTask& task, const Layout& layout);
// Layers of the fullest stage.
int64_t stage_layers(const ModelConfig& config, const Layout& layout);

// Idle time of a stage in a step, when a micro-batch takes forward, backward (all of it) and of that weight_part for gradients
// of weights. The formulas are those of DualPipe's README.
Seconds bubble(const Layout& layout, Seconds forward, Seconds backward, Seconds weight_part);
// Micro-batches whose activations the first stage holds at once.
double n_in_flight(const Layout& layout, int64_t n_micro_batches);

}  // namespace minke::plan
