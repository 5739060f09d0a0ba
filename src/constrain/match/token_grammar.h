// A grammar over the tokens of a vocabulary. What a frame allows on its own is worked out once and shared by all matchers: the
// tokens that fit into its rule, and where in the tree of tokens the rule can end inside a token. Only from there on does a
// mask depend on what is above the rule.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <mutex>
#include <span>
#include <unordered_map>
#include <vector>

#include "constrain/grammar/grammar.h"
#include "constrain/match/frame_store.h"
#include "constrain/match/vocabulary.h"

namespace minke::constrain {

struct LocalMask {
  // The tokens that fit: as bits, or as a list where that is smaller.
  std::vector<uint64_t> words;
  std::vector<TokenId> list;
  // Tree nodes whose last byte comes right after an end of the rule, by that byte: those of byte b are
  // nodes[first_of[b] .. first_of[b + 1] - 1].
  std::vector<uint32_t> nodes;
  std::array<uint32_t, 257> first_of{};

  void add_to(std::span<uint64_t> mask) const;
  std::span<const uint32_t> nodes_of(uint8_t byte) const {
    return std::span(nodes).subspan(first_of[byte], first_of[size_t{byte} + 1] - first_of[byte]);
  }
  size_t n_bytes() const { return sizeof(*this) + words.size() * 8 + (list.size() + nodes.size()) * 4; }
};

class TokenGrammar {
 public:
  // max_cache_bytes bounds what is remembered; when it is full, it starts anew.
  TokenGrammar(std::shared_ptr<const Grammar> grammar, std::shared_ptr<const Vocabulary> vocabulary,
               size_t max_cache_bytes = size_t{64} << 20);

  const Grammar& grammar() const { return *grammar_; }
  const std::shared_ptr<const Grammar>& shared_grammar() const { return grammar_; }
  const Vocabulary& vocabulary() const { return *vocabulary_; }

  // May be called from many threads, each with a store of its own.
  std::shared_ptr<const LocalMask> local_mask(FrameStore& store, const Frame& frame) const;
  // Sets the bits of the tokens at and below a node; `before` is where the text is before the node's byte.
  void walk(FrameStore& store, uint32_t node, SetId before, std::span<uint64_t> mask) const;

 private:
  // Counts that a token cannot tell apart are one: it has at most so many bytes, so it makes at most so many rounds.
  int64_t canonical_count(const Frame& frame) const;
  std::shared_ptr<const LocalMask> make_local_mask(FrameStore& store, const Frame& frame) const;

  std::shared_ptr<const Grammar> grammar_;
  std::shared_ptr<const Vocabulary> vocabulary_;
  size_t max_cache_bytes_;
  struct Key {
    StateId state;
    int64_t count;
    bool operator==(const Key&) const = default;
  };
  struct KeyHash {
    size_t operator()(const Key& key) const {
      return (static_cast<size_t>(key.state) * 0x9E3779B97F4A7C15u) ^ (static_cast<size_t>(key.count) * 0xC2B2AE3D27D4EB4Fu);
    }
  };
  mutable std::mutex mutex_;  // guards the two below
  mutable std::unordered_map<Key, std::shared_ptr<const LocalMask>, KeyHash> masks_;
  mutable size_t cache_bytes_ = 0;
};

}  // namespace minke::constrain
