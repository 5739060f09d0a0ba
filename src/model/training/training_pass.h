// One micro-batch of training: forward pass, loss and backward pass through the model's own blocks. Gradients are added to
// where the weights' `gradient` pointers say; weights without one stay as they are (and cost no gradient of their own).
//   loss = sum over tokens of weight * cross entropy, or any loss of the tokens' log-probs (reinforcement learning)
//        + balance_alpha * mean over rows of the sum over MoE layers of the balance loss     (blocks/router.h)
//        + mtp_lambda * cross entropy of multi-token prediction                              (blocks/mtp.h)
// DeepSeek-V3 report, sections 2.1.2, 2.2 and 4.2. A batch may be given in several calls (micro-batches): the caller's weights
// and counts are those of the whole batch, so the sums are the same.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <vector>

#include "base/error.h"
#include "model/blocks/head.h"
#include "model/model.h"

namespace minke {

// Rows of tokens, one after the other. A row is cut into pieces (documents): each is a sequence of its own for attention and
// positions. Token i should be followed by targets[i]; its share in the loss is weights[i], 0 where nothing is learnt.
struct TrainingRows {
  std::vector<TokenId> tokens;   // [n_tokens]
  std::vector<TokenId> targets;  // [n_tokens]; any value where the weight is 0
  std::vector<float> weights;    // [n_tokens]
  std::vector<int64_t> piece_lengths;
  std::vector<int64_t> row_lengths;  // of whole pieces
};

struct LossOptions {
  double balance_alpha = 0;
  int64_t n_rows = 1;  // of the whole batch: the balance loss is a mean over them
  double mtp_lambda = 0;
  // What a token's weight is multiplied by as a target of multi-token prediction, which has fewer of them:
  // (sum of all weights) / (sum of the weights of these), over the whole batch: mean_mtp_factor().
  double mtp_weight_factor = 1;
  bool recompute = false;  // keep the inputs of layers only and run each again in the backward pass: less memory, more time
};

// The mtp_weight_factor of these rows as a whole batch: the loss of multi-token prediction is then a mean over its targets,
// those of every piece but the first.
double mean_mtp_factor(const TrainingRows& rows);

// Of these rows. total = cross_entropy + balance_alpha * balance + mtp_lambda * mtp.
struct LossParts {
  double cross_entropy = 0, balance = 0, mtp = 0, total = 0;  // cross_entropy: or the loss of an objective in its place

  LossParts& operator+=(const LossParts& other) {
    cross_entropy += other.cross_entropy;
    balance += other.balance;
    mtp += other.mtp;
    total += other.total;
    return *this;
  }
};

// A loss of log-probs, in place of cross entropy. Of the rows' tokens those count whose weight is not 0; what the weight is
// matters to multi-token prediction alone, which remains cross entropy.
struct LogprobObjective {
  double temperature = 1;  // that the tokens were sampled with
  // Fills d_logprobs [n], d loss / d log-prob of the tokens that count, in their order; returns the loss. An error ends the
  // pass before any gradient is added.
  std::function<Result<double>(std::span<float> d_logprobs, const TokenLogprobs& now)> loss;
};

// Distillation, in place of cross entropy: the sum over tokens of weight * KL(the model || its teacher) over the whole vocabulary.
// On what the model itself has sampled this is on-policy distillation (GKD, arXiv 2306.13649, section 3, with the reverse KL), with
// each token's exact gradient instead of that of one sampled token.
struct Teaching {
  const Model* teacher;
  std::span<const float> states;  // TrainingPass::states of the teacher and the same rows
  double temperature = 1;         // of both distributions
};

using ExpertTokens = std::vector<std::vector<int64_t>>;  // [layer][expert]: how many tokens it got; empty for dense layers

// Balancing without a loss (DeepSeek-V3 report, section 2.1.2), once after a step: the bias of an expert that got less than the
// mean of its layer grows by `speed`, that of one that got more shrinks.
void update_router_biases(ModelWeights& weights, const ExpertTokens& tokens, double speed);

class TrainingPass {
 public:
  // The model must outlive the pass; its weights must not be packed, kv_b_proj must be one matrix, and at most one module of
  // multi-token prediction is supported; errors say which of it is not so.
  static Result<TrainingPass> create(const Model& model);
  TrainingPass(TrainingPass&&) = default;

  // Adds to the gradients.
  Result<LossParts> run(const TrainingRows& rows, const LossOptions& options, const Context& context);
  Result<LossParts> run(const TrainingRows& rows, const LogprobObjective& objective, const LossOptions& options,
                        const Context& context);
  Result<LossParts> run(const TrainingRows& rows, const Teaching& teaching, const LossOptions& options, const Context& context);
  // Only the loss, without its balance part.
  Result<LossParts> evaluate(const TrainingRows& rows, const LossOptions& options, const Context& context);
  // Of the targets whose weight is not 0, in their order: of a reference model, or before the first step on some rollouts.
  Result<TokenLogprobs> logprobs(const TrainingRows& rows, double temperature, const Context& context);

  // The last normalised hidden states [n, hidden_size] of the tokens whose weight is not 0, in their order: what a student needs.
  Result<std::vector<float>> states(const TrainingRows& rows, const Context& context);

  // Of all layers, that of multi-token prediction last, since the last reset.
  const ExpertTokens& expert_tokens() const { return expert_tokens_; }
  void reset_expert_tokens();

 private:
  explicit TrainingPass(const Model& model);
  Status check(const TrainingRows& rows) const;
  // What the hidden states become: a loss; d_normed null, or += the gradient.
  using Head = std::function<Result<double>(float* d_normed, const float* normed, const Step& step)>;
  Result<LossParts> run(const TrainingRows& rows, const Head& head, const LossOptions& options, const Context& context,
                        bool wants_gradients);
  Head cross_entropy_head(const TrainingRows& rows) const;
  void run_layers(float* hidden, Step& step, const LossOptions& options, bool wants_gradients);
  void run_layers_backward(float* d_hidden, Step& step, const LossOptions& options, LossParts& parts);
  Result<double> run_mtp(float* d_normed, const float* normed, const TrainingRows& rows, const LossOptions& options,
                         const Context& context, bool wants_gradients, LossParts& parts);
  void layer_backward(float* d_hidden, int64_t layer, Step& step, bool recompute, LossParts& parts);
  const LayerWeights& layer_weights(int64_t layer) const;
  Result<Batch> make_batch(const TrainingRows& rows);

  const Model* model_;
  std::unique_ptr<Arena> arena_, mtp_arena_, saved_memory_, layer_memory_;  // the last: of a layer that is run again
  std::vector<SavedLayer> saved_;                                           // [n_layers + n_mtp_layers]
  std::unique_ptr<KvCache> cache_;
  std::vector<SequenceCache> sequences_;
  ExpertTokens expert_tokens_;
};

}  // namespace minke
