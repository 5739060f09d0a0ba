// How well a model predicts a text: the mean negative log-likelihood of its tokens. The text is read in windows of `window`
// tokens that advance by `stride`, each starting in an empty cache; a window scores the tokens that the one before did not
// reach, so that every token but the first counts once, and has at least window - stride tokens before it where there are as
// many. This is the sliding-window definition of the transformers documentation ("Perplexity of fixed-length models").
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "base/context.h"
#include "base/error.h"
#include "model/model.h"

namespace minke {

struct PerplexityOptions {
  int64_t window = 512;
  int64_t stride = 256;
  TokenId bos = -1;  // put before every window, unscored; -1: none
  // Called between windows; false stops.
  std::function<bool(int64_t done, int64_t total)> progress;
};

struct Perplexity {
  std::vector<double> nll;  // of every scored token, in their order, in nats
  bool stopped = false;

  double mean_nll() const;
  // Of the mean, as if tokens were independent.
  double nll_error() const;
  double perplexity() const;
  double perplexity_error() const;  // to first order
};

Result<Perplexity> measure_perplexity(Model& model, std::span<const TokenId> tokens, const PerplexityOptions& options,
                                      const Context& context);

}  // namespace minke
