#include "constrain_testing.h"

#include <set>

#include "constrain/text/ebnf.h"
#include "constrain/text/regex.h"

namespace minke::constrain::testing {

std::shared_ptr<const Vocabulary> small_vocabulary(const std::vector<std::string>& texts, size_t n_pieces) {
  std::vector<VocabularyToken> tokens(3);  // control tokens
  std::set<std::string> known;
  auto add = [&](const std::string& bytes) {
    if (!bytes.empty() && known.insert(bytes).second) tokens.push_back({bytes, true});
  };
  for (int byte = 0; byte < 256; byte++) add(std::string(1, static_cast<char>(byte)));
  for (const char* text :
       {"\"",    "\",",  "\": ", "\":", "{\"", "\"}",  "\"}]",     "]}",   "}}",   "[]", "{}",       "[[",       "true",
        "false", "null", "tr",   "ue",  "1",   "12",   "123",      "0.",   ".5",   "-1", "e+",       "  ",       "\n  ",
        ", \"",  "\\\"", "\\u",  "\\n", "한",  "국어", "\xED\x95", "\x9C", "日本", "é",  "\xF0\x9F", "\x98\x80", "😀"}) {
    add(text);
  }
  std::mt19937_64 random(7);
  for (size_t i = 0; i < n_pieces && !texts.empty(); i++) {
    const std::string& text = texts[random() % texts.size()];
    if (text.empty()) continue;
    size_t begin = random() % text.size();
    add(text.substr(begin, 1 + random() % 9));
  }
  tokens.push_back({known.empty() ? "" : "a", true});  // two tokens of one text, as byte fallback has
  return value_of(Vocabulary::create(std::move(tokens), {kEos}));
}

CompiledPair compile(const std::function<Result<RuleId>(Expressions&)>& write) {
  CompiledPair pair;
  pair.expressions = std::make_shared<Expressions>();
  pair.root = value_of(write(*pair.expressions));
  pair.grammar = value_of(Grammar::compile(*pair.expressions, pair.root));
  return pair;
}

CompiledPair compile_ebnf(const std::string& source) {
  return compile([&](Expressions& e) { return parse_ebnf(e, source, "grammar"); });
}

CompiledPair compile_regex(const std::string& pattern) {
  return compile([&](Expressions& e) -> Result<RuleId> {
    NodeId body = TRY(parse_regex(e, pattern, "pattern"));
    RuleId root = e.declare("pattern");
    e.define(root, body);
    return root;
  });
}

bool allows(std::span<const uint64_t> mask, TokenId id) { return mask[static_cast<size_t>(id) / 64] >> (id % 64) & 1; }

std::vector<TokenId> allowed_tokens(std::span<const uint64_t> mask, TokenId n_tokens) {
  std::vector<TokenId> tokens;
  for (TokenId id = 0; id < n_tokens; id++) {
    if (allows(mask, id)) tokens.push_back(id);
  }
  return tokens;
}

std::vector<std::string> walk_beside_reference(const CompiledPair& pair, const std::shared_ptr<const Vocabulary>& vocabulary,
                                               uint64_t seed, int n_walks, int max_steps) {
  auto grammar = std::make_shared<TokenGrammar>(pair.grammar, vocabulary);
  std::mt19937_64 random(seed);
  std::vector<std::string> texts;
  for (int walk = 0; walk < n_walks; walk++) {
    Matcher matcher(grammar);
    ReferenceMatcher reference(*pair.expressions, pair.root);
    std::string text;
    for (int step = 0; step < max_steps; step++) {
      std::vector<TokenId> allowed;
      std::span<const uint64_t> mask = matcher.mask();
      for (TokenId id = 0; id < vocabulary->n_tokens(); id++) {
        ReferenceMatcher copy = reference;
        bool expected = false;
        if (id == kEos) {
          expected = reference.is_complete();
        } else if (!vocabulary->is_text(id)) {
          expected = copy.accept_token(id);
        } else {
          expected = copy.accept(vocabulary->bytes(id));
        }
        EXPECT_EQ(allows(mask, id), expected) << "token " << id << " \"" << vocabulary->bytes(id) << "\" after " << text;
        if (allows(mask, id) != expected) return texts;
        if (expected) allowed.push_back(id);
      }
      EXPECT_FALSE(allowed.empty()) << "dead end after " << text;
      EXPECT_EQ(matcher.is_complete(), reference.is_complete()) << text;
      if (allowed.empty()) return texts;
      TokenId token = allowed[random() % allowed.size()];
      EXPECT_TRUE(matcher.accept(token));
      if (token == kEos) {
        EXPECT_TRUE(matcher.is_finished());
        texts.push_back(text);
        break;
      }
      if (vocabulary->is_text(token)) {
        reference.accept(vocabulary->bytes(token));
        text += vocabulary->bytes(token);
      } else {
        reference.accept_token(token);
        text += "<" + std::to_string(token) + ">";
      }
    }
  }
  return texts;
}

std::optional<std::string> random_text(const std::shared_ptr<const TokenGrammar>& grammar, std::mt19937_64& random,
                                       int max_tokens) {
  Matcher matcher(grammar);
  const Vocabulary& vocabulary = grammar->vocabulary();
  std::string text;
  for (int step = 0; step < 2 * max_tokens + 60; step++) {
    std::vector<TokenId> allowed = allowed_tokens(matcher.mask(), vocabulary.n_tokens());
    if (allowed.empty()) throw std::runtime_error("dead end after " + text);
    TokenId token = allowed[random() % allowed.size()];
    if (matcher.is_complete() && step >= max_tokens) return text;
    if (step >= max_tokens) {  // closing characters end most texts
      std::erase_if(allowed, [&](TokenId id) {
        return vocabulary.bytes(id).size() != 1 ||
               std::string_view("\"]}").find(vocabulary.bytes(id)[0]) == std::string_view::npos;
      });
      if (!allowed.empty()) token = allowed[random() % allowed.size()];
    }
    if (!matcher.accept(token)) throw std::runtime_error("an allowed token was not accepted after " + text);
    if (matcher.is_finished()) return text;
    text += vocabulary.bytes(token);
  }
  return std::nullopt;
}

bool matches(const CompiledPair& pair, std::string_view text) {
  FrameStore store(pair.grammar);
  SetId set = store.start();
  for (char c : text) set = store.step(set, static_cast<uint8_t>(c));
  return store.has_end(set);
}

}  // namespace minke::constrain::testing
