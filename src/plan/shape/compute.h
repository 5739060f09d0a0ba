// Operations and bytes that a model's shape asks for: FLOPs per token of training, prefill and decode; keys and values per
// token. Two operations for each multiply-add; formulas and their derivation are in docs/plan.md.
#pragma once

#include "model/config.h"
#include "plan/units.h"

namespace minke::plan {

// How many keys a query is counted with: every one of the sequence, or those that causality lets it see (half on average).
enum class AttentionCount { kFull, kCausal };
// MLA: keys and values expanded for every head, or queries moved into the latent space.
enum class MlaForm { kNaive, kAbsorbed };

// Products with weights, forward, for one token; the embedding is a look-up. with_head: the output head too.
FlopsPerToken linear_flops(const ModelConfig& config, bool with_head = true);
// Scores and mixing, forward, of one query token that sees n_keys.
FlopsPerToken attention_flops(const ModelConfig& config, double n_keys, MlaForm form = MlaForm::kNaive);
// Forward and backward of a sequence of seq_len tokens, for one of them: backward costs twice forward. Operations that are done
// again to save memory are not among them. with_mtp: the modules of multi-token prediction too.
FlopsPerToken training_flops(const ModelConfig& config, int64_t seq_len, AttentionCount count, bool with_mtp = false);

// Keys and values (MLA: latent and rope key) of one token in all layers. bytes_per_value: 2 for BF16, 1 for FP8.
BytesPerToken kv_bytes_per_token(const ModelConfig& config, double bytes_per_value);

// Experts of a layer that n_tokens tokens touch when each draws its own evenly: E (1 - (1 - k/E)^n).
double touched_experts(const ModelConfig& config, double n_tokens);
// Groups (nodes, devices) that k even draws reach out of n, at most `limit` of them: n (1 - (1 - 1/n)^k).
double reached_groups(double n_groups, double n_draws, double limit);

}  // namespace minke::plan
