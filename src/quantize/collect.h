// Collects importances: squares of the inputs of every matrix while text runs through a model.
#pragma once

#include <cstddef>
#include <map>
#include <memory>

#include "base/context.h"
#include "base/error.h"
#include "model/batch.h"
#include "model/model.h"
#include "quantize/importance.h"

namespace minke {

// Not the embedding (nothing is multiplied with it), nor the head, nor the up-projection of MLA's latent, whose two halves
// each form of attention reads in its own direction; every mix keeps both in types with precision to spare. Nor layers of
// multi-token prediction.
class ImportanceCollector {
 public:
  // The model must have been loaded without packing: weights are known by where they lie in its files.
  static Result<ImportanceCollector> create(const Model& model, const Context& context);

  // For Model::forward. It refers to the collector, which must stay where it is.
  ActivationSink sink();
  const Importance& importance() const { return importance_; }
  Importance& importance() { return importance_; }

 private:
  struct Place {
    ColumnSums* sums = nullptr;
    int64_t matrix = 0;
  };
  explicit ImportanceCollector(const Context& context) : context_(context) {}
  void add(const Weight& w, ConstRows x, int64_t n_tokens, const int32_t* token_rows);

  Context context_;
  Importance importance_;  // nodes of a map stay where they are when it moves
  std::map<const std::byte*, Place> places_;
};

}  // namespace minke
