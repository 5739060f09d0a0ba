#include "engine/sampler.h"

#include <algorithm>
#include <cmath>

#include "base/check.h"
#include "base/rng.h"

namespace minke {
namespace {

Status in_range(const char* name, double value, double low, double high) {
  if (!(value >= low && value <= high)) return error("{} = {}: expected {} to {}", name, value, low, high);
  return {};
}

// ln sum exp, in double and in index order.
double log_sum_exp(std::span<const float> logits) {
  double max = *std::max_element(logits.begin(), logits.end());
  double sum = 0;
  for (float value : logits) sum += std::exp(static_cast<double>(value) - max);
  return max + std::log(sum);
}

}  // namespace

Status validate_sampling(const SamplingOptions& o, int64_t vocab_size) {
  TRY(in_range("temperature", o.temperature, 0.0, 100.0));
  TRY(in_range("top_k", static_cast<double>(o.top_k), 0.0, 1e9));
  TRY(in_range("top_p", o.top_p, 0.0, 1.0));
  TRY(in_range("min_p", o.min_p, 0.0, 1.0));
  TRY(in_range("repetition_penalty", o.repetition_penalty, 0.01, 100.0));
  TRY(in_range("presence_penalty", o.presence_penalty, -2.0, 2.0));
  TRY(in_range("frequency_penalty", o.frequency_penalty, -2.0, 2.0));
  TRY(in_range("n_logprobs", o.n_logprobs, -1, 1000));
  for (auto [token, bias] : o.logit_bias) {
    if (token < 0 || token >= vocab_size)
      return error("logit bias for token {}: the vocabulary is 0 to {}", token, vocab_size - 1);
    TRY(in_range("logit bias", bias, -100.0, 100.0));
  }
  return {};
}

void Sampler::saw_prompt(std::span<const TokenId> tokens) {
  for (TokenId token : tokens) {
    if (static_cast<size_t>(token) >= seen_.size()) seen_.resize(static_cast<size_t>(token) + 1);
    seen_[static_cast<size_t>(token)] = 1;
  }
}

// candidates_ = every valid token with its logit after bias and penalties.
void Sampler::penalise(std::span<const float> logits) {
  size_t n = std::min(logits.size(), static_cast<size_t>(n_valid_));
  candidates_.resize(n);
  for (size_t i = 0; i < n; i++) candidates_[i] = {static_cast<TokenId>(i), logits[i]};
  for (auto [token, bias] : options_.logit_bias) {
    if (static_cast<size_t>(token) < n) candidates_[static_cast<size_t>(token)].value += bias;
  }
  float repetition = static_cast<float>(options_.repetition_penalty);
  for (size_t i = 0; i < std::min(n, seen_.size()) && repetition != 1.0f; i++) {
    float& value = candidates_[i].value;
    if (seen_[i] != 0) value = value > 0 ? value / repetition : value * repetition;
  }
  for (size_t i = 0; i < std::min(n, n_answered_.size()); i++) {
    if (n_answered_[i] == 0) continue;
    candidates_[i].value -= static_cast<float>(options_.presence_penalty + options_.frequency_penalty * n_answered_[i]);
  }
}

double Sampler::uniform() { return static_cast<double>(mix_seed(options_.seed, n_drawn_++) >> 11) * 0x1p-53; }

// From penalised candidates_ to a token. Order of the filters: temperature, top-k, top-p, min-p.
TokenId Sampler::draw() {
  auto better = [](const Candidate& a, const Candidate& b) {
    return a.value != b.value ? a.value > b.value : a.token < b.token;
  };
  auto worse = [&](const Candidate& a, const Candidate& b) { return better(b, a); };
  if (options_.temperature == 0.0) return std::min_element(candidates_.begin(), candidates_.end(), better)->token;

  // A heap instead of a sort: the nucleus is a few tokens of a hundred thousand.
  std::make_heap(candidates_.begin(), candidates_.end(), worse);
  double best = candidates_[0].value;
  auto weight_of = [&](const Candidate& c) { return std::exp((static_cast<double>(c.value) - best) / options_.temperature); };
  size_t n_max = options_.top_k > 0 ? std::min(candidates_.size(), static_cast<size_t>(options_.top_k)) : candidates_.size();
  std::vector<Candidate> kept;
  std::vector<double> weights;
  auto take_best = [&] {
    std::pop_heap(candidates_.begin(), candidates_.end(), worse);
    kept.push_back(candidates_.back());
    weights.push_back(weight_of(kept.back()));
    candidates_.pop_back();
  };
  // top-p is a share of what top-k left.
  double sum = 0;
  if (n_max == candidates_.size()) {
    for (const Candidate& c : candidates_) sum += weight_of(c);
  } else {
    while (kept.size() < n_max) take_best();
    for (double weight : weights) sum += weight;
  }
  size_t n_kept = 0;
  double mass = 0;
  while (n_kept < n_max && (n_kept == 0 || options_.top_p >= 1.0 || mass < options_.top_p * sum)) {
    if (n_kept == kept.size()) take_best();
    if (n_kept > 0 && weights[n_kept] < options_.min_p * weights[0]) break;
    mass += weights[n_kept++];
  }
  double target = uniform() * mass;
  for (size_t i = 0; i < n_kept; i++) {
    target -= weights[i];
    if (target < 0) return kept[i].token;
  }
  return kept[n_kept - 1].token;
}

SampledToken Sampler::sample(std::span<const float> logits) {
  CHECK(!logits.empty() && n_valid_ > 0, "{} logits, {} valid", logits.size(), n_valid_);
  penalise(logits);
  SampledToken sampled;
  sampled.token = draw();
  if (options_.n_logprobs >= 0) {
    double normaliser = log_sum_exp(logits);
    auto logprob = [&](TokenId token) { return static_cast<float>(logits[static_cast<size_t>(token)] - normaliser); };
    sampled.logprob = logprob(sampled.token);
    std::vector<TokenId> order(logits.size());
    for (size_t i = 0; i < order.size(); i++) order[i] = static_cast<TokenId>(i);
    size_t n_top = std::min(order.size(), static_cast<size_t>(options_.n_logprobs));
    std::partial_sort(order.begin(), order.begin() + static_cast<std::ptrdiff_t>(n_top), order.end(),
                      [&](TokenId a, TokenId b) {
                        float x = logits[static_cast<size_t>(a)], y = logits[static_cast<size_t>(b)];
                        return x != y ? x > y : a < b;
                      });
    for (size_t i = 0; i < n_top; i++) sampled.top.push_back({order[i], logprob(order[i])});
  }
  size_t index = static_cast<size_t>(sampled.token);
  if (index >= seen_.size()) seen_.resize(index + 1);
  if (index >= n_answered_.size()) n_answered_.resize(index + 1);
  seen_[index] = 1;
  n_answered_[index]++;
  return sampled;
}

}  // namespace minke
