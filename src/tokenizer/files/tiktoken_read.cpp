// tiktoken.model of Kimi and Moonlight: one line per token, its bytes in base64 and its rank, which is its id.
#include "tokenizer/bpe/vocabulary.h"
#include "tokenizer/files/hf_files.h"
#include "tokenizer/files/pre_table.h"
#include "tokenizer/files/rank_merges.h"

namespace minke {
namespace {

std::optional<std::string> from_base64(std::string_view text) {
  constexpr std::string_view kDigits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  if (text.empty() || text.size() % 4 != 0) return std::nullopt;
  size_t n_pad = text.ends_with("==") ? 2 : text.ends_with("=") ? 1 : 0;
  std::string out;
  uint32_t bits = 0;
  int n_bits = 0;
  for (char c : text.substr(0, text.size() - n_pad)) {
    size_t digit = kDigits.find(c);
    if (digit == std::string_view::npos) return std::nullopt;
    bits = (bits << 6) | static_cast<uint32_t>(digit);
    n_bits += 6;
    if (n_bits < 8) continue;
    n_bits -= 8;
    out += static_cast<char>((bits >> n_bits) & 0xFF);
  }
  return out;
}

}  // namespace

Result<TokenizerSpec> parse_tiktoken(std::string_view text, const std::string& where) {
  TokenizerSpec spec;
  size_t n_line = 0;
  while (!text.empty()) {
    n_line++;
    size_t end = text.find('\n');
    std::string_view line = text.substr(0, end);
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
    if (line.ends_with('\r')) line.remove_suffix(1);
    if (line.empty()) continue;
    size_t space = line.find(' ');
    auto bytes = space == std::string_view::npos ? std::nullopt : from_base64(line.substr(0, space));
    if (!bytes) return error("{}:{}: expected base64, a space and a rank", where, n_line);
    std::string_view rank = line.substr(space + 1);
    // Ranks are read as ids, which every known file numbers without gaps.
    if (rank != std::to_string(spec.tokens.size()))
      return error("{}:{}: expected rank {}, got \"{}\"", where, n_line, spec.tokens.size(), rank);
    if (spec.tokens.size() >= static_cast<size_t>(kMaxVocabSize)) return error("{}: more than {} tokens", where, kMaxVocabSize);
    spec.tokens.push_back(symbols_from_bytes(*bytes));
    spec.kinds.push_back(TokenKind::kNormal);
  }
  if (spec.tokens.empty()) return error("{}: no tokens", where);
  const PreTokenizerRow* row = find_pre_tokenizer("kimi-k2");
  spec.pre_tokenizer = pre_tokenizer_steps(*row);
  spec.ignore_merges = row->ignore_merges;
  spec.decoder = {DecoderStep{}};
  TRY_IN(where, merges_from_ranks(spec));
  return spec;
}

}  // namespace minke
