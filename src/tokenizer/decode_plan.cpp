#include "tokenizer/decode_plan.h"

#include "base/utf8.h"
#include "tokenizer/bpe/vocabulary.h"

namespace minke {
namespace {

using Kind = DecoderStep::Kind;

std::string replace_all(std::string_view text, std::string_view pattern, std::string_view content) {
  std::string out;
  for (size_t pos = 0; pos < text.size();) {
    if (text.substr(pos, pattern.size()) == pattern) {
      out += content;
      pos += pattern.size();
    } else {
      out += text[pos++];
    }
  }
  return out;
}

}  // namespace

Result<DecodePlan> DecodePlan::compile(const std::vector<DecoderStep>& steps) {
  DecodePlan plan;
  bool fused = false;
  Kind last = Kind::kReplace;
  for (const DecoderStep& step : steps) {
    // The order Replace, ByteFallback, Fuse, Strip is the one for which a token's part does not depend on later tokens.
    bool alone = step.kind == Kind::kByteLevel || step.kind == Kind::kMetaspace;
    if ((alone && steps.size() > 1) || (&step != &steps.front() && step.kind < last)) {
      return error(
          "decoder: this order of steps is not supported; supported are ByteLevel, Metaspace, and Replace, ByteFallback, Fuse, "
          "Strip");
    }
    last = step.kind;
    switch (step.kind) {
      case Kind::kByteLevel:
        plan.byte_level = true;
        break;
      case Kind::kReplace:
        if (step.pattern.empty()) return error("decoder: Replace: empty pattern");
        plan.replaces.push_back(step);
        break;
      case Kind::kByteFallback:
        plan.byte_fallback = true;
        break;
      case Kind::kFuse:
        fused = true;
        break;
      case Kind::kStrip:
        if (!fused || plan.strip_start > 0) return error("decoder: Strip is supported once and only after Fuse");
        if (step.content.empty() || utf8_decode(step.content, 0).n_bytes != step.content.size()) {
          return error("decoder: Strip: content: expected one character, got \"{}\"", step.content);
        }
        plan.strip_start = step.strip_start;
        plan.strip_content = step.content;
        break;
      case Kind::kMetaspace:
        plan.metaspace = step.replacement;
        plan.metaspace_drops_first = step.prepend != PrependScheme::kNever;
        break;
    }
  }
  if (steps.empty()) return error("decoder: missing; without one the parts of words cannot be joined");
  return plan;
}

std::string DecodePlan::token_bytes(const std::string& text, bool added) const {
  // The reference reads added tokens in the byte alphabet too, which turns the ø of DeepSeek-LLM's vocabulary into a broken
  // byte; their text is what was in the input, so that is what comes back.
  if (byte_level) return added ? text : bytes_from_symbols(text).value_or(text);
  std::string out = text;
  for (const DecoderStep& step : replaces) out = replace_all(out, step.pattern, step.content);
  if (byte_fallback) {
    if (auto byte = parse_byte_token(out)) return std::string(1, static_cast<char>(*byte));
  }
  return metaspace.empty() ? out : replace_all(out, metaspace, " ");
}

std::string DecodePlan::first_token_bytes(const std::string& text) const {
  return metaspace_drops_first ? replace_all(text, metaspace, "") : token_bytes(text, false);
}

}  // namespace minke
