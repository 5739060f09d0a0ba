#include "tokenizer/files/rank_merges.h"

#include "tokenizer/bpe/vocabulary.h"

namespace minke {
namespace {

// Bounds the quadratic work per token; the longest of Kimi's tokens has 128 bytes.
constexpr size_t kMaxRankedBytes = 256;

}  // namespace

Status merges_from_ranks(TokenizerSpec& spec) {
  std::vector<std::string> bytes(spec.tokens.size());
  TokenMap known(spec.tokens.size());
  for (size_t id = 0; id < spec.tokens.size(); id++) {
    if (spec.kinds[id] != TokenKind::kNormal) continue;
    auto raw = bytes_from_symbols(spec.tokens[id]);
    if (!raw) return error("token {}: \"{}\" is not spelled in the byte alphabet", id, spec.tokens[id]);
    if (raw->size() > kMaxRankedBytes)
      return error("token {}: {} bytes, at most {} are supported", id, raw->size(), kMaxRankedBytes);
    bytes[id] = std::move(*raw);
    std::string_view token = bytes[id];
    std::vector<size_t> cuts;  // where parts begin, and the end
    for (size_t i = 0; i <= token.size(); i++) cuts.push_back(i);
    // `known` has only the tokens before this one, so the best pair is the one with the lowest id.
    while (cuts.size() > 3) {
      size_t best = 0;
      TokenId best_id = -1;
      for (size_t i = 0; i + 2 < cuts.size(); i++) {
        auto pair = known.find(token.substr(cuts[i], cuts[i + 2] - cuts[i]));
        if (!pair || (best_id >= 0 && *pair >= best_id)) continue;
        best = i;
        best_id = *pair;
      }
      if (best_id < 0) break;
      cuts.erase(cuts.begin() + static_cast<ptrdiff_t>(best) + 1);
    }
    if (cuts.size() == 3) {
      auto left = known.find(token.substr(0, cuts[1]));
      auto right = known.find(token.substr(cuts[1]));
      if (left && right) spec.merges.push_back({*left, *right, static_cast<TokenId>(id)});
    }
    known.insert(token, static_cast<TokenId>(id));
  }
  return {};
}

}  // namespace minke
