// From logits to a token: penalties and bias, then temperature, top-k, top-p and min-p, then a draw. The same seed and the
// same logits give the same token on every machine.
#pragma once

#include <cstdint>
#include <span>
#include <utility>
#include <vector>

#include "base/error.h"
#include "model/batch.h"

namespace minke {

struct SamplingOptions {
  double temperature = 0.6;  // 0: greedy
  int64_t top_k = 0;         // 0: off
  double top_p = 0.95;       // 1: off
  double min_p = 0.0;        // 0: off. Keeps tokens with at least min_p times the best token's probability
  double repetition_penalty =
      1.0;                        // CTRL paper: positive logits of tokens seen in prompt or answer divided, negative multiplied
  double presence_penalty = 0.0;  // OpenAI: subtracted once from tokens of the answer so far
  double frequency_penalty = 0.0;  // OpenAI: subtracted once per occurrence
  uint64_t seed = 0;
  std::vector<std::pair<TokenId, float>> logit_bias = {};
  int n_logprobs = -1;  // -1: none; 0: of the chosen token; n: also of the n most likely
};

// Ranges of every option; the message names the option and its value.
Status validate_sampling(const SamplingOptions& options, int64_t vocab_size);

struct TokenLogprob {
  TokenId token = 0;
  float logprob = 0;
};

struct SampledToken {
  TokenId token = 0;
  float logprob = 0;              // of the model's own distribution, before penalties and temperature
  std::vector<TokenLogprob> top;  // the n_logprobs most likely
};

// What a draw works in: as large as the vocabulary, and worth nothing afterwards. Kept between draws, so that a token allocates
// nothing, and shared by sequences that draw one after the other.
class SamplerScratch {
 public:
  explicit SamplerScratch(int64_t n_valid_tokens);

 private:
  friend class Sampler;
  struct Candidate {
    TokenId token;
    float value;
  };
  std::vector<Candidate> candidates_;
  std::vector<double> weights_;  // of the best candidates
  std::vector<TokenId> order_;
};

class Sampler {
 public:
  // valid_tokens: ids from n_valid_tokens on are padding rows of the embedding and are never drawn.
  Sampler(SamplingOptions options, int64_t n_valid_tokens);

  // Counts for the penalties.
  void saw_prompt(std::span<const TokenId> tokens);
  // logits [vocab_size] are not changed. allowed: bit t % 64 of word t / 64 says whether token t may be drawn, one bit at least
  // is set; empty: all may. The token is there until the next call.
  const SampledToken& sample(std::span<const float> logits, SamplerScratch& scratch, std::span<const uint64_t> allowed = {});
  // `token` was not drawn but forced: counted, and given its log-prob, as if it had been.
  const SampledToken& force(TokenId token, std::span<const float> logits, SamplerScratch& scratch);
  // The last token that was drawn or forced.
  const SampledToken& last() const { return sampled_; }

 private:
  using Candidate = SamplerScratch::Candidate;
  void penalise(std::span<const float> logits, std::span<const uint64_t> allowed, SamplerScratch& scratch) const;
  TokenId draw(SamplerScratch& scratch);
  bool is_unfiltered() const;
  TokenId draw_from_all(SamplerScratch& scratch);
  const SampledToken& take(TokenId token, std::span<const float> logits, SamplerScratch& scratch);
  double uniform();

  SamplingOptions options_;
  int64_t n_valid_;
  uint64_t n_drawn_ = 0;
  std::vector<uint8_t> seen_;        // [n_valid], prompt or answer; empty where nothing asks for it
  std::vector<int32_t> n_answered_;  // [n_valid], answer only; empty where nothing asks for it
  SampledToken sampled_;
};

}  // namespace minke
