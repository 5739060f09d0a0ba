#include "tokenizer/train/trainer.h"

#include <algorithm>
#include <numeric>
#include <unordered_map>
#include <unordered_set>

#include "base/utf8.h"
#include "tokenizer/bpe/vocabulary.h"
#include "tokenizer/files/pre_table.h"
#include "tokenizer/text/chunks.h"
#include "tokenizer/text/normalizer.h"
#include "tokenizer/text/pre_tokenizer.h"
#include "tokenizer/train/merge_learner.h"

namespace minke {
namespace {

constexpr size_t kChunkBytes = size_t{1} << 20;
constexpr int64_t kLeastCount = 2;  // a pair that occurs once says nothing about other texts

struct TextHash {
  using is_transparent = void;
  size_t operator()(std::string_view text) const { return std::hash<std::string_view>()(text); }
};

// Bytes by the code point that spells them.
std::vector<uint8_t> bytes_in_order() {
  std::vector<uint8_t> bytes(256);
  std::iota(bytes.begin(), bytes.end(), uint8_t{0});
  std::sort(bytes.begin(), bytes.end(), [](uint8_t a, uint8_t b) { return byte_to_symbol(a) < byte_to_symbol(b); });
  return bytes;
}

Status check_special(const std::vector<std::string>& special) {
  std::unordered_set<std::string_view> seen;
  for (const std::string& token : special) {
    if (token.empty() || !utf8_valid(token)) return error("special token \"{}\": expected UTF-8 text", utf8_lossy(token));
    if (!seen.insert(token).second) return error("special token \"{}\": given twice", token);
    auto bytes = bytes_from_symbols(token);
    if (bytes && bytes->size() == 1)
      return error("special token \"{}\": is already the token of a byte: use a longer one", token);
  }
  return {};
}

// Roles first, in the order of the fields; then what is special besides.
void name_roles(TokenizerTrainingOptions& options) {
  std::vector<std::string> roles;
  for (const auto& role : {options.bos, options.eos, options.pad}) {
    const auto is_named = [&](const std::vector<std::string>& names) {
      return std::find(names.begin(), names.end(), *role) != names.end();
    };
    if (role && !is_named(options.special) && !is_named(roles)) roles.push_back(*role);
  }
  options.special.insert(options.special.begin(), roles.begin(), roles.end());
}

}  // namespace

struct TokenizerTrainer::State {
  TokenizerTrainingOptions options;
  Normalizer normalizer;
  PreTokenizer pre_tokenizer;
  PatternScratch scratch;
  std::unordered_map<std::string, int64_t, TextHash, std::equal_to<>> counts;
  int64_t n_pieces = 0;

