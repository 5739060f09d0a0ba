// What the tests of train share: configurations of the goldens, a store filled from a seed, and gradients from a formula.
#pragma once

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <string>

#include "base/rng.h"
#include "model/model.h"
#include "support/support.h"
#include "train/parameters.h"

namespace minke::testing {

inline std::string golden_model(const std::string& name) { return repository_path("tests/goldens/models/" + name); }
inline ModelConfig golden_config(const std::string& name) {
  return value_of(read_hf_config(golden_model(name) + "/config.json"));
}

// A model and the store that its weights point into.
struct Tiny {
  std::unique_ptr<Model> model;
  std::unique_ptr<ParameterStore> store;

  explicit Tiny(const ModelConfig& config, const ParameterOptions& options = {}) : model(Model::create(config)) {
    store = value_of(ParameterStore::create(config, model->mutable_weights(), options));
  }
};

// Gradients of a step, in (-1, 1); different for every element.
inline void fill_grads(ParameterStore& store, uint64_t step) {
  uint64_t at = 0;
  for (Parameter& p : store.parameters()) {
    for (int64_t i = 0; i < p.n; i++) {
      p.grad[i] = static_cast<float>(static_cast<int64_t>(mix_seed(step, at++) >> 40) - (1 << 23)) * 0x1p-23f;
    }
  }
}

inline size_t value_bytes(const Parameter& p) { return p.value_view().n_bytes(); }

inline bool same_values(const ParameterStore& a, const ParameterStore& b) {
  if (a.parameters().size() != b.parameters().size()) return false;
  for (size_t i = 0; i < a.parameters().size(); i++) {
    const Parameter &p = a.parameters()[i], &q = b.parameters()[i];
    if (p.name != q.name || p.n != q.n || std::memcmp(p.value, q.value, value_bytes(p)) != 0) return false;
    if ((p.master == nullptr) != (q.master == nullptr)) return false;
    if (p.master != nullptr && std::memcmp(p.master, q.master, 4 * static_cast<size_t>(p.n)) != 0) return false;
  }
  for (size_t i = 0; i < a.buffers().size(); i++) {
    if (*a.buffers()[i].values != *b.buffers()[i].values) return false;
  }
  return true;
}

}  // namespace minke::testing
