#include "engine/mtp_drafter.h"

#include <algorithm>

#include "base/check.h"

namespace minke {
namespace {

constexpr int64_t kManyRows = 16;  // from here on the naive form of MLA is the cheaper one

}  // namespace

MtpDrafter::MtpDrafter(Model& model, KvCache& cache, const Context& context, int64_t n_valid_tokens)
    : model_(model), cache_(cache), context_(context), n_valid_tokens_(n_valid_tokens) {
  CHECK(model.config().n_mtp_layers > 0, "{} modules", model.config().n_mtp_layers);
}

void MtpDrafter::truncate(int64_t n_tokens) {
  // The row of position n_tokens - 1 has seen a token that may be another now. It is kept: its hidden state is gone, and all
  // that can suffer is how often a draft is right.
  place_.n_tokens = std::min(place_.n_tokens, n_tokens);
  int64_t n_kept = std::min(n_waiting(), n_tokens - place_.n_tokens);
  waiting_.resize(static_cast<size_t>(n_kept * model_.config().hidden_size));
}

void MtpDrafter::add(std::span<const float> hidden) { waiting_.insert(waiting_.end(), hidden.begin(), hidden.end()); }

Status MtpDrafter::run(std::span<const TokenId> tokens, std::span<const float> hidden, bool wants_logits) {
  int64_t n = static_cast<int64_t>(tokens.size());
  batch_.tokens.assign(tokens.begin(), tokens.end());
  batch_.sequences.assign(1, {&place_, n, n >= kManyRows ? MlaForm::kNaive : MlaForm::kAbsorbed});
  batch_.logit_rows.assign(wants_logits ? 1 : 0, n - 1);
  batch_.hidden = &hidden_;
  return model_.forward_mtp(logits_, batch_, hidden, cache_, context_);
}

Status MtpDrafter::catch_up(std::span<const TokenId> text, const SequenceCache& sequence, int64_t n_left) {
  int64_t dim = model_.config().hidden_size;
  int64_t n_known = static_cast<int64_t>(text.size()) - 1 - place_.n_tokens;
  int64_t n = std::min(n_waiting(), n_known) - n_left;
  if (n <= 0) return {};
  place_.page_table = sequence.page_table;
  std::span<const TokenId> tokens = text.subspan(static_cast<size_t>(place_.n_tokens + 1), static_cast<size_t>(n));
  TRY(run(tokens, std::span(waiting_).first(static_cast<size_t>(n * dim)), false));
  waiting_.erase(waiting_.begin(), waiting_.begin() + n * dim);
  return {};
}

Status MtpDrafter::draft(std::vector<TokenId>& draft, std::span<const TokenId> text, SequenceCache& sequence, int64_t n) {
  int64_t dim = model_.config().hidden_size, n_rows = n_waiting();
  CHECK(n_rows > 0 && place_.n_tokens + n_rows + 1 == static_cast<int64_t>(text.size()), "{} + {} rows, {} tokens",
        place_.n_tokens, n_rows, text.size());
  TRY(cache_.reserve(sequence, sequence.n_tokens + n));
  place_.page_table = sequence.page_table;
  TRY(run(text.last(static_cast<size_t>(n_rows)), waiting_, true));
  waiting_.clear();
  int64_t n_true = place_.n_tokens;
  draft.clear();
  while (true) {
    auto best = std::max_element(logits_.begin(), logits_.begin() + n_valid_tokens_);
    draft.push_back(static_cast<TokenId>(best - logits_.begin()));
    if (static_cast<int64_t>(draft.size()) == n) break;
    last_.assign(hidden_.end() - dim, hidden_.end());
    TRY(run({&draft.back(), 1}, last_, true));
  }
  place_.n_tokens = n_true;  // rows of the chain are guesses
  return {};
}

}  // namespace minke