  Status add_chunk(std::string_view text);
  TokenizerSpec start_spec() const;
};

TokenizerTrainer::TokenizerTrainer(std::unique_ptr<State> state) : state_(std::move(state)) {}
TokenizerTrainer::TokenizerTrainer(TokenizerTrainer&&) noexcept = default;
TokenizerTrainer& TokenizerTrainer::operator=(TokenizerTrainer&&) noexcept = default;
TokenizerTrainer::~TokenizerTrainer() = default;

Result<TokenizerTrainer> TokenizerTrainer::create(const TokenizerTrainingOptions& options) {
  const PreTokenizerRow* row = find_pre_tokenizer(options.pre);
  if (row == nullptr) return error("pre-tokenizer \"{}\" is not known; known are {}", options.pre, pre_tokenizer_names());
  auto state = std::make_unique<State>();
  state->options = options;
  name_roles(state->options);
  const std::vector<std::string>& special = state->options.special;
  TRY(check_special(special));
  const auto least = static_cast<int64_t>(special.size()) + 256;
  if (options.vocab_size < least || options.vocab_size > kMaxVocabSize) {
    return error("vocabulary size {}: expected {} (256 bytes and {} special tokens) to {}", options.vocab_size, least,
                 special.size(), kMaxVocabSize);
  }
  state->normalizer = TRY(Normalizer::compile(normalizer_steps(*row)));
  state->pre_tokenizer = TRY(PreTokenizer::compile(pre_tokenizer_steps(*row)));
  return TokenizerTrainer(std::move(state));
}

Status TokenizerTrainer::add(std::string_view text) {
  if (!utf8_valid(text)) return error("the text is not valid UTF-8");
  for (size_t begin = 0; begin < text.size();) {
    const size_t end = next_chunk_end(text, begin, kChunkBytes);
    TRY(state_->add_chunk(text.substr(begin, end - begin)));
    begin = end;
  }
  return {};
}

Status TokenizerTrainer::State::add_chunk(std::string_view text) {
  Pieces pieces{std::string(text), {}};
  TRY(normalizer.apply(pieces.text, scratch));
  pieces.spans.push_back({0, pieces.text.size()});
  TRY(pre_tokenizer.apply(pieces, true, scratch));
  const std::string_view whole = pieces.text;
  for (Span span : pieces.spans) {
    const std::string_view piece = whole.substr(span.begin, span.end - span.begin);
    auto found = counts.find(piece);
    if (found == counts.end()) found = counts.emplace(std::string(piece), 0).first;
    found->second++;
  }
  n_pieces += static_cast<int64_t>(pieces.spans.size());
  return {};
}

int64_t TokenizerTrainer::n_pieces() const { return state_->n_pieces; }
int64_t TokenizerTrainer::n_different_pieces() const { return static_cast<int64_t>(state_->counts.size()); }

// Special tokens and bytes, and what does not depend on the texts.
TokenizerSpec TokenizerTrainer::State::start_spec() const {
  TokenizerSpec spec;
  auto id_of = [&](const std::optional<std::string>& token) -> std::optional<TokenId> {
    if (!token) return std::nullopt;
    auto found = std::find(options.special.begin(), options.special.end(), *token);
    return static_cast<TokenId>(found - options.special.begin());
  };
  for (const std::string& text : options.special) {
    AddedToken token;
    token.id = static_cast<TokenId>(spec.tokens.size());
    token.content = text;
    token.special = token.in_model = true;
    spec.added.push_back(token);
    spec.tokens.push_back(text);
    spec.kinds.push_back(TokenKind::kControl);
  }
  for (uint8_t byte : bytes_in_order()) {
    spec.tokens.push_back(symbols_from_bytes(std::string(1, static_cast<char>(byte))));
    spec.kinds.push_back(TokenKind::kNormal);
  }
  const PreTokenizerRow& row = *find_pre_tokenizer(options.pre);
  spec.normalizer = normalizer_steps(row);
  spec.pre_tokenizer = pre_tokenizer_steps(row);
  spec.decoder = {DecoderStep{}};
  spec.bos = id_of(options.bos);
  spec.pad = id_of(options.pad);
  if (options.eos) spec.eos = {*id_of(options.eos)};
  if (spec.bos) spec.prefix = {*spec.bos};
  if (!options.chat_template.empty()) spec.chat_templates = {{"default", options.chat_template}};
  return spec;
}

Result<TokenizerSpec> TokenizerTrainer::finish(const std::function<bool(int64_t, int64_t)>& on_token) {
  State& state = *state_;
  TokenizerSpec spec = state.start_spec();
  std::unordered_map<std::string, TokenId> by_text;
  for (size_t id = 0; id < spec.tokens.size(); id++) by_text.emplace(spec.tokens[id], static_cast<TokenId>(id));
  const auto n_special = static_cast<TokenId>(state.options.special.size());
  std::vector<TokenId> byte_ids(256);
  const std::vector<uint8_t> bytes = bytes_in_order();
  for (size_t i = 0; i < bytes.size(); i++) byte_ids[bytes[i]] = n_special + static_cast<TokenId>(i);

  MergeLearner learner;
  std::vector<TokenId> ids;
  for (const auto& [piece, count] : state.counts) {
    ids.clear();
    for (char byte : piece) ids.push_back(byte_ids[static_cast<uint8_t>(byte)]);
    learner.add_piece(ids, count);
  }
  while (static_cast<int64_t>(spec.tokens.size()) < state.options.vocab_size) {
    const auto best = learner.best_pair();
    if (!best || best->count < kLeastCount) {
      return error("the texts give {} tokens, not {}: no other pair of tokens occurs twice; give more text, or ask for fewer",
                   spec.tokens.size(), state.options.vocab_size);
    }
    std::string text = spec.tokens[static_cast<size_t>(best->left)] + spec.tokens[static_cast<size_t>(best->right)];
    auto [found, is_new] = by_text.emplace(text, static_cast<TokenId>(spec.tokens.size()));
    if (found->second < n_special || text.size() > kMaxTokenBytes) {
      learner.forget(best->left, best->right);
      continue;
    }
    // Two different pairs can spell one token: then it has two merges.
    spec.merges.push_back({best->left, best->right, found->second});
    learner.merge(best->left, best->right, found->second);
    if (!is_new) continue;
    spec.tokens.push_back(std::move(text));
    spec.kinds.push_back(TokenKind::kNormal);
    if (!on_token(static_cast<int64_t>(spec.tokens.size()), state.options.vocab_size)) return error("stopped");
  }
  return spec;
}

}  // namespace minke
