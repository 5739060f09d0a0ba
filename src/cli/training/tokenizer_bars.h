// The progress of training a tokenizer: reading, then merging.
#pragma once

#include <optional>

#include "cli/language.h"
#include "cli/terminal.h"
#include "data/train_tokenizer.h"

namespace minke::cli {

class TokenizerBars {
 public:
  void update(TokenizerPhase phase, uint64_t done, uint64_t total) {
    const bool is_reading = phase == TokenizerPhase::kReading;
    if (!is_reading && !merging_) {
      reading_.reset();
      merging_.emplace(tr("merging", "합치는 중"), ProgressBar::Unit::kItems);
    }
    (is_reading ? reading_ : merging_)->update(done, total);
  }

 private:
  std::optional<ProgressBar> reading_{std::in_place, tr("reading", "읽는 중"), ProgressBar::Unit::kBytes}, merging_;
};

}  // namespace minke::cli
