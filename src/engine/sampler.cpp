#include "engine/sampler.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
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

// The first of the largest. In blocks with a maximum for each lane, which compilers turn into vectors; one value after the other
// takes eight times as long.
TokenId first_largest(std::span<const float> values) {
  constexpr size_t kLanes = 16, kBlock = 1024;
  size_t begin_of_best = 0;
  float best = -std::numeric_limits<float>::infinity();
  for (size_t begin = 0; begin < values.size(); begin += kBlock) {
    const std::span<const float> block = values.subspan(begin, std::min(kBlock, values.size() - begin));
    std::array<float, kLanes> lanes;
    lanes.fill(-std::numeric_limits<float>::infinity());
    size_t i = 0;
    for (; i + kLanes <= block.size(); i += kLanes) {
      for (size_t lane = 0; lane < kLanes; lane++) lanes[lane] = block[i + lane] > lanes[lane] ? block[i + lane] : lanes[lane];
    }
    float largest = *std::max_element(lanes.begin(), lanes.end());
    for (; i < block.size(); i++) largest = std::max(largest, block[i]);
    if (largest > best) {
      best = largest;
      begin_of_best = begin;
    }
  }
  const auto found = std::find(values.begin() + static_cast<std::ptrdiff_t>(begin_of_best), values.end(), best);
  return static_cast<TokenId>(found == values.end() ? 0 : found - values.begin());
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

SamplerScratch::SamplerScratch(int64_t n_valid_tokens) {
  candidates_.reserve(static_cast<size_t>(n_valid_tokens));
  weights_.reserve(static_cast<size_t>(n_valid_tokens));
}

Sampler::Sampler(SamplingOptions options, int64_t n_valid_tokens) : options_(std::move(options)), n_valid_(n_valid_tokens) {
  CHECK(n_valid_ > 0, "{} valid tokens", n_valid_);
  if (options_.repetition_penalty != 1.0) seen_.resize(static_cast<size_t>(n_valid_));
  if (options_.presence_penalty != 0 || options_.frequency_penalty != 0) n_answered_.resize(static_cast<size_t>(n_valid_));
}

void Sampler::saw_prompt(std::span<const TokenId> tokens) {
  for (TokenId token : tokens) {
    if (static_cast<size_t>(token) < seen_.size()) seen_[static_cast<size_t>(token)] = 1;
  }
}

// Candidates are every valid and allowed token with its logit after bias and penalties.
void Sampler::penalise(std::span<const float> logits, std::span<const uint64_t> allowed, SamplerScratch& scratch) const {
  std::vector<Candidate>& candidates = scratch.candidates_;
  const size_t n = std::min(logits.size(), static_cast<size_t>(n_valid_));
  candidates.resize(n);
  for (size_t i = 0; i < n; i++) candidates[i] = {static_cast<TokenId>(i), logits[i]};
  for (auto [token, bias] : options_.logit_bias) {
    if (static_cast<size_t>(token) < n) candidates[static_cast<size_t>(token)].value += bias;
  }
  const float repetition = static_cast<float>(options_.repetition_penalty);
  for (size_t i = 0; i < std::min(n, seen_.size()); i++) {
    float& value = candidates[i].value;
    if (seen_[i] != 0) value = value > 0 ? value / repetition : value * repetition;
  }
  for (size_t i = 0; i < std::min(n, n_answered_.size()); i++) {
    if (n_answered_[i] == 0) continue;
    candidates[i].value -= static_cast<float>(options_.presence_penalty + options_.frequency_penalty * n_answered_[i]);
  }
  if (allowed.empty()) return;
  std::erase_if(candidates, [&](const Candidate& c) {
    const auto token = static_cast<size_t>(c.token);
    return token / 64 >= allowed.size() || (allowed[token / 64] >> (token % 64) & 1) == 0;
  });
  CHECK(!candidates.empty(), "no token of {} is allowed", n);
}

double Sampler::uniform() { return static_cast<double>(mix_seed(options_.seed, n_drawn_++) >> 11) * 0x1p-53; }

bool Sampler::is_unfiltered() const { return options_.top_k == 0 && options_.top_p >= 1.0 && options_.min_p == 0.0; }

// Without filters no order is needed.
TokenId Sampler::draw_from_all(SamplerScratch& scratch) {
  const std::vector<Candidate>& candidates = scratch.candidates_;
  std::vector<double>& weights = scratch.weights_;
  double best = candidates[0].value, sum = 0;
  for (const Candidate& c : candidates) best = std::max(best, static_cast<double>(c.value));
  weights.clear();
  for (const Candidate& c : candidates) {
    weights.push_back(std::exp((static_cast<double>(c.value) - best) / options_.temperature));
    sum += weights.back();
  }
  double target = uniform() * sum;
  size_t last = 0;
  for (size_t i = 0; i < weights.size(); i++) {
    if (weights[i] == 0) continue;
    last = i;
    target -= weights[i];
    if (target < 0) break;
  }
  return candidates[last].token;
}

// From penalised candidates to a token. Order of the filters: temperature, top-k, top-p, min-p.
TokenId Sampler::draw(SamplerScratch& scratch) {
  std::vector<Candidate>& candidates = scratch.candidates_;
  std::vector<double>& weights = scratch.weights_;
  auto better = [](const Candidate& a, const Candidate& b) {
    return a.value != b.value ? a.value > b.value : a.token < b.token;
  };
  auto worse = [&](const Candidate& a, const Candidate& b) { return better(b, a); };
  if (options_.temperature == 0.0) return std::min_element(candidates.begin(), candidates.end(), better)->token;
  if (is_unfiltered()) return draw_from_all(scratch);

  // A heap instead of a sort: the nucleus is a few tokens of a hundred thousand.
  std::make_heap(candidates.begin(), candidates.end(), worse);
  double best = candidates[0].value;
  auto weight_of = [&](const Candidate& c) { return std::exp((static_cast<double>(c.value) - best) / options_.temperature); };
  const size_t n = candidates.size();
  size_t n_max = options_.top_k > 0 ? std::min(n, static_cast<size_t>(options_.top_k)) : n;
  // The heap shrinks from its end, where the best ones gather.
  weights.clear();
  auto taken = [&](size_t i) -> const Candidate& { return candidates[n - 1 - i]; };
  auto take_best = [&] {
    std::pop_heap(candidates.begin(), candidates.end() - static_cast<std::ptrdiff_t>(weights.size()), worse);
    weights.push_back(weight_of(taken(weights.size())));
  };
  // top-p is a share of what top-k left.
  double sum = 0;
  if (n_max == n) {
    for (const Candidate& c : candidates) sum += weight_of(c);
  } else {
    while (weights.size() < n_max) take_best();
    for (double weight : weights) sum += weight;
  }
  size_t n_kept = 0;
  double mass = 0;
  while (n_kept < n_max && (n_kept == 0 || options_.top_p >= 1.0 || mass < options_.top_p * sum)) {
    if (n_kept == weights.size()) take_best();
    if (n_kept > 0 && weights[n_kept] < options_.min_p * weights[0]) break;
    mass += weights[n_kept++];
  }
  double target = uniform() * mass;
  for (size_t i = 0; i < n_kept; i++) {
    target -= weights[i];
    if (target < 0) return taken(i).token;
  }
  return taken(n_kept - 1).token;
}

const SampledToken& Sampler::sample(std::span<const float> logits, SamplerScratch& scratch, std::span<const uint64_t> allowed) {
  CHECK(!logits.empty(), "{} logits", logits.size());
  const bool is_changed = !options_.logit_bias.empty() || !seen_.empty() || !n_answered_.empty();
  if (options_.temperature == 0.0 && !is_changed && allowed.empty()) {
    return take(first_largest(logits.first(std::min(logits.size(), static_cast<size_t>(n_valid_)))), logits, scratch);
  }
  penalise(logits, allowed, scratch);
  return take(draw(scratch), logits, scratch);
}

const SampledToken& Sampler::force(TokenId token, std::span<const float> logits, SamplerScratch& scratch) {
  CHECK(token >= 0 && token < n_valid_, "token {} of {}", token, n_valid_);
  n_drawn_++;  // what follows draws as if this one had been drawn
  return take(token, logits, scratch);
}

const SampledToken& Sampler::take(TokenId token, std::span<const float> logits, SamplerScratch& scratch) {
  sampled_.token = token;
  sampled_.top.clear();
  if (options_.n_logprobs >= 0) {
    const double normaliser = log_sum_exp(logits);
    const auto logprob = [&](TokenId of) { return static_cast<float>(logits[static_cast<size_t>(of)] - normaliser); };
    sampled_.logprob = logprob(token);
    std::vector<TokenId>& order = scratch.order_;
    order.resize(logits.size());
    std::iota(order.begin(), order.end(), TokenId{0});
    const size_t n_top = std::min(order.size(), static_cast<size_t>(options_.n_logprobs));
    std::partial_sort(order.begin(), order.begin() + static_cast<std::ptrdiff_t>(n_top), order.end(),
                      [&](TokenId a, TokenId b) {
                        const float x = logits[static_cast<size_t>(a)], y = logits[static_cast<size_t>(b)];
                        return x != y ? x > y : a < b;
                      });
    for (size_t i = 0; i < n_top; i++) sampled_.top.push_back({order[i], logprob(order[i])});
  }
  const auto index = static_cast<size_t>(token);
  if (index < seen_.size()) seen_[index] = 1;
  if (index < n_answered_.size()) n_answered_[index]++;
  return sampled_;
}

}  // namespace minke
