// A spec as tokenizer.json and tokenizer_config.json.
#include <algorithm>
#include <nlohmann/json.hpp>

#include "tokenizer/files/hf_files.h"
#include "tokenizer/files/score_merges.h"

namespace minke {
namespace {

// operator[] of ordered_json searches the whole object each time.
void append(Json& object, std::string key, Json value) {
  auto& map = object.get_ref<Json::object_t&>();
  static_cast<Json::object_t::Container&>(map).emplace_back(std::move(key), std::move(value));
}

// No step is null, one is itself, several are a Sequence.
Json section(std::vector<Json> steps, const char* list_key) {
  if (steps.empty()) return nullptr;
  if (steps.size() == 1) return std::move(steps.front());
  return Json{{"type", "Sequence"}, {list_key, Json(std::move(steps))}};
}

const std::string& text_of(const TokenizerSpec& spec, TokenId id) { return spec.tokens[static_cast<size_t>(id)]; }

// The reference numbers added tokens that the model does not have one after another behind the model's own. Where that would
// give other ids, the model has to have them.
bool added_follow_model(const TokenizerSpec& spec) {
  std::vector<bool> is_added(spec.tokens.size());
  for (const AddedToken& token : spec.added) is_added[static_cast<size_t>(token.id)] = !token.in_model;
  int64_t n_model = 0;
  for (size_t id = 0; id < spec.tokens.size(); id++) n_model += spec.kinds[id] != TokenKind::kUnused && !is_added[id];
  std::vector<TokenId> ids;
  for (const AddedToken& token : spec.added) {
    if (!token.in_model) ids.push_back(token.id);
  }
  std::sort(ids.begin(), ids.end());
  for (size_t i = 0; i < ids.size(); i++) {
    if (ids[i] != n_model + static_cast<int64_t>(i)) return false;
  }
  return true;
}

Json vocab_json(const TokenizerSpec& spec) {
  std::vector<bool> left_out(spec.tokens.size());
  if (added_follow_model(spec)) {
    for (const AddedToken& token : spec.added) left_out[static_cast<size_t>(token.id)] = !token.in_model;
  }
  Json vocab = Json::object();
  for (size_t id = 0; id < spec.tokens.size(); id++) {
    if (spec.kinds[id] != TokenKind::kUnused && !left_out[id]) append(vocab, spec.tokens[id], id);
  }
  return vocab;
}

Json merges_json(const TokenizerSpec& spec) {
  std::vector<Merge> merges = spec.scores.empty() ? spec.merges : merges_from_scores(spec);
  bool spaces = std::any_of(merges.begin(), merges.end(),
                            [&](const Merge& m) { return text_of(spec, m.result).find(' ') != std::string::npos; });
  Json list = Json::array();
  for (const Merge& m : merges) {
    const std::string& left = text_of(spec, m.left);
    const std::string& right = text_of(spec, m.right);
    list.push_back(spaces ? Json::array({left, right}) : Json(left + " " + right));
  }
  return list;
}

Json model_json(const TokenizerSpec& spec) {
  Json model = Json::object();
  append(model, "type", "BPE");
  append(model, "dropout", nullptr);
  append(model, "unk_token", spec.unk ? Json(text_of(spec, *spec.unk)) : Json(nullptr));
  append(model, "continuing_subword_prefix", nullptr);
  append(model, "end_of_word_suffix", nullptr);
  append(model, "fuse_unk", spec.fuse_unk);
  append(model, "byte_fallback", spec.byte_fallback);
  append(model, "ignore_merges", spec.ignore_merges);
  append(model, "vocab", vocab_json(spec));
  append(model, "merges", merges_json(spec));
  return model;
}

Json added_tokens_json(const TokenizerSpec& spec) {
  std::vector<const AddedToken*> by_id;
  for (const AddedToken& token : spec.added) by_id.push_back(&token);
  std::sort(by_id.begin(), by_id.end(), [](const AddedToken* a, const AddedToken* b) { return a->id < b->id; });
  Json list = Json::array();
  for (const AddedToken* token : by_id) {
    list.push_back({{"id", token->id},
                    {"content", token->content},
                    {"single_word", token->single_word},
                    {"lstrip", token->lstrip},
                    {"rstrip", token->rstrip},
                    {"normalized", token->normalized},
                    {"special", token->special}});
  }
  return list;
}

Json post_processor_json(const TokenizerSpec& spec) {
  if (spec.prefix.empty() && spec.suffix.empty()) return nullptr;
  Json single = Json::array(), tokens = Json::object();
  auto add = [&](TokenId id) {
    const std::string& text = text_of(spec, id);
    single.push_back({{"SpecialToken", {{"id", text}, {"type_id", 0}}}});
    tokens[text] = {{"id", text}, {"ids", Json::array({id})}, {"tokens", Json::array({text})}};
  };
  for (TokenId id : spec.prefix) add(id);
  single.push_back({{"Sequence", {{"id", "A"}, {"type_id", 0}}}});
  for (TokenId id : spec.suffix) add(id);
  Json pair = single;
  pair.push_back({{"Sequence", {{"id", "B"}, {"type_id", 1}}}});
  return {{"type", "TemplateProcessing"}, {"single", single}, {"pair", pair}, {"special_tokens", tokens}};
}

Json config_json(const TokenizerSpec& spec) {
  Json config = Json::object();
  auto name = [&](const char* key, std::optional<TokenId> id) { config[key] = id ? Json(text_of(spec, *id)) : Json(nullptr); };
  std::optional<TokenId> eos = spec.eos.empty() ? std::nullopt : std::optional(spec.eos.front());
  // Said only where it is the whole truth; else the post-processor of tokenizer.json holds.
  bool bos_decides = spec.prefix.empty() || (spec.bos && spec.prefix == std::vector{*spec.bos});
  bool eos_decides = spec.suffix.empty() || (eos && spec.suffix == std::vector{*eos});
  if (bos_decides) config["add_bos_token"] = !spec.prefix.empty();
  if (eos_decides) config["add_eos_token"] = !spec.suffix.empty();
  name("bos_token", spec.bos);
  name("eos_token", eos);
  name("pad_token", spec.pad);
  name("unk_token", spec.unk);
  config["clean_up_tokenization_spaces"] = spec.clean_up_spaces;
  if (spec.model_max_length) config["model_max_length"] = *spec.model_max_length;
  bool keep_class = !spec.tokenizer_class.empty() && bos_decides && eos_decides;
  config["tokenizer_class"] = keep_class ? spec.tokenizer_class : "PreTrainedTokenizerFast";
  bool only_default = spec.chat_templates.size() == 1 && spec.chat_templates.front().name == "default";
  if (only_default) config["chat_template"] = spec.chat_templates.front().text;
  if (!only_default && !spec.chat_templates.empty()) {
    for (const ChatTemplate& chat : spec.chat_templates)
      config["chat_template"].push_back({{"name", chat.name}, {"template", chat.text}});
  }
  return config;
}

}  // namespace

Result<Tokenizer::HfFiles> write_hf_files(const TokenizerSpec& spec) {
  Json json = Json::object();
  append(json, "version", "1.0");
  append(json, "truncation", nullptr);
  append(json, "padding", nullptr);
  append(json, "added_tokens", added_tokens_json(spec));
  append(json, "normalizer", normalizer_json(spec.normalizer));
  append(json, "pre_tokenizer", pre_tokenizer_json(spec.pre_tokenizer));
  append(json, "post_processor", post_processor_json(spec));
  append(json, "decoder", decoder_json(spec.decoder));
  append(json, "model", model_json(spec));
  return Tokenizer::HfFiles{dump_json(json, 1), dump_json(config_json(spec), 2)};
}

namespace {

Json pattern_json(const TextPattern& pattern) { return {{pattern.is_regex ? "Regex" : "String", pattern.text}}; }

const char* scheme_name(PrependScheme scheme) {
  constexpr const char* kNames[] = {"always", "first", "never"};
  return kNames[static_cast<size_t>(scheme)];
}

Json normalizer_step_json(const NormalizerStep& step) {
  using Kind = NormalizerStep::Kind;
  switch (step.kind) {
    case Kind::kNfc:
      return {{"type", "NFC"}};
    case Kind::kNfd:
      return {{"type", "NFD"}};
    case Kind::kNfkc:
      return {{"type", "NFKC"}};
    case Kind::kNfkd:
      return {{"type", "NFKD"}};
    case Kind::kLowercase:
      return {{"type", "Lowercase"}};
    case Kind::kStrip:
      return {{"type", "Strip"}, {"strip_left", step.left}, {"strip_right", step.right}};
    case Kind::kPrepend:
      return {{"type", "Prepend"}, {"prepend", step.content}};
    case Kind::kReplace:
      return {{"type", "Replace"}, {"pattern", pattern_json(step.pattern)}, {"content", step.content}};
  }
  return nullptr;
}

Json pre_tokenizer_step_json(const PreTokenizerStep& step) {
  using Kind = PreTokenizerStep::Kind;
  constexpr const char* kBehaviors[] = {"Isolated", "Removed", "MergedWithPrevious", "MergedWithNext", "Contiguous"};
  const char* behavior = kBehaviors[static_cast<size_t>(step.behavior)];
  switch (step.kind) {
    case Kind::kSplit:
      return {{"type", "Split"}, {"pattern", pattern_json(step.pattern)}, {"behavior", behavior}, {"invert", step.invert}};
    case Kind::kByteLevel:
      return {{"type", "ByteLevel"},
              {"add_prefix_space", step.add_prefix_space},
              {"trim_offsets", true},
              {"use_regex", step.use_regex}};
    case Kind::kMetaspace:
      return {{"type", "Metaspace"},
              {"replacement", step.replacement},
              {"prepend_scheme", scheme_name(step.prepend)},
              {"split", step.split}};
    case Kind::kDigits:
      return {{"type", "Digits"}, {"individual_digits", step.individual_digits}};
    case Kind::kPunctuation:
      return {{"type", "Punctuation"}, {"behavior", behavior}};
    case Kind::kWhitespace:
      return {{"type", "Whitespace"}};
    case Kind::kWhitespaceSplit:
      return {{"type", "WhitespaceSplit"}};
  }
  return nullptr;
}

Json decoder_step_json(const DecoderStep& step) {
  using Kind = DecoderStep::Kind;
  switch (step.kind) {
    case Kind::kByteLevel:
      return {{"type", "ByteLevel"}, {"add_prefix_space", true}, {"trim_offsets", true}, {"use_regex", true}};
    case Kind::kReplace:
      return {{"type", "Replace"}, {"pattern", {{"String", step.pattern}}}, {"content", step.content}};
    case Kind::kByteFallback:
      return {{"type", "ByteFallback"}};
    case Kind::kFuse:
      return {{"type", "Fuse"}};
    case Kind::kStrip:
      return {{"type", "Strip"}, {"content", step.content}, {"start", step.strip_start}, {"stop", 0}};
    case Kind::kMetaspace:
      return {{"type", "Metaspace"},
              {"replacement", step.replacement},
              {"prepend_scheme", scheme_name(step.prepend)},
              {"split", true}};
  }
  return nullptr;
}

}  // namespace

Json normalizer_json(const std::vector<NormalizerStep>& steps) {
  std::vector<Json> list;
  for (const NormalizerStep& step : steps) list.push_back(normalizer_step_json(step));
  return section(std::move(list), "normalizers");
}

Json pre_tokenizer_json(const std::vector<PreTokenizerStep>& steps) {
  std::vector<Json> list;
  for (const PreTokenizerStep& step : steps) list.push_back(pre_tokenizer_step_json(step));
  return section(std::move(list), "pretokenizers");
}

Json decoder_json(const std::vector<DecoderStep>& steps) {
  std::vector<Json> list;
  for (const DecoderStep& step : steps) list.push_back(decoder_step_json(step));
  return section(std::move(list), "decoders");
}

}  // namespace minke
