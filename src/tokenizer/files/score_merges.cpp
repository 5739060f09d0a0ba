#include "tokenizer/files/score_merges.h"

#include <algorithm>
#include <limits>
#include <unordered_set>

#include "tokenizer/bpe/vocabulary.h"

namespace minke {
namespace {

// The ids that merging by score can produce and start from.
std::vector<TokenId> mergeable_ids(const TokenizerSpec& spec) {
  std::vector<bool> mergeable(spec.tokens.size());
  for (size_t id = 0; id < spec.tokens.size(); id++) mergeable[id] = spec.kinds[id] == TokenKind::kNormal;
  for (const AddedToken& token : spec.added) {
    if (token.in_model && !token.special) mergeable[static_cast<size_t>(token.id)] = true;
  }
  std::vector<TokenId> ids;
  for (size_t id = 0; id < spec.tokens.size(); id++) {
    if (mergeable[id] && !spec.tokens[id].empty()) ids.push_back(static_cast<TokenId>(id));
  }
  return ids;
}

// The merges that make `result`, in the order of (left, right).
std::vector<Merge> splits_of(const TokenizerSpec& spec, const TokenMap& by_text, TokenId result) {
  std::string_view text = spec.tokens[static_cast<size_t>(result)];
  std::vector<Merge> splits;
  for (size_t cut = 1; cut < text.size(); cut++) {
    if ((static_cast<uint8_t>(text[cut]) & 0xC0) == 0x80) continue;  // inside a character
    auto left = by_text.find(text.substr(0, cut));
    auto right = by_text.find(text.substr(cut));
    if (left && right) splits.push_back({*left, *right, result});
  }
  std::sort(splits.begin(), splits.end(),
            [](const Merge& a, const Merge& b) { return std::pair(a.left, a.right) < std::pair(b.left, b.right); });
  return splits;
}

}  // namespace

std::vector<Merge> merges_from_scores(const TokenizerSpec& spec) {
  std::vector<TokenId> ids = mergeable_ids(spec);
  TokenMap by_text(ids.size());
  for (TokenId id : ids) by_text.insert(spec.tokens[static_cast<size_t>(id)], id);
  auto score = [&](TokenId id) { return spec.scores[static_cast<size_t>(id)]; };
  std::stable_sort(ids.begin(), ids.end(), [&](TokenId a, TokenId b) { return score(a) > score(b); });
  std::vector<Merge> merges;
  for (TokenId id : ids) {
    std::vector<Merge> splits = splits_of(spec, by_text, id);
    merges.insert(merges.end(), splits.begin(), splits.end());
  }
  return merges;
}

Result<std::vector<float>> scores_from_merges(const TokenizerSpec& spec) {
  std::vector<TokenId> ids = mergeable_ids(spec);
  TokenMap by_text(ids.size());
  for (TokenId id : ids) by_text.insert(spec.tokens[static_cast<size_t>(id)], id);
  auto text = [&](TokenId id) -> const std::string& { return spec.tokens[static_cast<size_t>(id)]; };

  std::vector<float> scores(spec.tokens.size(), 0);
  std::vector<bool> seen(spec.tokens.size());
  std::unordered_set<uint64_t> pairs;
  TokenId block = -1;
  float rank = 0;
  for (const Merge& merge : spec.merges) {
    pairs.insert((uint64_t{static_cast<uint32_t>(merge.left)} << 32) | static_cast<uint32_t>(merge.right));
    auto result = static_cast<size_t>(merge.result);
    if (merge.result != block && seen[result])
      return error("the merges that make \"{}\" do not have neighbouring ranks, so scores cannot stand for them",
                   text(merge.result));
    block = merge.result;
    if (!seen[result]) scores[result] = -(++rank);
    seen[result] = true;
  }
  for (TokenId id : ids) {
    for (const Merge& split : splits_of(spec, by_text, id)) {
      uint64_t pair = (uint64_t{static_cast<uint32_t>(split.left)} << 32) | static_cast<uint32_t>(split.right);
      if (pairs.contains(pair)) continue;
      return error("\"{}\" and \"{}\" would merge by score, but there is no merge of them", text(split.left),
                   text(split.right));
    }
    if (!seen[static_cast<size_t>(id)])
      scores[static_cast<size_t>(id)] = -(++rank);  // characters: their scores are never compared
  }
  return scores;
}

}  // namespace minke
