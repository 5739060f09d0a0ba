#include "engine/sampler.h"

#include <algorithm>
#include <cmath>
#include <numeric>

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

Sampler::Sampler(SamplingOptions options, int64_t n_valid_tokens) : options_(std::move(options)), n_valid_(n_valid_tokens) {
  CHECK(n_valid_ > 0, "{} valid tokens", n_valid_);
  const size_t n = static_cast<size_t>(n_valid_);
  seen_.resize(n);
  n_answered_.resize(n);
  candidates_.reserve(n);
  weights_.reserve(n);
}

void Sampler::saw_prompt(std::span<const TokenId> tokens) {
  for (TokenId token : tokens) {
    if (token < n_valid_) seen_[static_cast<size_t>(token)] = 1;
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
  for (size_t i = 0; i < n && repetition != 1.0f; i++) {
    float& value = candidates_[i].value;
    if (seen_[i] != 0) value = value > 0 ? value / repetition : value * repetition;
  }
  for (size_t i = 0; i < n; i++) {
    if (n_answered_[i] == 0) continue;
    candidates_[i].value -= static_cast<float>(options_.presence_penalty + options_.frequency_penalty * n_answered_[i]);
  }
}

double Sampler::uniform() { return static_cast<double>(mix_seed(options_.seed, n_drawn_++) >> 11) * 0x1p-53; }

bool Sampler::is_unfiltered() const { return options_.top_k == 0 && options_.top_p >= 1.0 && options_.min_p == 0.0; }

// Without filters no order is needed.
TokenId Sampler::draw_from_all() {
  double best = candidates_[0].value, sum = 0;
  for (const Candidate& c : candidates_) best = std::max(best, static_cast<double>(c.value));
  weights_.clear();
  for (const Candidate& c : candidates_) {
    weights_.push_back(std::exp((static_cast<double>(c.value) - best) / options_.temperature));
    sum += weights_.back();
  }
  double target = uniform() * sum;
  size_t last = 0;
  for (size_t i = 0; i < weights_.size(); i++) {
    if (weights_[i] == 0) continue;
    last = i;
    target -= weights_[i];
    if (target < 0) break;
  }
  return candidates_[last].token;
}

// From penalised candidates_ to a token. Order of the filters: temperature, top-k, top-p, min-p.
TokenId Sampler::draw() {
  auto better = [](const Candidate& a, const Candidate& b) {
    return a.value != b.value ? a.value > b.value : a.token < b.token;
  };
  auto worse = [&](const Candidate& a, const Candidate& b) { return better(b, a); };
  if (options_.temperature == 0.0) return std::min_element(candidates_.begin(), candidates_.end(), better)->token;
  if (is_unfiltered()) return draw_from_all();

  // A heap instead of a sort: the nucleus is a few tokens of a hundred thousand.
  std::make_heap(candidates_.begin(), candidates_.end(), worse);
  double best = candidates_[0].value;
  auto weight_of = [&](const Candidate& c) { return std::exp((static_cast<double>(c.value) - best) / options_.temperature); };
  const size_t n = candidates_.size();
  size_t n_max = options_.top_k > 0 ? std::min(n, static_cast<size_t>(options_.top_k)) : n;
  // The heap shrinks from its end, where the best ones gather.
  weights_.clear();
  auto taken = [&](size_t i) -> const Candidate& { return candidates_[n - 1 - i]; };
  auto take_best = [&] {
    std::pop_heap(candidates_.begin(), candidates_.end() - static_cast<std::ptrdiff_t>(weights_.size()), worse);
    weights_.push_back(weight_of(taken(weights_.size())));
  };
  // top-p is a share of what top-k left.
  double sum = 0;
  if (n_max == n) {
    for (const Candidate& c : candidates_) sum += weight_of(c);
  } else {
    while (weights_.size() < n_max) take_best();
    for (double weight : weights_) sum += weight;
  }
  size_t n_kept = 0;
  double mass = 0;
  while (n_kept < n_max && (n_kept == 0 || options_.top_p >= 1.0 || mass < options_.top_p * sum)) {
    if (n_kept == weights_.size()) take_best();
    if (n_kept > 0 && weights_[n_kept] < options_.min_p * weights_[0]) break;
    mass += weights_[n_kept++];
  }
  double target = uniform() * mass;
  for (size_t i = 0; i < n_kept; i++) {
    target -= weights_[i];
    if (target < 0) return taken(i).token;
  }
  return taken(n_kept - 1).token;
}

const SampledToken& Sampler::sample(std::span<const float> logits) {
  CHECK(!logits.empty(), "{} logits", logits.size());
  penalise(logits);
  sampled_.token = draw();
  sampled_.top.clear();
  if (options_.n_logprobs >= 0) {
    double normaliser = log_sum_exp(logits);
    auto logprob = [&](TokenId token) { return static_cast<float>(logits[static_cast<size_t>(token)] - normaliser); };
    sampled_.logprob = logprob(sampled_.token);
    order_.resize(logits.size());
    std::iota(order_.begin(), order_.end(), TokenId{0});
    size_t n_top = std::min(order_.size(), static_cast<size_t>(options_.n_logprobs));
    std::partial_sort(order_.begin(), order_.begin() + static_cast<std::ptrdiff_t>(n_top), order_.end(),
                      [&](TokenId a, TokenId b) {
                        float x = logits[static_cast<size_t>(a)], y = logits[static_cast<size_t>(b)];
                        return x != y ? x > y : a < b;
                      });
    for (size_t i = 0; i < n_top; i++) sampled_.top.push_back({order_[i], logprob(order_[i])});
  }
  size_t index = static_cast<size_t>(sampled_.token);
  seen_[index] = 1;
  n_answered_[index]++;
  return sampled_;
}

}  // namespace minke
