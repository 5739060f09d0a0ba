#include "tokenizer/bpe/added_tokens.h"

#include <algorithm>

#include "base/utf8.h"
#include "tokenizer/text/unicode.h"

namespace minke {
namespace {

size_t last_character(std::string_view text) {
  size_t start = text.size() - 1;
  while (start > 0 && (static_cast<uint8_t>(text[start]) & 0xC0) == 0x80) start--;
  return start;
}

size_t trailing_space(std::string_view text) {
  size_t size = text.size();
  while (size > 0) {
    size_t start = last_character(text.substr(0, size));
    if (!is_white_space(utf8_decode(text, start).code_point)) break;
    size = start;
  }
  return text.size() - size;
}

size_t leading_space(std::string_view text) {
  size_t pos = 0;
  while (pos < text.size()) {
    Utf8Step step = utf8_decode(text, pos);
    if (!is_white_space(step.code_point)) break;
    pos += step.n_bytes;
  }
  return pos;
}

}  // namespace

bool is_control(const AddedToken& token) {
  auto enclosed = [&](std::string_view open, std::string_view close) {
    return token.content.size() > open.size() + close.size() && token.content.starts_with(open) &&
           token.content.ends_with(close);
  };
  return token.special || enclosed("<|", "|>") || enclosed("<\uFF5C", "\uFF5C>");
}

bool is_markup(const AddedToken& token) {
  return is_control(token) || (token.content.size() > 2 && token.content.starts_with('<') && token.content.ends_with('>'));
}

AddedTokenFinder::AddedTokenFinder(const std::vector<const AddedToken*>& tokens, const std::vector<std::string>& contents)
    : nodes_(1) {
  for (size_t i = 0; i < tokens.size(); i++) {
    if (contents[i].empty()) continue;
    int32_t node = 0;
    for (char c : contents[i]) {
      auto byte = static_cast<uint8_t>(c);
      int32_t next = child(node, byte);
      if (next < 0) {
        next = static_cast<int32_t>(nodes_.size());
        nodes_.emplace_back();
        auto& edges = nodes_[static_cast<size_t>(node)].next;
        edges.insert(std::lower_bound(edges.begin(), edges.end(), std::pair(byte, 0)), {byte, next});
      }
      node = next;
    }
    if (nodes_[static_cast<size_t>(node)].token >= 0) continue;  // the first of two with the same normalised content
    nodes_[static_cast<size_t>(node)].token = static_cast<int32_t>(tokens_.size());
    starts_[static_cast<uint8_t>(contents[i][0])] = true;
    tokens_.push_back(*tokens[i]);
    control_.push_back(is_control(*tokens[i]));
  }
}

int32_t AddedTokenFinder::child(int32_t node, uint8_t byte) const {
  const auto& edges = nodes_[static_cast<size_t>(node)].next;
  auto it = std::lower_bound(edges.begin(), edges.end(), std::pair(byte, 0));
  return it != edges.end() && it->first == byte ? it->second : -1;
}

int32_t AddedTokenFinder::match_at(std::string_view text, size_t pos, size_t& length) const {
  int32_t best = -1;
  int32_t node = 0;
  for (size_t i = pos; i < text.size(); i++) {
    node = child(node, static_cast<uint8_t>(text[i]));
    if (node < 0) break;
    int32_t token = nodes_[static_cast<size_t>(node)].token;
    if (token < 0) continue;
    best = token;
    length = i + 1 - pos;
  }
  return best;
}

void AddedTokenFinder::split(std::string_view text, bool parse_special, std::vector<TextPart>& parts,
                             std::span<const size_t> breaks) const {
  size_t done = 0;
  auto word_at = [&](size_t pos) { return is_word_character(utf8_decode(text, pos).code_point); };
  for (size_t pos = 0; pos < text.size();) {
    size_t length = 0;
    int32_t found = starts_[static_cast<uint8_t>(text[pos])] ? match_at(text, pos, length) : -1;
    if (found < 0) {
      pos++;
      continue;
    }
    size_t begin = pos;
    size_t end = pos + length;
    const auto first_break = std::upper_bound(breaks.begin(), breaks.end(), begin);
    if (first_break != breaks.end() && *first_break < end) {
      pos++;
      continue;
    }
    pos = end;
    const AddedToken& token = tokens_[static_cast<size_t>(found)];
    if (!parse_special && control_[static_cast<size_t>(found)]) continue;
    if (token.single_word) {
      bool word_before = begin > 0 && word_at(last_character(text.substr(0, begin)));
      bool word_after = end < text.size() && word_at(end);
      if (word_before || word_after) continue;
    }
    if (token.lstrip) begin = std::max(begin - trailing_space(text.substr(0, begin)), done);
    if (token.rstrip) end += leading_space(text.substr(end));
    if (done < begin) parts.push_back({-1, {done, begin}});
    parts.push_back({token.id, {begin, end}});
    done = end;
  }
  if (done < text.size()) parts.push_back({-1, {done, text.size()}});
}

}  // namespace minke
