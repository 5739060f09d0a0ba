// Questions about a model's shape alone.
#include <array>

#include "plan/query/query.h"
#include "plan/shape/compute.h"
#include "plan/shape/parameters.h"

namespace minke::plan {
namespace {

Result<QueryOutputs> parameters(QueryInputs& in, const QueryContext& context) {
  std::string name = in.text("model");
  TRY(in.done());
  ModelRow model = TRY(context.tables.model(name));
  ModelParameters p = model_parameters(model.config);
  return QueryOutputs{{"total", static_cast<double>(p.total())},
                      {"active", static_cast<double>(p.active)},
                      {"active_matmul", static_cast<double>(p.active_matmul)},
                      {"mtp", static_cast<double>(p.mtp)}};
}

Result<QueryOutputs> flops(QueryInputs& in, const QueryContext& context) {
  std::string name = in.text("model");
  int64_t seq_len = in.integer("seq_len");
  TRY(in.done());
  ModelRow model = TRY(context.tables.model(name));
  return QueryOutputs{{"causal", training_flops(model.config, seq_len, AttentionCount::kCausal).value()},
                      {"full", training_flops(model.config, seq_len, AttentionCount::kFull).value()}};
}

Result<QueryOutputs> kv(QueryInputs& in, const QueryContext& context) {
  std::string name = in.text("model");
  double bytes = in.number("bytes_per_value");
  TRY(in.done());
  ModelRow model = TRY(context.tables.model(name));
  return QueryOutputs{{"bytes_per_token", kv_bytes_per_token(model.config, bytes).value()}};
}

constexpr std::array<Query, 3> kShapeQueries = {
    {{"model.parameters", "parameters of a model, all and those that a token uses", parameters},
     {"model.flops", "operations of training for a token", flops},
     {"model.kv", "keys and values of a token", kv}}};

}  // namespace

std::span<const Query> shape_queries() { return kShapeQueries; }

}  // namespace minke::plan
