#include "engine/perplexity.h"

#include <algorithm>
#include <cmath>

namespace minke {
namespace {

// Tokens of a forward call: bounds the logits that are held at once, and changes no result.
constexpr int64_t kCallTokens = 128;

double nll_of(const float* logits, int64_t vocab_size, TokenId token) {
  const float max = *std::max_element(logits, logits + vocab_size);
  double sum = 0;
  for (int64_t v = 0; v < vocab_size; v++) sum += std::exp(static_cast<double>(logits[v]) - max);
  return std::log(sum) - (static_cast<double>(logits[token]) - max);
}

// Runs a window through an empty cache; appends the nll of its tokens from index `first_scored` on (at least 1).
Status run_window(std::vector<double>& nll, Model& model, const std::vector<TokenId>& window, int64_t first_scored,
                  KvCache& cache, const Context& context) {
  SequenceCache sequence;
  std::vector<float> logits;
  const int64_t n = static_cast<int64_t>(window.size()), vocab_size = model.config().vocab_size;
  for (int64_t begin = 0; begin < n; begin += kCallTokens) {
    const int64_t end = std::min(n, begin + kCallTokens);
    Batch batch;
    batch.tokens.assign(window.begin() + begin, window.begin() + end);
    batch.sequences.push_back({&sequence, end - begin, MlaForm::kNaive});
    // The logits at a position predict the token after it.
    for (int64_t t = std::max(begin, first_scored - 1); t < std::min(end, n - 1); t++) batch.logit_rows.push_back(t - begin);
    TRY(model.forward(logits, batch, cache, context));
    for (size_t i = 0; i < batch.logit_rows.size(); i++) {
      const TokenId next = window[static_cast<size_t>(begin + batch.logit_rows[i] + 1)];
      nll.push_back(nll_of(logits.data() + static_cast<int64_t>(i) * vocab_size, vocab_size, next));
    }
  }
  cache.truncate(sequence, 0);
  return {};
}

}  // namespace

double Perplexity::mean_nll() const {
  double sum = 0;
  for (double value : nll) sum += value;
  return sum / static_cast<double>(nll.size());
}

double Perplexity::nll_error() const {
  const double n = static_cast<double>(nll.size()), mean = mean_nll();
  if (nll.size() < 2) return 0;
  double sum = 0;
  for (double value : nll) sum += (value - mean) * (value - mean);
  return std::sqrt(sum / (n - 1) / n);
}

double Perplexity::perplexity() const { return std::exp(mean_nll()); }
double Perplexity::perplexity_error() const { return perplexity() * nll_error(); }

Result<Perplexity> measure_perplexity(Model& model, std::span<const TokenId> tokens, const PerplexityOptions& options,
                                      const Context& context) {
  const int64_t n = static_cast<int64_t>(tokens.size()), n_bos = options.bos >= 0 ? 1 : 0;
  const int64_t room = options.window - n_bos;  // tokens of the text in a window
  if (options.window > model.config().max_seq_len) {
    return error("a window of {} tokens is longer than the model's context of {}", options.window, model.config().max_seq_len);
  }
  if (options.stride < 1 || options.stride > room || room < 2) {
    return error("windows of {} tokens cannot advance by {}; expected 1 to {}", options.window, options.stride, room);
  }
  if (n + n_bos < 2) return error("the text has {} tokens; nothing to predict", n);
  KvCache cache(model.config(), (options.window + kPageSize - 1) / kPageSize * kPageSize);
  Perplexity result;
  int64_t done = 1 - n_bos;  // tokens scored, or not to be scored
  for (int64_t begin = 0; done < n; begin += options.stride) {
    const int64_t end = std::min(n, begin + room);
    std::vector<TokenId> window(static_cast<size_t>(n_bos + end - begin), options.bos);
    std::copy(tokens.begin() + begin, tokens.begin() + end, window.begin() + n_bos);
    TRY(run_window(result.nll, model, window, done - begin + n_bos, cache, context));
    done = end;
    if (options.progress && !options.progress(done, n)) {
      result.stopped = true;
      return result;
    }
  }
  return result;
}

}  // namespace minke
