// The real tokenizers of tests/data/tokenizers and their vectors.
#pragma once

#include <nlohmann/json.hpp>

#include "base/file.h"
#include "base/json.h"
#include "format/gguf.h"
#include "support/support.h"
#include "tokenizer/tokenizer.h"

namespace minke::testing {

using Ids = std::vector<TokenId>;

inline std::string tokenizer_path(const std::string& name) { return repository_path("tests/data/tokenizers/" + name); }

// Qwen 3 and R1-Distill-Qwen have the vocabulary and merges of Qwen 2.5, so only the rest of their tokenizer.json is stored.
// Qwen 3 spells its merges as pairs.
inline std::string tokenizer_json_text(const std::string& name) {
  if (name != "qwen3" && name != "r1_distill_qwen_DERIVED") return read_test_file(tokenizer_path(name + "/tokenizer.json.gz"));
  Json json = value_of(parse_json(read_test_file(tokenizer_path(name + "/tokenizer_without_vocab.json")), name));
  Json qwen = value_of(parse_json(read_test_file(tokenizer_path("qwen2_5/tokenizer.json.gz")), "qwen2_5"));
  json["model"]["vocab"] = std::move(qwen["model"]["vocab"]);
  Json merges = std::move(qwen["model"]["merges"]);
  if (name == "qwen3") {
    for (Json& merge : merges) {
      const std::string text = merge.get<std::string>();
      size_t space = text.find(' ');
      merge = Json::array({text.substr(0, space), text.substr(space + 1)});
    }
  }
  json["model"]["merges"] = std::move(merges);
  return dump_json(json);
}

inline Tokenizer load_tokenizer(const std::string& name) {
  TemporaryDirectory directory;
  value_of(write_file(directory.file("tokenizer.json"), tokenizer_json_text(name)));
  value_of(
      write_file(directory.file("tokenizer_config.json"), read_test_file(tokenizer_path(name + "/tokenizer_config.json"))));
  return value_of(Tokenizer::from_directory(directory.path().string()));
}

inline Tokenizer load_gguf_vocab(const std::string& path) {
  TemporaryDirectory directory;
  value_of(write_file(directory.file("vocab.gguf"), read_test_file(path)));
  GgufFile file = value_of(open_gguf(directory.file("vocab.gguf")));
  return value_of(Tokenizer::from_gguf(file.metadata, path));
}

inline std::vector<Json> vectors(const std::string& path) {
  std::vector<Json> rows;
  for (const std::string& line : read_test_lines(path)) rows.push_back(value_of(parse_json(line, path)));
  return rows;
}

inline Ids encode(const Tokenizer& tokenizer, std::string_view text, EncodeOptions options = {.add_special = false}) {
  return value_of(tokenizer.encode(text, options));
}
inline std::string decode(const Tokenizer& tokenizer, const Ids& ids, DecodeOptions options = {}) {
  return value_of(tokenizer.decode(ids, options));
}

// A small byte-level tokenizer.json: all 256 bytes, the given merges in order, a Split pattern, added tokens.
inline Json small_tokenizer(const std::vector<std::pair<std::string, std::string>>& merges, const std::string& regex) {
  Json vocab = Json::object();
  auto symbol = [](int byte) {
    bool own = (byte >= 0x21 && byte <= 0x7E) || (byte >= 0xA1 && byte <= 0xAC) || byte >= 0xAE;
    int shift = 0;
    for (int b = 0; b < byte; b++) shift += !((b >= 0x21 && b <= 0x7E) || (b >= 0xA1 && b <= 0xAC) || b >= 0xAE);
    std::string text;
    char32_t c = static_cast<char32_t>(own ? byte : 0x100 + shift);
    if (c < 0x80) return std::string(1, static_cast<char>(c));
    text += static_cast<char>(0xC0 | (c >> 6));
    text += static_cast<char>(0x80 | (c & 0x3F));
    return text;
  };
  for (int byte = 0; byte < 256; byte++) vocab[symbol(byte)] = byte;
  Json list = Json::array();
  for (const auto& [left, right] : merges) {
    list.push_back(left + " " + right);
    vocab[left + right] = vocab.size();
  }
  Json json;
  json["added_tokens"] = Json::array();
  json["normalizer"] = nullptr;
  json["pre_tokenizer"] = {
      {"type", "Sequence"},
      {"pretokenizers",
       {{{"type", "Split"}, {"pattern", {{"Regex", regex}}}, {"behavior", "Isolated"}, {"invert", false}},
        {{"type", "ByteLevel"}, {"add_prefix_space", false}, {"trim_offsets", true}, {"use_regex", false}}}}};
  json["post_processor"] = nullptr;
  json["decoder"] = {{"type", "ByteLevel"}};
  json["model"] = {{"type", "BPE"}, {"vocab", vocab}, {"merges", list}};
  return json;
}

inline Result<Tokenizer> load_json(const Json& json) {
  TemporaryDirectory directory;
  value_of(write_file(directory.file("tokenizer.json"), dump_json(json)));
  return Tokenizer::from_tokenizer_json(directory.file("tokenizer.json"));
}

}  // namespace minke::testing
