#include "train/row_file.h"

#include <fstream>
#include <nlohmann/json.hpp>
#include <numeric>

#include "base/json.h"

namespace minke {
namespace {

// The mask of n targets, 1 where there is none.
Result<std::vector<float>> read_mask(const Json& row, size_t n) {
  std::vector<float> mask(n, 1.0f);
  auto found = row.find("mask");
  if (found == row.end()) return mask;
  if (!found->is_array() || found->size() != n) return error("\"mask\": expected an array of {} numbers, one a target", n);
  for (size_t i = 0; i < n; i++) {
    const Json& value = (*found)[i];
    if (!value.is_number_integer() || (value != 0 && value != 1))
      return error("\"mask\"[{}] is {}, expected 0 or 1", i, value.dump());
    mask[i] = value.get<float>();
  }
  return mask;
}

Status add_row(TrainingRows& rows, const Json& row, int64_t vocab_size) {
  if (!row.is_object()) return error("expected an object with \"tokens\"");
  for (const auto& [key, value] : row.items()) {
    if (key != "tokens" && key != "mask") return error("unknown key \"{}\"; known: tokens, mask", key);
  }
  auto tokens = row.find("tokens");
  if (tokens == row.end() || !tokens->is_array() || tokens->size() < 2) {
    return error("\"tokens\": expected an array of at least two token ids");
  }
  std::vector<TokenId> ids;
  for (const Json& token : *tokens) {
    if (!token.is_number_integer() || token < 0 || token >= vocab_size) {
      return error("\"tokens\"[{}] is {}, expected a token id of 0 to {}", ids.size(), token.dump(), vocab_size - 1);
    }
    ids.push_back(token.get<TokenId>());
  }
  const size_t n = ids.size() - 1;
  const std::vector<float> mask = TRY(read_mask(row, n));
  rows.tokens.insert(rows.tokens.end(), ids.begin(), ids.end() - 1);
  rows.targets.insert(rows.targets.end(), ids.begin() + 1, ids.end());
  rows.weights.insert(rows.weights.end(), mask.begin(), mask.end());
  rows.piece_lengths.push_back(static_cast<int64_t>(n));
  rows.row_lengths.push_back(static_cast<int64_t>(n));
  return {};
}

}  // namespace

Result<TrainingRows> read_row_file(const std::string& path, int64_t vocab_size) {
  std::ifstream file(path);
  if (!file) return error("{}: cannot be read; expected JSONL with {{\"tokens\": [...]}} in each line", path);
  TrainingRows rows;
  std::string line;
  for (size_t number = 1; std::getline(file, line); number++) {
    if (line.find_first_not_of(" \t\r") == std::string::npos) continue;
    const std::string where = fmt::format("{}:{}", path, number);
    const Json row = TRY(parse_json(line, where));
    TRY_IN(where, add_row(rows, row, vocab_size));
  }
  const double n_targets = std::accumulate(rows.weights.begin(), rows.weights.end(), 0.0);
  if (n_targets == 0) return error("{}: no target counts; expected a row with at least one", path);
  for (float& weight : rows.weights) weight = static_cast<float>(weight / n_targets);
  return rows;
}

}  // namespace minke
