// tokenizer_config.json and chat_template.jinja, and the order in which the files of a model directory are read.
#include <algorithm>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "base/file.h"
#include "base/utf8.h"
#include "tokenizer/files/hf_files.h"

namespace minke {
namespace {

constexpr size_t kMaxTemplateBytes = size_t{4} << 20;
constexpr size_t kMaxTiktokenBytes = size_t{64} << 20;

// A token name is a string or an AddedToken object.
Result<std::optional<std::string>> token_name(JsonFields& config, std::string_view key) {
  const Json* value = config.find(key);
  if (value == nullptr) return std::nullopt;
  if (!value->is_object()) return config.optional_string(key);
  JsonFields token = TRY(JsonFields::of(*value, config.where(key)));
  return token.optional_string("content");
}

std::optional<TokenId> find_token(const TokenizerSpec& spec, const std::string& text) {
  for (const AddedToken& token : spec.added) {
    if (token.content == text) return token.id;
  }
  for (size_t id = 0; id < spec.tokens.size(); id++) {
    if (spec.kinds[id] != TokenKind::kUnused && spec.tokens[id] == text) return static_cast<TokenId>(id);
  }
  return std::nullopt;
}

// Its entries override the flags in tokenizer.json and add the tokens that are missing there.
Status read_added_tokens_decoder(TokenizerSpec& spec, JsonFields& config) {
  const Json* json = config.find("added_tokens_decoder");
  if (json == nullptr) return {};
  std::string where = config.where("added_tokens_decoder");
  if (!json->is_object()) return error("{}: expected an object, got {}", where, shown_json(*json));
  for (const auto& [key, value] : json->items()) {
    bool digits =
        !key.empty() && key.size() <= 9 && std::all_of(key.begin(), key.end(), [](char c) { return c >= '0' && c <= '9'; });
    int64_t id = digits ? std::stoll(key) : -1;
    if (id < 0 || id >= kMaxVocabSize) return error("{}: \"{}\": expected an id from 0 to {}", where, key, kMaxVocabSize - 1);
    std::string here = fmt::format("{}.{}", where, key);
    JsonFields fields = TRY(JsonFields::of(value, here));
    fields.ignore("__type");
    AddedToken token = TRY(parse_added_token(fields, static_cast<TokenId>(id)));
    auto known = std::find_if(spec.added.begin(), spec.added.end(), [&](const AddedToken& a) { return a.id == token.id; });
    if (known == spec.added.end()) {
      TRY(place_added_token(spec, std::move(token), here));
      continue;
    }
    if (known->content != token.content)
      return error("{}: is \"{}\" in tokenizer.json, but \"{}\" here", here, known->content, token.content);
    token.special = token.special || known->special;
    token.in_model = known->in_model;
    TokenKind& kind = spec.kinds[static_cast<size_t>(token.id)];
    if (kind == TokenKind::kUserDefined && token.special) kind = TokenKind::kControl;
    *known = std::move(token);
  }
  return {};
}

Status read_named_tokens(TokenizerSpec& spec, JsonFields& config) {
  auto bos = TRY(token_name(config, "bos_token"));
  auto eos = TRY(token_name(config, "eos_token"));
  auto pad = TRY(token_name(config, "pad_token"));
  if (bos) {
    spec.bos = find_token(spec, *bos);
    if (!spec.bos) return error("{}: \"{}\" is not in the vocabulary", config.where("bos_token"), *bos);
  }
  if (eos) {
    auto id = find_token(spec, *eos);
    if (!id) return error("{}: \"{}\" is not in the vocabulary", config.where("eos_token"), *eos);
    spec.eos = {*id};
  }
  // A pad token that is not in the vocabulary is added by transformers for training; no text is made with it.
  if (pad) spec.pad = find_token(spec, *pad);
  return {};
}

// LlamaTokenizer makes its own template from add_bos_token (default true) and add_eos_token (default false); for other
// classes the template of tokenizer.json holds unless the configuration says otherwise.
Status read_add_special(TokenizerSpec& spec, JsonFields& config) {
  bool llama = spec.tokenizer_class.starts_with("LlamaTokenizer");
  auto wanted = [&](const char* key, bool llama_default) -> Result<std::optional<bool>> {
    if (config.find(key) != nullptr) return TRY(config.boolean(key, false));
    return llama ? std::optional(llama_default) : std::nullopt;
  };
  std::optional<bool> add_bos = TRY(wanted("add_bos_token", true));
  std::optional<bool> add_eos = TRY(wanted("add_eos_token", false));
  if (add_bos) {
    spec.prefix.clear();
    if (*add_bos && !spec.bos) return error("{}: true, but there is no bos_token", config.where("add_bos_token"));
    if (*add_bos) spec.prefix = {*spec.bos};
  }
  if (add_eos) {
    spec.suffix.clear();
    if (*add_eos && spec.eos.empty()) return error("{}: true, but there is no eos_token", config.where("add_eos_token"));
    if (*add_eos) spec.suffix = {spec.eos.front()};
  }
  return {};
}

Status read_chat_templates(TokenizerSpec& spec, JsonFields& config) {
  const Json* json = config.find("chat_template");
  if (json == nullptr) return {};
  std::string where = config.where("chat_template");
  if (json->is_string()) {
    spec.chat_templates = {{"default", json->get<std::string>()}};
    return {};
  }
  if (!json->is_array()) return error("{}: expected a string or an array, got {}", where, shown_json(*json));
  for (const Json& item : *json) {
    JsonFields fields = TRY(JsonFields::of(item, where));
    std::string name = TRY(fields.string("name"));
    std::string text = TRY(fields.string("template"));
    spec.chat_templates.push_back({std::move(name), std::move(text)});
  }
  return {};
}

bool is_there(const std::filesystem::path& path) {
  std::error_code ignored;
  return std::filesystem::exists(path, ignored);
}

Status read_beside(TokenizerSpec& spec, const std::filesystem::path& directory) {
  std::filesystem::path config = directory / "tokenizer_config.json";
  if (is_there(config)) {
    Json json = TRY(read_json_file(config.string()));
    TRY(apply_tokenizer_config(spec, json, config.string()));
  }
  std::filesystem::path chat = directory / "chat_template.jinja";
  if (is_there(chat)) {  // newer than the configuration's own template, and in force when both are there
    std::string text = TRY(read_file(chat.string(), kMaxTemplateBytes));
    if (!utf8_valid(text)) return error("{}: not valid UTF-8", chat.string());
    std::erase_if(spec.chat_templates, [](const ChatTemplate& t) { return t.name == "default"; });
    spec.chat_templates.insert(spec.chat_templates.begin(), {"default", std::move(text)});
  }
  return {};
}

}  // namespace

Status apply_tokenizer_config(TokenizerSpec& spec, const Json& json, const std::string& where) {
  JsonFields config = TRY(JsonFields::of(json, where));
  std::optional<std::string> tokenizer_class = TRY(config.optional_string("tokenizer_class"));
  spec.tokenizer_class = tokenizer_class.value_or("");
  TRY(read_added_tokens_decoder(spec, config));
  TRY(read_named_tokens(spec, config));
  TRY(read_add_special(spec, config));
  TRY(read_chat_templates(spec, config));
  spec.clean_up_spaces = TRY(config.boolean("clean_up_tokenization_spaces", false));
  // Often the float 1e30, which means no limit.
  const Json* length = config.find("model_max_length");
  bool bounded = length != nullptr && length->is_number_unsigned() && length->get<uint64_t>() <= uint64_t{1} << 40;
  if (bounded) spec.model_max_length = length->get<int64_t>();
  return {};
}

Result<TokenizerSpec> read_hf_tokenizer(const std::string& path) {
  Json json = TRY(read_json_file(path));
  TokenizerSpec spec = TRY(parse_tokenizer_json(json, path));
  TRY(read_beside(spec, std::filesystem::path(path).parent_path()));
  return spec;
}

Result<TokenizerSpec> read_hf_directory(const std::string& directory) {
  std::filesystem::path root(directory);
  if (is_there(root / "tokenizer.json")) return read_hf_tokenizer((root / "tokenizer.json").string());
  std::string ranks = (root / "tiktoken.model").string();
  if (!is_there(ranks)) return error("{}: no tokenizer.json and no tiktoken.model in this directory", directory);
  std::string text = TRY(read_file(ranks, kMaxTiktokenBytes));
  TokenizerSpec spec = TRY(parse_tiktoken(text, ranks));
  TRY(read_beside(spec, root));
  return spec;
}

}  // namespace minke
