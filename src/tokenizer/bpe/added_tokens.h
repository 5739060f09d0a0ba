// Finds added tokens in a text: the leftmost, and of those the longest, as the Aho-Corasick search of the reference does.
#pragma once

#include <array>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "tokenizer/spec.h"
#include "tokenizer/text/pattern.h"

namespace minke {

// A part of a text: an added token, or a stretch of text between two.
struct TextPart {
  TokenId id = -1;  // -1: text
  Span span;
};

class AddedTokenFinder {
 public:
  // contents[i] is what to look for to find tokens[i]; an empty content is never found.
  AddedTokenFinder(const std::vector<const AddedToken*>& tokens, const std::vector<std::string>& contents);
  bool empty() const { return tokens_.empty(); }

  // Cuts text into parts. With parse_special false, tokens that are control tokens are skipped over as text; so are those with
  // one of the breaks (ascending) inside.
  void split(std::string_view text, bool parse_special, std::vector<TextPart>& parts, std::span<const size_t> breaks = {}) const;
  // Bytes of the longest token that is spelled at pos, 0 for none.
  size_t length_at(std::string_view text, size_t pos) const {
    size_t length = 0;
    return starts_[static_cast<uint8_t>(text[pos])] && match_at(text, pos, length) >= 0 ? length : 0;
  }

 private:
  struct Node {
    std::vector<std::pair<uint8_t, int32_t>> next;  // by byte, sorted
    int32_t token = -1;
  };
  int32_t child(int32_t node, uint8_t byte) const;
  // The longest token that starts at pos, -1 for none.
  int32_t match_at(std::string_view text, size_t pos, size_t& length) const;

  std::vector<AddedToken> tokens_;
  std::vector<bool> control_;
  std::vector<Node> nodes_;
  std::array<bool, 256> starts_{};
};

// A special token, or one shaped like one: DeepSeek's <｜User｜> is not marked special, and must not come from users' text.
bool is_control(const AddedToken& token);
// The same, and whatever else looks like markup: <think> and <tool_call> steer models even where no file calls them special.
bool is_markup(const AddedToken& token);

}  // namespace minke
