// Decoding one token at a time; Tokenizer::decode() is the same code over all tokens.
#include "base/utf8.h"
#include "tokenizer/tokenizer_data.h"

namespace minke {

StreamDecoder::StreamDecoder(Tokenizer tokenizer, DecodeOptions options)
    : tokenizer_(std::move(tokenizer)), options_(options), strip_left_(tokenizer_.data_->decode_plan.strip_start) {}

std::string StreamDecoder::push(TokenId id) {
  const Tokenizer::Data& data = *tokenizer_.data_;
  if (!tokenizer_.has_token(id) || (options_.skip_special && tokenizer_.is_special(id))) return {};
  std::string_view bytes = tokenizer_.token_bytes(id);
  std::string out;
  if (data.decode_plan.byte_level) {
    append(out, bytes);
  } else if (data.byte_token[static_cast<size_t>(id)]) {
    // The whole run decides whether it is UTF-8, so none of it can go out before it ends.
    pending_ += bytes;
  } else {
    end_byte_run(out);
    out += first_token_ ? data.decode_plan.first_token_bytes(tokenizer_.token_text(id)) : std::string(bytes);
  }
  first_token_ = false;
  return give_out(std::move(out));
}

// Gives out all whole characters; the start of one stays until its other bytes come.
void StreamDecoder::append(std::string& out, std::string_view bytes) {
  pending_ += bytes;
  size_t whole = pending_.size() - utf8_incomplete_suffix(pending_);
  out += utf8_lossy(std::string_view(pending_).substr(0, whole));
  pending_.erase(0, whole);
}

void StreamDecoder::end_byte_run(std::string& out) {
  if (utf8_valid(pending_)) {
    out += pending_;
  } else {
    for (size_t i = 0; i < pending_.size(); i++) utf8_append(out, kReplacementCharacter);
  }
  pending_.clear();
}

std::string StreamDecoder::give_out(std::string text) {
  const std::string& content = tokenizer_.data_->decode_plan.strip_content;
  size_t from = 0;
  while (strip_left_ > 0 && from < text.size()) {
    if (std::string_view(text).substr(from, content.size()) != content) {
      strip_left_ = 0;
      break;
    }
    from += content.size();
    strip_left_--;
  }
  if (from > 0) text.erase(0, from);
  return text;
}

std::string StreamDecoder::flush() {
  const DecodePlan& plan = tokenizer_.data_->decode_plan;
  std::string out;
  if (plan.byte_level) {
    out = utf8_lossy(pending_);
    pending_.clear();
  } else {
    end_byte_run(out);
  }
  out = give_out(std::move(out));
  first_token_ = true;
  strip_left_ = plan.strip_start;
  return out;
}

}  // namespace minke
