#include "train/loop/settings.h"

#include <algorithm>
#include <cmath>

namespace minke {

using recipe::Recipe;

OptimizerOptions optimizer_options(const recipe::OptimizerPart& part) {
  OptimizerOptions options;
  options.kind = part.kind == recipe::OptimizerKind::kMuon ? OptimizerKind::kMuon : OptimizerKind::kAdamw;
  options.beta1 = part.beta1;
  options.beta2 = part.beta2;
  options.eps = part.eps;
  options.weight_decay = part.weight_decay;
  options.moments = part.moments;
  if (part.kind == recipe::OptimizerKind::kMuon) {
    options.muon_momentum = part.muon_momentum;
    options.muon_nesterov = part.muon_nesterov;
    options.muon_iterations = static_cast<int>(part.muon_iterations);
    options.muon_scale = part.muon_scale == recipe::MuonScaling::kSpectral ? MuonScale::kSpectral : MuonScale::kMatchAdamw;
    options.muon_lr_factor = part.muon_lr_factor;
  }
  return options;
}

SpikeGuardOptions spike_guard_options(const recipe::OptimizerPart& part) {
  return {part.skip_factor, part.skip_window, part.skip_after};
}

Schedule rate_schedule(const Recipe& recipe) {
  const recipe::SchedulePart& s = recipe.schedule;
  const double peak = recipe.optimizer.lr, warmup = static_cast<double>(s.warmup);
  const double total = static_cast<double>(s.total);
  switch (s.kind) {
    case recipe::ScheduleKind::kConstant:
      return constant_schedule(peak, warmup);
    case recipe::ScheduleKind::kCosine:
      return cosine_schedule(peak, s.final_lr, warmup, total);
    case recipe::ScheduleKind::kWsd: {
      const Curve curve = s.decay_curve == recipe::DecayCurve::kLinear   ? Curve::kLinear
                          : s.decay_curve == recipe::DecayCurve::kCosine ? Curve::kCosine
                                                                         : Curve::kRoot;
      return wsd_schedule(peak, s.final_lr, warmup, s.decay_from * total, total, curve);
    }
    case recipe::ScheduleKind::kV3:
      break;
  }
  return v3_schedule({.peak = peak,
                      .final = s.middle_lr,
                      .last = s.final_lr,
                      .warmup = warmup,
                      .decay_start = s.constant_until * total,
                      .decay_end = s.cosine_until * total,
                      .last_start = s.middle_until * total});
}

int64_t rows_at(const Recipe& recipe, int64_t tokens) {
  const recipe::BatchPart& b = recipe.batch;
  const Schedule schedule =
      ramp_schedule(static_cast<double>(b.start_tokens), static_cast<double>(b.end_tokens), static_cast<double>(b.over_tokens));
  const double wanted = value_at(schedule, static_cast<double>(tokens));
  return std::max<int64_t>(1, std::llround(wanted / static_cast<double>(recipe.data.sequence_length)));
}

double mtp_lambda_at(const Recipe& recipe, int64_t tokens) {
  const double later = recipe.mtp.later_from * static_cast<double>(recipe.schedule.total);
  return static_cast<double>(tokens) < later ? recipe.mtp.lambda : recipe.mtp.later_lambda;
}

double bias_update_speed_at(const Recipe& recipe, int64_t tokens) {
  const double until = recipe.moe.bias_until * static_cast<double>(recipe.schedule.total);
  return static_cast<double>(tokens) < until ? recipe.moe.bias_update_speed : 0;
}

DataOptions data_options(const Recipe& recipe, DataRole role, int64_t vocab_size, const std::string& tokenizer_digest) {
  const recipe::DataPart& part = recipe.data;
  DataOptions options;
  options.seq_len = part.sequence_length;
  options.packing = part.packing == recipe::RowPacking::kStream  ? Packing::kStream
                    : part.packing == recipe::RowPacking::kWhole ? Packing::kWhole
                                                                 : Packing::kIsolated;
  options.cut_long = part.cut_long;
  options.seed = part.seed;
  options.vocab_size = vocab_size;
  options.tokenizer_digest = tokenizer_digest;
  for (const recipe::DataSourcePart& source : part.train) options.sources.push_back({source.path, source.weight});
  if (part.validation.empty() && part.validation_fraction > 0) {
    options.validation_fraction = part.validation_fraction;
    options.split = role == DataRole::kTraining ? Split::kTrain : Split::kValidation;
  }
  if (role == DataRole::kTraining) return options;
  options.shuffle = false;
  options.n_epochs = 1;
  if (!part.validation.empty()) options.sources = {{part.validation, std::nullopt}};
  return options;
}

}  // namespace minke
