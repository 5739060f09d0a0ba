// The normalizer, pre_tokenizer and decoder sections of tokenizer.json.
#include <nlohmann/json.hpp>

#include "tokenizer/files/hf_files.h"

namespace minke {
namespace {

constexpr int kMaxNesting = 8;

// Walks a section: null is no step, {"type": "Sequence", <list_key>: [...]} is its items in order, anything else is one step.
template <typename Step>
Status read_steps(const Json& json, const std::string& where, const char* list_key,
                  Result<Step> (*read)(JsonFields&, const std::string&), std::vector<Step>& out, int depth = 0) {
  if (json.is_null()) return {};
  if (depth > kMaxNesting) return error("{}: sequences are nested deeper than {}", where, kMaxNesting);
  JsonFields fields = TRY(JsonFields::of(json, where));
  std::string type = TRY(fields.string("type"));
  if (type != "Sequence") {
    Step step = TRY(read(fields, type));
    TRY(fields.no_others());
    out.push_back(std::move(step));
    return {};
  }
  const Json* list = fields.find(list_key);
  if (list == nullptr || !list->is_array()) return error("{}: expected an array", fields.where(list_key));
  TRY(fields.no_others());
  for (size_t i = 0; i < list->size(); i++) {
    TRY(read_steps((*list)[i], fmt::format("{}.{}[{}]", where, list_key, i), list_key, read, out, depth + 1));
  }
  return {};
}

// {"String": "..."} or {"Regex": "..."}
Result<TextPattern> read_pattern(JsonFields& fields) {
  const Json* json = fields.find("pattern");
  if (json == nullptr) return error("{}: missing", fields.where("pattern"));
  JsonFields inner = TRY(JsonFields::of(*json, fields.where("pattern")));
  std::optional<std::string> literal = TRY(inner.optional_string("String"));
  std::optional<std::string> regex = TRY(inner.optional_string("Regex"));
  TRY(inner.no_others());
  if (literal.has_value() == regex.has_value()) return error("{}: expected one of String and Regex", fields.where("pattern"));
  return regex ? TextPattern{true, *regex} : TextPattern{false, *literal};
}

Result<NormalizerStep> read_normalizer_step(JsonFields& fields, const std::string& type) {
  using Kind = NormalizerStep::Kind;
  static constexpr std::pair<const char*, Kind> kPlain[] = {
      {"NFC", Kind::kNfc}, {"NFD", Kind::kNfd}, {"NFKC", Kind::kNfkc}, {"NFKD", Kind::kNfkd}, {"Lowercase", Kind::kLowercase}};
  NormalizerStep step;
  for (auto [name, kind] : kPlain) {
    if (type != name) continue;
    step.kind = kind;
    return step;
  }
  if (type == "Strip") {
    step.kind = Kind::kStrip;
    step.left = TRY(fields.boolean("strip_left", true));
    step.right = TRY(fields.boolean("strip_right", true));
  } else if (type == "Prepend") {
    step.kind = Kind::kPrepend;
    step.content = TRY(fields.string("prepend"));
  } else if (type == "Replace") {
    step.kind = Kind::kReplace;
    step.pattern = TRY(read_pattern(fields));
    step.content = TRY(fields.string("content"));
  } else {
    return error(
        "{}: \"{}\" is not supported; supported are Sequence, NFC, NFD, NFKC, NFKD, Lowercase, Strip, Prepend, Replace",
        fields.where("type"), type);
  }
  return step;
}

Result<std::string> read_metaspace(JsonFields& fields, PrependScheme& prepend) {
  std::string replacement = TRY(fields.string("replacement"));
  fields.ignore("str_rep");  // the same again, in old files
  // Old files say add_prefix_space, new ones prepend_scheme.
  bool add_prefix_space = TRY(fields.boolean("add_prefix_space", true));
  size_t scheme = TRY(fields.choice("prepend_scheme", {"always", "first", "never"}, add_prefix_space ? "always" : "never"));
  prepend = static_cast<PrependScheme>(scheme);
  return replacement;
}

Result<PreTokenizerStep> read_pre_tokenizer_step(JsonFields& fields, const std::string& type) {
  using Kind = PreTokenizerStep::Kind;
  static const std::vector<std::string_view> kBehaviors = {"Isolated", "Removed", "MergedWithPrevious", "MergedWithNext",
                                                           "Contiguous"};
  PreTokenizerStep step;
  if (type == "Split") {
    step.kind = Kind::kSplit;
    step.pattern = TRY(read_pattern(fields));
    step.behavior = static_cast<SplitBehavior>(TRY(fields.choice("behavior", kBehaviors, "")));
    step.invert = TRY(fields.boolean("invert", false));
  } else if (type == "ByteLevel") {
    step.kind = Kind::kByteLevel;
    step.add_prefix_space = TRY(fields.boolean("add_prefix_space", true));
    step.use_regex = TRY(fields.boolean("use_regex", true));
    fields.ignore("trim_offsets");
  } else if (type == "Metaspace") {
    step.kind = Kind::kMetaspace;
    step.replacement = TRY(read_metaspace(fields, step.prepend));
    step.split = TRY(fields.boolean("split", true));
  } else if (type == "Digits") {
    step.kind = Kind::kDigits;
    step.individual_digits = TRY(fields.boolean("individual_digits", false));
  } else if (type == "Punctuation") {
    step.kind = Kind::kPunctuation;
    step.behavior = static_cast<SplitBehavior>(TRY(fields.choice("behavior", kBehaviors, "Isolated")));
  } else if (type == "Whitespace") {
    step.kind = Kind::kWhitespace;
  } else if (type == "WhitespaceSplit") {
    step.kind = Kind::kWhitespaceSplit;
  } else {
    return error(
        "{}: \"{}\" is not supported; supported are Sequence, Split, ByteLevel, Metaspace, Digits, Punctuation, Whitespace, "
        "WhitespaceSplit",
        fields.where("type"), type);
  }
  return step;
}

Result<DecoderStep> read_decoder_step(JsonFields& fields, const std::string& type) {
  using Kind = DecoderStep::Kind;
  DecoderStep step;
  if (type == "ByteLevel") {
    step.kind = Kind::kByteLevel;
    for (const char* key : {"add_prefix_space", "trim_offsets", "use_regex"}) fields.ignore(key);  // no meaning in decoding
  } else if (type == "ByteFallback") {
    step.kind = Kind::kByteFallback;
  } else if (type == "Fuse") {
    step.kind = Kind::kFuse;
  } else if (type == "Replace") {
    step.kind = Kind::kReplace;
    TextPattern pattern = TRY(read_pattern(fields));
    if (pattern.is_regex) return error("{}: Regex is not supported in a decoder, only String", fields.where("pattern"));
    step.pattern = pattern.text;
    step.content = TRY(fields.string("content"));
  } else if (type == "Strip") {
    step.kind = Kind::kStrip;
    step.content = TRY(fields.string("content"));
    int64_t start = TRY(fields.integer("start"));
    int64_t stop = TRY(fields.integer("stop"));
    if (stop != 0)
      return error("{}: {} is not supported, only 0: the end of a stream is not known in advance", fields.where("stop"), stop);
    if (start < 0 || start > 1000) return error("{}: expected 0 to 1000, got {}", fields.where("start"), start);
    step.strip_start = static_cast<int>(start);
  } else if (type == "Metaspace") {
    step.kind = Kind::kMetaspace;
    step.replacement = TRY(read_metaspace(fields, step.prepend));
    fields.ignore("split");
  } else {
    return error(
        "{}: \"{}\" is not supported; supported are Sequence, ByteLevel, Replace, ByteFallback, Fuse, Strip, Metaspace",
        fields.where("type"), type);
  }
  return step;
}

}  // namespace

Result<std::vector<NormalizerStep>> parse_normalizer(const Json& json, const std::string& where) {
  std::vector<NormalizerStep> steps;
  TRY(read_steps(json, where, "normalizers", read_normalizer_step, steps));
  return steps;
}

Result<std::vector<PreTokenizerStep>> parse_pre_tokenizer(const Json& json, const std::string& where) {
  std::vector<PreTokenizerStep> steps;
  TRY(read_steps(json, where, "pretokenizers", read_pre_tokenizer_step, steps));
  return steps;
}

Result<std::vector<DecoderStep>> parse_decoder(const Json& json, const std::string& where) {
  std::vector<DecoderStep> steps;
  TRY(read_steps(json, where, "decoders", read_decoder_step, steps));
  return steps;
}

}  // namespace minke
