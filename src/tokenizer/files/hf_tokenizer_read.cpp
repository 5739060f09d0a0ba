// tokenizer.json: the vocabulary and merges of a BPE model, the added tokens and the post-processor.
#include <filesystem>
#include <nlohmann/json.hpp>

#include "base/file.h"
#include "tokenizer/bpe/vocabulary.h"
#include "tokenizer/files/hf_files.h"

namespace minke {
namespace {

constexpr size_t kMaxMerges = size_t{1} << 23;

Status read_vocab(TokenizerSpec& spec, const Json* vocab, const std::string& where) {
  if (vocab == nullptr || !vocab->is_object()) return error("{}: expected an object of tokens and ids", where);
  int64_t max_id = -1;
  for (const auto& [text, id] : vocab->items()) {
    bool small = id.is_number_unsigned() && id.get<uint64_t>() < uint64_t{kMaxVocabSize};
    if (!small) return error("{}: \"{}\": expected an id from 0 to {}, got {}", where, text, kMaxVocabSize - 1, shown_json(id));
    max_id = std::max(max_id, id.get<int64_t>());
  }
  resize_vocabulary(spec, static_cast<size_t>(max_id + 1));
  for (const auto& [text, id] : vocab->items()) {
    size_t i = id.get<size_t>();
    if (spec.kinds[i] != TokenKind::kUnused)
      return error("{}: \"{}\" and \"{}\" have the same id {}", where, spec.tokens[i], text, i);
    spec.tokens[i] = text;
    spec.kinds[i] = TokenKind::kNormal;
  }
  return {};
}

// "a b", or ["a", "b"] since tokens may contain spaces
Result<std::pair<std::string_view, std::string_view>> merge_parts(const Json& merge, const std::string& where, size_t rank) {
  if (merge.is_string()) {
    std::string_view text = merge.get_ref<const std::string&>();
    size_t space = text.find(' ');
    if (space == std::string_view::npos || text.find(' ', space + 1) != std::string_view::npos) {
      return error("{}[{}]: expected two tokens with one space between, got {}", where, rank, shown_json(merge));
    }
    return std::pair(text.substr(0, space), text.substr(space + 1));
  }
  if (!merge.is_array() || merge.size() != 2 || !merge[0].is_string() || !merge[1].is_string()) {
    return error("{}[{}]: expected two tokens, got {}", where, rank, shown_json(merge));
  }
  return std::pair<std::string_view, std::string_view>(merge[0].get_ref<const std::string&>(),
                                                       merge[1].get_ref<const std::string&>());
}

Status read_merges(TokenizerSpec& spec, const Json* merges, const std::string& where) {
  if (merges == nullptr || !merges->is_array()) return error("{}: expected an array", where);
  if (merges->size() > kMaxMerges) return error("{}: {} merges, at most {} are supported", where, merges->size(), kMaxMerges);
  TokenMap by_text(spec.tokens.size());
  for (size_t id = 0; id < spec.tokens.size(); id++) {
    if (spec.kinds[id] != TokenKind::kUnused) by_text.insert(spec.tokens[id], static_cast<TokenId>(id));
  }
  spec.merges.reserve(merges->size());
  std::string joined;
  for (const Json& merge : *merges) {
    auto [left, right] = TRY(merge_parts(merge, where, spec.merges.size()));
    joined.assign(left).append(right);
    std::optional<TokenId> ids[3];
    std::string_view texts[3] = {left, right, joined};
    for (int i = 0; i < 3; i++) {
      ids[i] = by_text.find(texts[i]);
      if (!ids[i]) return error("{}[{}]: token \"{}\" is not in the vocabulary", where, spec.merges.size(), texts[i]);
    }
    spec.merges.push_back({*ids[0], *ids[1], *ids[2]});
  }
  return {};
}

Status read_model(TokenizerSpec& spec, const Json* json, const std::string& where) {
  if (json == nullptr) return error("{}: missing", where);
  JsonFields model = TRY(JsonFields::of(*json, where));
  TRY(model.choice("type", {"BPE"}, "BPE"));  // old files have no type
  if (const Json* dropout = model.find("dropout");
      dropout != nullptr && !(dropout->is_number() && dropout->get<double>() == 0)) {
    return error("{}: {} is not supported, only null or 0: encoding would be random", model.where("dropout"),
                 shown_json(*dropout));
  }
  TRY(model.must_be_empty("continuing_subword_prefix"));
  TRY(model.must_be_empty("end_of_word_suffix"));
  spec.byte_fallback = TRY(model.boolean("byte_fallback", false));
  spec.ignore_merges = TRY(model.boolean("ignore_merges", false));
  spec.fuse_unk = TRY(model.boolean("fuse_unk", false));
  TRY(read_vocab(spec, model.find("vocab"), model.where("vocab")));
  TRY(read_merges(spec, model.find("merges"), model.where("merges")));
  std::optional<std::string> unk = TRY(model.optional_string("unk_token"));
  TRY(model.no_others());
  for (size_t id = 0; id < spec.tokens.size(); id++) {
    if (spec.byte_fallback && spec.kinds[id] == TokenKind::kNormal && parse_byte_token(spec.tokens[id]))
      spec.kinds[id] = TokenKind::kByte;
    if (unk && spec.kinds[id] != TokenKind::kUnused && spec.tokens[id] == *unk) {
      spec.unk = static_cast<TokenId>(id);
      spec.kinds[id] = TokenKind::kUnknown;
    }
  }
  if (unk && !spec.unk) return error("{}: \"{}\" is not in the vocabulary", model.where("unk_token"), *unk);
  return {};
}

Status read_added_tokens(TokenizerSpec& spec, const Json* json, const std::string& where) {
  if (json == nullptr) return {};
  if (!json->is_array()) return error("{}: expected an array, got {}", where, shown_json(*json));
  for (size_t i = 0; i < json->size(); i++) {
    std::string here = fmt::format("{}[{}]", where, i);
    JsonFields fields = TRY(JsonFields::of((*json)[i], here));
    int64_t id = TRY(fields.integer("id"));
    if (id < 0 || id >= kMaxVocabSize) return error("{}.id: expected 0 to {}, got {}", here, kMaxVocabSize - 1, id);
    AddedToken token = TRY(parse_added_token(fields, static_cast<TokenId>(id)));
    TRY(place_added_token(spec, std::move(token), here));
  }
  return {};
}

// The ids around sequence A of TemplateProcessing.
Status read_template(TokenizerSpec& spec, JsonFields& fields) {
  const Json* single = fields.find("single");
  const Json* tokens = fields.find("special_tokens");
  fields.ignore("pair");
  if (single == nullptr || !single->is_array() || tokens == nullptr || !tokens->is_object()) {
    return error("{}: expected an array with special_tokens beside it", fields.where("single"));
  }
  bool after_text = false;
  for (const Json& item : *single) {
    JsonFields piece = TRY(JsonFields::of(item, fields.where("single")));
    const Json* sequence = piece.find("Sequence");
    const Json* special = piece.find("SpecialToken");
    TRY(piece.no_others());
    if ((sequence == nullptr) == (special == nullptr))
      return error("{}: expected Sequence or SpecialToken", fields.where("single"));
    if (sequence != nullptr) {
      if (after_text) return error("{}: more than one Sequence", fields.where("single"));
      after_text = true;
      continue;
    }
    JsonFields name = TRY(JsonFields::of(*special, piece.where("SpecialToken")));
    std::string token = TRY(name.string("id"));
    auto it = tokens->find(token);
    if (it == tokens->end()) return error("{}: \"{}\" is missing", fields.where("special_tokens"), token);
    JsonFields entry = TRY(JsonFields::of(*it, fields.where("special_tokens")));
    const Json* ids = entry.find("ids");
    if (ids == nullptr || !ids->is_array()) return error("{}: expected an array", entry.where("ids"));
    for (const Json& id : *ids) {
      bool small = id.is_number_unsigned() && id.get<uint64_t>() < spec.tokens.size();
      if (!small) return error("{}: expected an id below {}, got {}", entry.where("ids"), spec.tokens.size(), shown_json(id));
      (after_text ? spec.suffix : spec.prefix).push_back(id.get<TokenId>());
    }
  }
  if (!after_text) return error("{}: no Sequence", fields.where("single"));
  return {};
}

Status read_post_processor(TokenizerSpec& spec, const Json* json, const std::string& where, int depth = 0) {
  if (json == nullptr || json->is_null()) return {};
  JsonFields fields = TRY(JsonFields::of(*json, where));
  std::string type = TRY(fields.string("type"));
  if (type == "ByteLevel") return {};  // offsets only
  if (type == "TemplateProcessing") {
    if (!spec.prefix.empty() || !spec.suffix.empty()) return error("{}: more than one TemplateProcessing", where);
    return read_template(spec, fields);
  }
  if (type != "Sequence" || depth > 0) {
    return error("{}: \"{}\" is not supported; supported are Sequence, ByteLevel, TemplateProcessing", fields.where("type"),
                 type);
  }
  const Json* list = fields.find("processors");
  if (list == nullptr || !list->is_array()) return error("{}: expected an array", fields.where("processors"));
  for (const Json& item : *list) TRY(read_post_processor(spec, &item, fields.where("processors"), depth + 1));
  return {};
}

}  // namespace

void resize_vocabulary(TokenizerSpec& spec, size_t n) {
  spec.tokens.resize(n);
  spec.kinds.resize(n, TokenKind::kUnused);
}

Result<AddedToken> parse_added_token(JsonFields& fields, TokenId id) {
  AddedToken token;
  token.id = id;
  token.content = TRY(fields.string("content"));
  token.special = TRY(fields.boolean("special", false));
  token.single_word = TRY(fields.boolean("single_word", false));
  token.lstrip = TRY(fields.boolean("lstrip", false));
  token.rstrip = TRY(fields.boolean("rstrip", false));
  token.normalized = TRY(fields.boolean("normalized", !token.special));
  TRY(fields.no_others());
  return token;
}

Status place_added_token(TokenizerSpec& spec, AddedToken token, const std::string& where) {
  auto id = static_cast<size_t>(token.id);
  if (id >= spec.tokens.size()) resize_vocabulary(spec, id + 1);
  TokenKind& kind = spec.kinds[id];
  if (kind == TokenKind::kUnused) {
    spec.tokens[id] = token.content;
  } else if (spec.tokens[id] != token.content) {
    return error("{}: id {} is already \"{}\", not \"{}\"", where, id, spec.tokens[id], token.content);
  } else {
    token.in_model = true;
  }
  if (kind != TokenKind::kUnknown) kind = token.special ? TokenKind::kControl : TokenKind::kUserDefined;
  spec.added.push_back(std::move(token));
  return {};
}

Result<TokenizerSpec> parse_tokenizer_json(const Json& json, const std::string& where) {
  JsonFields top = TRY(JsonFields::of(json, where));
  for (const char* key : {"version", "truncation", "padding"})
    top.ignore(key);  // set again for each call by all users of the file
  static const Json kNull;
  auto section = [&](const char* key) -> const Json& {
    const Json* value = top.find(key);
    return value == nullptr ? kNull : *value;
  };
  TokenizerSpec spec;
  TRY(read_model(spec, top.find("model"), top.where("model")));
  TRY(read_added_tokens(spec, top.find("added_tokens"), top.where("added_tokens")));
  spec.normalizer = TRY(parse_normalizer(section("normalizer"), top.where("normalizer")));
  spec.pre_tokenizer = TRY(parse_pre_tokenizer(section("pre_tokenizer"), top.where("pre_tokenizer")));
  spec.decoder = TRY(parse_decoder(section("decoder"), top.where("decoder")));
  TRY(read_post_processor(spec, top.find("post_processor"), top.where("post_processor")));
  TRY(top.no_others());
  return spec;
}

}  // namespace minke
