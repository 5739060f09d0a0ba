// A small vocabulary that cuts characters and structure everywhere, and walks at random through masks.
#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "constrain/grammar/grammar.h"
#include "constrain/match/matcher.h"
#include "reference_matcher.h"
#include "support/support.h"

namespace minke::constrain::testing {

using minke::testing::value_of;

constexpr TokenId kEos = 0, kControl = 1, kOtherControl = 2;  // control tokens of small_vocabulary()

// All bytes, pieces of the given texts cut at any byte, and some strings that are common in JSON.
std::shared_ptr<const Vocabulary> small_vocabulary(const std::vector<std::string>& texts, size_t n_pieces = 400);

// A grammar, and the expressions that it was made from.
struct CompiledPair {
  std::shared_ptr<Expressions> expressions;
  RuleId root = 0;
  std::shared_ptr<const Grammar> grammar;
};
CompiledPair compile(const std::function<Result<RuleId>(Expressions&)>& write);
CompiledPair compile_ebnf(const std::string& source);
CompiledPair compile_regex(const std::string& pattern);

bool allows(std::span<const uint64_t> mask, TokenId id);
std::vector<TokenId> allowed_tokens(std::span<const uint64_t> mask, TokenId n_tokens);

// At every step of random walks: the mask has exactly the tokens that the reference accepts. Returns the texts that ended.
std::vector<std::string> walk_beside_reference(const CompiledPair& pair, const std::shared_ptr<const Vocabulary>& vocabulary,
                                               uint64_t seed, int n_walks, int max_steps);

// A random text of at most about max_tokens tokens: from there on, tokens that lead towards an end are preferred. Empty
// optional when it had not ended by then.
std::optional<std::string> random_text(const std::shared_ptr<const TokenGrammar>& grammar, std::mt19937_64& random,
                                       int max_tokens);

bool matches(const CompiledPair& pair, std::string_view text);

}  // namespace minke::constrain::testing
