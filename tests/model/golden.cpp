#include "golden.h"

#include <algorithm>
#include <cmath>
#include <filesystem>

namespace minke::testing {

namespace fs = std::filesystem;

std::vector<GoldenCase> golden_cases() {
  std::vector<GoldenCase> cases;
  for (const fs::directory_entry& entry : fs::directory_iterator(repository_path("tests/goldens/models"))) {
    std::string name = entry.path().filename();
    std::string golden = (entry.path() / "golden.safetensors").string();
    if (fs::exists(entry.path() / "config.json")) cases.push_back({name, entry.path().string(), golden});
    if (!fs::exists(entry.path() / "gguf")) continue;
    for (const fs::directory_entry& file : fs::directory_iterator(entry.path() / "gguf")) {
      if (file.path().extension() != ".gguf") continue;
      // A converter that cannot say everything has a golden of its own.
      fs::path own = file.path();
      own.replace_extension(".golden.safetensors");
      cases.push_back(
          {name + "/gguf/" + file.path().stem().string(), file.path().string(), fs::exists(own) ? own.string() : golden});
    }
  }
  std::sort(cases.begin(), cases.end(), [](const GoldenCase& a, const GoldenCase& b) { return a.name < b.name; });
  return cases;
}

const TensorView& Golden::tensor(const std::string& name) const {
  const TensorView* view = file.tensors.find(name);
  if (view == nullptr) throw std::runtime_error("golden has no tensor " + name);
  return *view;
}

Golden read_golden(const std::string& path) {
  Golden golden{value_of(open_safetensors(path)), {}};
  for (int i = 0;; i++) {
    const TensorView* tokens = golden.file.tensors.find("tokens." + std::to_string(i));
    if (tokens == nullptr) break;
    GoldenSequence sequence;
    sequence.tokens.resize(static_cast<size_t>(tokens->n_elements()));
    std::memcpy(sequence.tokens.data(), tokens->data, tokens->n_bytes());
    sequence.logits = &golden.tensor("logits." + std::to_string(i));
    golden.sequences.push_back(std::move(sequence));
  }
  return golden;
}

Difference compare_rows(const float* actual, const TensorView& expected) {
  Difference difference;
  int64_t n_cols = expected.n_cols();
  std::vector<float> row(static_cast<size_t>(n_cols));
  for (int64_t r = 0; r < expected.n_rows(); r++) {
    std::memcpy(row.data(), expected.data + static_cast<size_t>(r * n_cols) * sizeof(float), row.size() * sizeof(float));
    double norm = 0, error = 0;
    for (int64_t c = 0; c < n_cols; c++) {
      double e = row[static_cast<size_t>(c)], d = actual[r * n_cols + c] - e;
      norm += e * e;
      error += d * d;
    }
    double relative = std::sqrt(error) / std::max(std::sqrt(norm), 1e-30);
    if (!(relative <= difference.worst)) difference = {relative, r};  // also for NaN
  }
  return difference;
}

}  // namespace minke::testing
