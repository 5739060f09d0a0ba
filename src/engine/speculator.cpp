#include "engine/speculator.h"

#include "base/check.h"

namespace minke {
namespace {

constexpr int64_t kMtpDrafts = 1, kLookupDrafts = 7;
constexpr int64_t kMaxWaiting = 256;  // hidden states that the drafter holds before it runs them in one go

bool uses_mtp(const Model& model, SpeculationMode mode) {
  return mode == SpeculationMode::kMtp || (mode == SpeculationMode::kAuto && model.config().n_mtp_layers > 0);
}

int64_t most_drafts(const Model& model, const SpeculationOptions& options) {
  if (options.max_drafts > 0) return options.max_drafts;
  return uses_mtp(model, options.mode) ? kMtpDrafts : kLookupDrafts;
}

}  // namespace

Speculator::Speculator(Model& model, KvCache& cache, const Context& context, const SpeculationOptions& options,
                       int64_t n_valid_tokens)
    : options_(options), max_drafts_(most_drafts(model, options)), policy_(max_drafts_) {
  CHECK(options.mode != SpeculationMode::kOff && options.max_drafts >= 0, "mode off, {} drafts", options.max_drafts);
  const size_t n_text = static_cast<size_t>(cache.capacity_tokens()) + 1;
  text_.reserve(n_text);
  if (uses_mtp(model, options.mode)) {
    mtp_.emplace(model, cache, context, n_valid_tokens);
  } else {
    lookup_.reserve(n_text);
  }
}

void Speculator::restart(int64_t n_kept) {
  CHECK(n_kept >= 0 && n_kept <= static_cast<int64_t>(text_.size()), "{} of {} tokens", n_kept, text_.size());
  text_.resize(static_cast<size_t>(n_kept));
  n_fresh_ = 0;
  if (mtp_) {
    mtp_->truncate(n_kept);
    return;
  }
  lookup_.clear();
  for (TokenId token : text_) lookup_.push(token);
}

void Speculator::see(std::span<const TokenId> tokens) {
  text_.insert(text_.end(), tokens.begin(), tokens.end());
  if (mtp_) return;
  for (TokenId token : tokens) lookup_.push(token);
}

Status Speculator::add_hidden(std::span<const float> hidden, const SequenceCache& sequence) {
  if (!mtp_) return {};
  int64_t n_before = mtp_->n_waiting();
  mtp_->add(hidden);
  n_fresh_ = mtp_->n_waiting() - n_before;
  if (mtp_->n_waiting() < kMaxWaiting) return {};
  return mtp_->catch_up(text_, sequence, 1);  // a draft starts from the last one
}

Result<int64_t> Speculator::plan(int64_t n_max, const SequenceCache& sequence) {
  if (n_max <= 0) return 0;
  int64_t n = std::min(n_max, policy_.n_drafts());
  if (n > 0 && mtp_) TRY(mtp_->catch_up(text_, sequence, n_fresh_));
  return n;
}

Status Speculator::draft(std::vector<TokenId>& draft, int64_t n, SequenceCache& sequence) {
  if (mtp_) {
    TRY(mtp_->draft(draft, text_, sequence, n));
  } else {
    lookup_.draft(draft, n);
  }
  if (options_.edit_draft) options_.edit_draft(draft, text_, n);
  return {};
}

}  // namespace minke
