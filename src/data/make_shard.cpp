#include "data/make_shard.h"

#include <filesystem>
#include <nlohmann/json.hpp>

#include "base/digest.h"
#include "data/chat_encoder.h"
#include "data/documents.h"
#include "data/shard_writer.h"
#include "tokenizer/text/chunks.h"

namespace minke {
namespace {

// Texts are encoded in parts of this size: the memory of encoding does not grow with a document.
constexpr size_t kChunkBytes = size_t{1} << 20;

uint64_t text_hash(std::string_view text) {
  Digest digest = Digest::sha256();
  digest.update(text);
  return std::stoull(digest.finish_hex().substr(0, 16), nullptr, 16);
}

class Maker {
 public:
  Maker(const Tokenizer& tokenizer, ChatEncoder chat, ShardWriter writer)
      : tokenizer_(tokenizer), chat_(std::move(chat)), writer_(std::move(writer)) {}

  // on_part(bytes of the document done) says whether to go on; false when it did not.
  Result<bool> add(const Document& document, const std::function<bool(uint64_t)>& on_part) {
    if (!document.is_row) return add_text(document.text, on_part);
    TRY(add_row(document));
    return on_part(document.text.size());
  }
  Result<ShardInfo> finish() { return writer_.finish(); }

 private:
  Result<bool> add_text(std::string_view text, const std::function<bool(uint64_t)>& on_part) {
    const auto eos = tokenizer_.eos();
    if (!eos) return error("the tokenizer names no eos token to end a document with");
    TRY(writer_.append(tokenizer_.spec().prefix, {}));
    // What stands in front of a text would stand in front of each part.
    const bool in_parts = tokenizer_.spec().byte_level() && !tokenizer_.spec().pre_tokenizer.back().add_prefix_space;
    for (size_t begin = 0; begin < text.size();) {
      const size_t end = in_parts ? next_chunk_end(text, begin, kChunkBytes) : text.size();
      const std::vector<TokenId> ids =
          TRY(tokenizer_.encode(text.substr(begin, end - begin), {.add_special = false, .parse_special = false}));
      TRY(writer_.append(ids, {}));
      begin = end;
      if (!on_part(end)) return false;
    }
    TRY(writer_.append(std::span(&*eos, 1), {}));
    writer_.end_document(text_hash(text));
    return true;
  }

  Status add_row(const Document& document) {
    const Json row = TRY(parse_json(document.text, "row"));
    const bool object = row.is_object();
    const bool text = object && row.contains("text"), messages = object && row.contains("messages");
    const bool completion = object && row.contains("prompt") && row.contains("completion");
    if (text + messages + completion != 1)
      return error("expected an object with \"text\", with \"messages\", or with \"prompt\" and \"completion\"");
    if (text) {
      if (!row["text"].is_string()) return error("text: expected text, got {}", row["text"].type_name());
      if (row["text"].get_ref<const std::string&>().empty()) return error("text: is empty");
      TRY(add_text(row["text"].get_ref<const std::string&>(), [](uint64_t) { return true; }));
      return {};
    }
    const EncodedDocument encoded = TRY(messages ? chat_.encode_messages(row) : chat_.encode_completion(row));
    TRY(writer_.append(encoded.tokens, encoded.mask));
    writer_.end_document(text_hash(encoded.text));
    return {};
  }

  const Tokenizer& tokenizer_;
  ChatEncoder chat_;
  ShardWriter writer_;
};

}  // namespace

std::string vocabulary_digest(const Tokenizer& tokenizer) {
  int n = tokenizer.vocab_size();
  while (n > 0 && !tokenizer.has_token(n - 1)) n--;
  Digest digest = Digest::sha256();
  for (TokenId id = 0; id < n; id++) {
    const std::string& text = tokenizer.token_text(id);
    digest.update(fmt::format("{}:", text.size()));
    digest.update(text);
  }
  return digest.finish_hex();
}

Result<std::optional<ShardInfo>> make_shard(const Tokenizer& tokenizer, const MakeShardOptions& options,
                                            const std::function<bool(uint64_t, uint64_t)>& progress) {
  uint64_t n_bytes = 0, n_done = 0;
  for (const std::string& path : options.inputs) {
    std::error_code code;
    const uint64_t size = std::filesystem::file_size(path, code);
    if (!code) n_bytes += size;  // what cannot be opened says so when its turn comes
  }
  ChatEncoder chat = TRY(ChatEncoder::create(tokenizer, options.chat_template));
  ShardWriter writer = TRY(ShardWriter::create(options.output, tokenizer.vocab_size(), vocabulary_digest(tokenizer)));
  Maker maker(tokenizer, std::move(chat), std::move(writer));
  for (const std::string& path : options.inputs) {
    DocumentReader reader = TRY(DocumentReader::open(path, options.separator));
    Document document;
    while (TRY(reader.next(document))) {
      const uint64_t n_before = n_done + reader.n_read() - document.text.size();
      auto on_part = [&](uint64_t n) { return progress(n_before + n, n_bytes); };
      const bool whole = TRY_IN(document.where, maker.add(document, on_part));
      if (!whole) return std::nullopt;
    }
    n_done += reader.n_bytes();
  }
  return TRY(maker.finish());
}

}  // namespace minke
