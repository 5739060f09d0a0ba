// tokenizer.json, tokenizer_config.json, chat_template.jinja, tiktoken.model and GGUF keys: what they say is what is done.
#include "tokenizer/files/hf_files.h"
#include "tokenizer_testing.h"

namespace minke::testing {
namespace {

const std::string kLlama3 =
    "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}| "
    "?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+";

Json added(int id, const std::string& content, Json flags = Json::object()) {
  Json token = {{"id", id},        {"content", content},  {"single_word", false}, {"lstrip", false},
                {"rstrip", false}, {"normalized", false}, {"special", true}};
  for (const auto& [key, value] : flags.items()) token[key] = value;
  return token;
}

Json small() { return small_tokenizer({{"a", "b"}, {"ab", "c"}, {"Ġ", "abc"}}, kLlama3); }

Tokenizer with_config(const Json& json, const Json& config, const std::string& jinja = "") {
  TemporaryDirectory directory;
  value_of(write_file(directory.file("tokenizer.json"), dump_json(json)));
  value_of(write_file(directory.file("tokenizer_config.json"), dump_json(config)));
  if (!jinja.empty()) value_of(write_file(directory.file("chat_template.jinja"), jinja));
  return value_of(Tokenizer::from_directory(directory.path().string()));
}

Result<Tokenizer> try_config(const Json& json, const Json& config) {
  TemporaryDirectory directory;
  value_of(write_file(directory.file("tokenizer.json"), dump_json(json)));
  value_of(write_file(directory.file("tokenizer_config.json"), dump_json(config)));
  return Tokenizer::from_directory(directory.path().string());
}

TEST(TokenizerJson, MergesInBothSpellingsAndIgnoreMerges) {
  Json json = small();
  Tokenizer tokenizer = value_of(load_json(json));
  EXPECT_EQ(encode(tokenizer, "abc abc"), (Ids{257, 258}));
  for (Json& merge : json["model"]["merges"]) {
    std::string text = merge.get<std::string>();
    merge = Json::array({text.substr(0, text.find(' ')), text.substr(text.find(' ') + 1)});
  }
  EXPECT_EQ(encode(value_of(load_json(json)), "abc abc"), (Ids{257, 258}));
  // A token that no merge leads to is found only with ignore_merges.
  json["model"]["vocab"]["xyz"] = 259;
  EXPECT_EQ(encode(value_of(load_json(json)), "xyz").size(), 3u);
  json["model"]["ignore_merges"] = true;
  EXPECT_EQ(encode(value_of(load_json(json)), "xyz abc"), (Ids{259, 258}));
}

TEST(TokenizerJson, FlagsOfAddedTokens) {
  Json json = small();
  json["added_tokens"] = {added(300, "<s>"),
                          added(301, "<L>", {{"lstrip", true}}),
                          added(302, "<R>", {{"rstrip", true}}),
                          added(303, "word", {{"single_word", true}, {"special", false}}),
                          added(304, "<s>x"),
                          added(305, "tool", {{"special", false}})};
  Tokenizer tokenizer = value_of(load_json(json));
  EXPECT_EQ(tokenizer.vocab_size(), 306);
  EXPECT_FALSE(tokenizer.has_token(259));
  EXPECT_EQ(encode(tokenizer, "a<s>b"), (Ids{'a', 300, 'b'}));
  EXPECT_EQ(encode(tokenizer, "<s>xa<s>"), (Ids{304, 'a', 300}));  // the longest
  EXPECT_EQ(encode(tokenizer, "a \n<L> b"), (Ids{'a', 301, ' ', 'b'}));
  EXPECT_EQ(encode(tokenizer, "a <R>\u3000 b"), (Ids{'a', ' ', 302, 'b'}));
  Ids words = {303};
  for (char c : std::string(" 가word sword ")) words.push_back(static_cast<uint8_t>(c));  // byte b is token b
  words.insert(words.end(), {303, '!'});
  EXPECT_EQ(encode(tokenizer, "word 가word sword word!"), words);
  // Untrusted text: special tokens are letters, plain added tokens stay.
  EXPECT_EQ(encode(tokenizer, "<s>tool", {.add_special = false, .parse_special = false}), (Ids{'<', 's', '>', 305}));
  EXPECT_TRUE(tokenizer.is_special(300));
  EXPECT_FALSE(tokenizer.is_special(305));
  EXPECT_EQ(decode(tokenizer, {300, 'a', 305}, {.skip_special = true}), "atool");
  EXPECT_EQ(tokenizer.token_to_id("<s>x"), 304);
  EXPECT_EQ(tokenizer.token_to_id("nothing"), std::nullopt);
}

TEST(TokenizerJson, ControlTokensOfDeepSeekAreNotMadeFromUntrustedText) {
  Tokenizer tokenizer = load_tokenizer("deepseek_v3");
  for (const char* text : {"<｜User｜>", "<｜begin▁of▁sentence｜>", "<｜tool▁sep｜>", "<|EOT|>"}) {
    EXPECT_EQ(encode(tokenizer, text).size(), 1u) << text;
    Ids ids = encode(tokenizer, text, {.add_special = false, .parse_special = false});
    EXPECT_GT(ids.size(), 1u) << text;
    EXPECT_EQ(decode(tokenizer, ids), text);
  }
  EXPECT_FALSE(tokenizer.is_special(*tokenizer.token_to_id("<｜User｜>")));
}

TEST(TokenizerJson, TokensThatAreFoundAfterNormalisation) {
  Json json = small();
  json["normalizer"] = {{"type", "Lowercase"}};
  json["added_tokens"] = {added(300, "[Raw]"), added(301, "[Norm]", {{"normalized", true}})};
  Tokenizer tokenizer = value_of(load_json(json));
  EXPECT_EQ(encode(tokenizer, "[Raw][raw]").front(), 300);
  EXPECT_EQ(encode(tokenizer, "[Raw][raw]").size(), 6u);
  EXPECT_EQ(encode(tokenizer, "A[NORM]b[norm]"), (Ids{'a', 301, 'b', 301}));
}

TEST(TokenizerJson, UnknownCharacters) {
  // A character-level model without byte fallback.
  Json json = {{"model",
                {{"type", "BPE"},
                 {"unk_token", "<unk>"},
                 {"fuse_unk", true},
                 {"vocab", {{"<unk>", 0}, {"a", 1}, {"b", 2}, {"ab", 3}}},
                 {"merges", {"a b"}}}},
               {"decoder", {{"type", "Fuse"}}}};
  EXPECT_EQ(encode(value_of(load_json(json)), "가나abx"), (Ids{0, 3, 0}));
  json["model"]["fuse_unk"] = false;
  EXPECT_EQ(encode(value_of(load_json(json)), "가나abx"), (Ids{0, 0, 3, 0}));
  json["model"]["unk_token"] = nullptr;
  EXPECT_EQ(encode(value_of(load_json(json)), "가나abx"), (Ids{3}));
}

TEST(TokenizerJson, TemplateProcessing) {
  Json json = small();
  json["added_tokens"] = {added(300, "<s>"), added(301, "</s>")};
  Json processor = Json::parse(R"({"type":"TemplateProcessing",
    "single":[{"SpecialToken":{"id":"<s>","type_id":0}},{"Sequence":{"id":"A","type_id":0}},{"SpecialToken":{"id":"</s>","type_id":0}}],
    "pair":[],"special_tokens":{"<s>":{"id":"<s>","ids":[300],"tokens":["<s>"]},"</s>":{"id":"</s>","ids":[301],"tokens":["</s>"]}}})");
  json["post_processor"] = {{"type", "Sequence"},
                            {"processors", {{{"type", "ByteLevel"}, {"trim_offsets", false}}, processor}}};
  Tokenizer tokenizer = value_of(load_json(json));
  EXPECT_EQ(encode(tokenizer, "a", {}), (Ids{300, 'a', 301}));
  EXPECT_EQ(encode(tokenizer, "", {}), (Ids{300, 301}));
  EXPECT_EQ(encode(tokenizer, "a"), (Ids{'a'}));
  processor["special_tokens"].erase("<s>");
  json["post_processor"] = processor;
  EXPECT_ERROR(load_json(json), "\"<s>\" is missing");
}

TEST(TokenizerConfig, BosAndEos) {
  Json json = small();
  json["added_tokens"] = {added(300, "<s>"), added(301, "</s>")};
  Json names = {{"bos_token", {{"__type", "AddedToken"}, {"content", "<s>"}}},
                {"eos_token", "</s>"},
                {"pad_token", "</s>"},
                {"unk_token", nullptr}};
  Tokenizer plain = with_config(json, names);
  EXPECT_EQ(plain.bos(), 300);
  EXPECT_EQ(plain.eos(), 301);
  EXPECT_EQ(plain.pad(), 301);
  EXPECT_EQ(plain.eos_ids(), (Ids{301}));
  EXPECT_EQ(encode(plain, "a", {}), (Ids{'a'}));
  Json config = names;
  config["tokenizer_class"] = "LlamaTokenizerFast";  // adds bos unless told otherwise
  EXPECT_EQ(encode(with_config(json, config), "a", {}), (Ids{300, 'a'}));
  config["add_bos_token"] = false;
  config["add_eos_token"] = true;
  EXPECT_EQ(encode(with_config(json, config), "a", {}), (Ids{'a', 301}));
  EXPECT_EQ(encode(load_tokenizer("deepseek_v3"), "Hi", {}).front(), 0);
  EXPECT_NE(encode(load_tokenizer("qwen2_5"), "Hi", {}).front(), 151643);
  EXPECT_ERROR(try_config(json, {{"bos_token", "<nope>"}}),
               "tokenizer_config.json.bos_token: \"<nope>\" is not in the vocabulary");
  EXPECT_ERROR(try_config(json, {{"add_bos_token", true}}), "add_bos_token: true, but there is no bos_token");
  EXPECT_ERROR(try_config(json, {{"add_bos_token", "yes"}}), "add_bos_token: expected true or false, got \"yes\"");
}

TEST(TokenizerConfig, AddedTokensDecoder) {
  Json json = small();
  json["added_tokens"] = Json::array({added(300, "<s>", {{"special", false}})});
  Json config = {{"added_tokens_decoder",
                  {{"300", {{"content", "<s>"}, {"special", true}}},
                   {"301", {{"content", "<t>"}, {"special", false}, {"normalized", false}}}}}};
  Tokenizer tokenizer = with_config(json, config);
  EXPECT_TRUE(tokenizer.is_special(300));
  EXPECT_EQ(encode(tokenizer, "<s><t>"), (Ids{300, 301}));
  config["added_tokens_decoder"]["300"]["content"] = "<u>";
  EXPECT_ERROR(try_config(json, config), "added_tokens_decoder.300: is \"<s>\" in tokenizer.json, but \"<u>\" here");
  EXPECT_ERROR(try_config(json, {{"added_tokens_decoder", {{"x", {{"content", "<t>"}}}}}}), "\"x\": expected an id");
  EXPECT_ERROR(try_config(json, {{"added_tokens_decoder", {{"97", {{"content", "<t>"}}}}}}), "id 97 is already \"a\"");
}

TEST(TokenizerConfig, ChatTemplatesAndTheRest) {
  Json json = small();
  Tokenizer one =
      with_config(json, {{"chat_template", "T"}, {"model_max_length", 4096}, {"clean_up_tokenization_spaces", true}});
  EXPECT_EQ(*one.chat_template(), "T");
  EXPECT_EQ(one.spec().model_max_length, 4096);
  EXPECT_EQ(decode(one, encode(one, "a . b , c")), "a . b , c");  // never cleaned up
  Json list = {{"chat_template", {{{"name", "default"}, {"template", "D"}}, {{"name", "tool_use"}, {"template", "U"}}}},
               {"model_max_length", 1e30}};
  Tokenizer two = with_config(json, list, "from jinja");
  EXPECT_EQ(*two.chat_template(), "from jinja");
  EXPECT_EQ(*two.chat_template("tool_use"), "U");
  EXPECT_EQ(two.chat_template("rag"), nullptr);
  EXPECT_EQ(two.chat_templates().size(), 2u);
  EXPECT_EQ(two.spec().model_max_length, std::nullopt);
  EXPECT_EQ(value_of(load_json(json)).chat_template(), nullptr);
  EXPECT_NE(load_tokenizer("deepseek_v3").chat_template()->find("<｜Assistant｜>"), std::string::npos);
}

TEST(Tokenizer, UnknownIdsInDecode) {
  Tokenizer tokenizer = value_of(load_json(small()));
  EXPECT_ERROR(tokenizer.decode(Ids{'a', 259}), "token id 259 is not in the vocabulary of 259");
  EXPECT_ERROR(tokenizer.decode(Ids{-1}), "token id -1");
  EXPECT_EQ(tokenizer.token_bytes(99999), "");
  EXPECT_EQ(tokenizer.token_text(-5), "");
  StreamDecoder decoder(tokenizer);
  EXPECT_EQ(decoder.push(99999), "");
}

TEST(Tokenizer, TextsAreBounded) {
  EXPECT_ERROR(value_of(load_json(small())).encode(std::string((size_t{64} << 20) + 1, ' ')),
               "text of 67108865 bytes, at most 67108864");
}

TEST(Tokenizer, MissingFiles) {
  TemporaryDirectory directory;
  EXPECT_ERROR(Tokenizer::from_directory(directory.path().string()), "no tokenizer.json and no tiktoken.model");
  EXPECT_ERROR(Tokenizer::from_tokenizer_json(directory.file("none.json")), "none.json");
}

std::string base64(const std::string& bytes) {
  const std::string digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string out;
  for (size_t i = 0; i < bytes.size(); i += 3) {
    uint32_t bits = 0;
    for (size_t j = 0; j < 3; j++) bits = bits << 8 | (i + j < bytes.size() ? static_cast<uint8_t>(bytes[i + j]) : 0);
    for (size_t j = 0; j < 4; j++) out += i + j <= bytes.size() ? digits[bits >> (18 - 6 * j) & 63] : '=';
  }
  return out;
}

TEST(Tiktoken, RanksAreIdsAndGiveTheMerges) {
  std::string ranks;
  int n = 0;
  auto add = [&](const std::string& bytes) { ranks += base64(bytes) + " " + std::to_string(n++) + "\n"; };
  for (int byte = 0; byte < 256; byte++) add(std::string(1, static_cast<char>(byte)));
  for (const char* token : {"in", "ing", " t", "th", "他", "他们", "xyz", "ab", "bc", "abc"}) add(token);
  TemporaryDirectory directory;
  value_of(write_file(directory.file("tiktoken.model"), ranks));
  Json special = {{"content", "[BOS]"}, {"special", true}, {"normalized", false}};
  value_of(write_file(directory.file("tokenizer_config.json"), dump_json({{"added_tokens_decoder", {{"270", special}}},
                                                                          {"bos_token", "[BOS]"},
                                                                          {"tokenizer_class", "TikTokenTokenizer"}})));
  Tokenizer tokenizer = value_of(Tokenizer::from_directory(directory.path().string()));
  EXPECT_EQ(encode(tokenizer, "[BOS]thing"), (Ids{270, 259, 257}));
  EXPECT_EQ(encode(tokenizer, " thing"), (Ids{258, 'h', 257}));             // the lower rank first
  EXPECT_EQ(encode(tokenizer, "xyz xyz"), (Ids{262, ' ', 'x', 'y', 'z'}));  // no merge leads to it: only as a whole piece
  EXPECT_EQ(encode(tokenizer, "abcx"), (Ids{265, 'x'}));                    // abc is made of ab and c, not of a and bc
  EXPECT_EQ(decode(tokenizer, encode(tokenizer, "他们가")), "他们가");
  EXPECT_EQ(tokenizer.bos(), 270);
  for (const char* bad : {"!!!! 0\n", "QQ== 1\n", "QQ==\n", "QQ== x\n", "QQ= 0\n", "\n"}) {
    EXPECT_FALSE(parse_tiktoken(bad, "t").has_value()) << bad;
  }
  EXPECT_ERROR(parse_tiktoken("QQ== 5\n", "t"), "t:1: expected rank 0, got \"5\"");
}

GgufMetadata small_gguf() {
  GgufMetadata metadata;
  metadata.set("tokenizer.ggml.model", GgufValue::string("gpt2"));
  metadata.set("tokenizer.ggml.pre", GgufValue::string("llama-bpe"));
  metadata.set("tokenizer.ggml.tokens", GgufValue::strings({"a", "b", "ab", "<s>", "ø", "[PAD5]"}));
  metadata.set("tokenizer.ggml.token_type", GgufValue::i32s({1, 1, 1, 3, 4, 5}));
  metadata.set("tokenizer.ggml.merges", GgufValue::strings({"a b"}));
  metadata.set("tokenizer.ggml.bos_token_id", GgufValue::u32(3));
  return metadata;
}

TEST(Gguf, KeysAndDefaults) {
  GgufMetadata metadata = small_gguf();
  metadata.set("tokenizer.ggml.eot_token_id", GgufValue::u32(4));
  metadata.set("tokenizer.chat_template", GgufValue::string("C"));
  metadata.set("tokenizer.chat_template.tool_use", GgufValue::string("U"));
  metadata.set("tokenizer.chat_templates", GgufValue::strings({"tool_use"}));
  Tokenizer tokenizer = value_of(Tokenizer::from_gguf(metadata, "m.gguf"));
  EXPECT_EQ(encode(tokenizer, "abø[PAD5]<s>", {}), (Ids{3, 2, 4, 3}));  // llama-bpe adds bos when nothing is said
  EXPECT_EQ(decode(tokenizer, {4, 2}), "øab");
  EXPECT_TRUE(tokenizer.is_special(3));
  EXPECT_FALSE(tokenizer.is_special(4));
  EXPECT_FALSE(tokenizer.has_token(5));
  EXPECT_EQ(tokenizer.eos_ids(), (Ids{4}));
  EXPECT_EQ(*tokenizer.chat_template(), "C");
  EXPECT_EQ(*tokenizer.chat_template("tool_use"), "U");
  EXPECT_EQ(tokenizer.chat_templates().size(), 2u);
  metadata.set("tokenizer.ggml.add_bos_token", GgufValue::boolean(false));
  EXPECT_EQ(encode(value_of(Tokenizer::from_gguf(metadata, "m.gguf")), "ab", {}), (Ids{2}));
}

TEST(Gguf, Refusals) {
  auto with = [](const char* key, GgufValue value) {
    GgufMetadata metadata = small_gguf();
    metadata.set(key, std::move(value));
    return Tokenizer::from_gguf(metadata, "m.gguf");
  };
  EXPECT_ERROR(with("tokenizer.ggml.model", GgufValue::string("t5")),
               "m.gguf: tokenizer.ggml.model: \"t5\" is not supported; supported are gpt2, llama");
  EXPECT_ERROR(with("tokenizer.ggml.pre", GgufValue::string("new")),
               "tokenizer.ggml.pre: \"new\" is not supported; supported are default, gpt-2, deepseek-llm");
  EXPECT_ERROR(with("tokenizer.ggml.token_type", GgufValue::i32s({1, 1, 1, 3, 4, 9})), "token_type[5]: expected 1 to 6, got 9");
  EXPECT_ERROR(with("tokenizer.ggml.token_type", GgufValue::i32s({1})), "token_type: expected 6 values, got 1");
  EXPECT_ERROR(with("tokenizer.ggml.merges", GgufValue::strings({"a b", "a z"})),
               "merges[1]: token \"z\" is not in the vocabulary");
  EXPECT_ERROR(with("tokenizer.ggml.merges", GgufValue::strings({"ab"})), "merges[0]: expected two tokens");
  EXPECT_ERROR(with("tokenizer.ggml.bos_token_id", GgufValue::u32(6)), "bos_token_id: expected an id from 0 to 5, got 6");
  EXPECT_ERROR(with("tokenizer.ggml.add_eos_token", GgufValue::boolean(true)), "add_eos_token: true, but there is no");
  EXPECT_ERROR(with("tokenizer.ggml.tokens", GgufValue::strings({"a", "b", "ab", "<s>", "\xff", "x"})),
               "token 4 is not valid UTF-8");
  EXPECT_ERROR(with("tokenizer.ggml.tokens", GgufValue::strings({"a", "b", "ab", "a", "b", "x"})), "has the ids");
  GgufMetadata no_pre, whole = small_gguf();
  for (const auto& [key, value] : whole.entries()) {
    if (key != "tokenizer.ggml.pre") no_pre.set(key, value);
  }
  EXPECT_ERROR(Tokenizer::from_gguf(no_pre, "m.gguf"), "tokenizer.ggml.pre: missing");
  EXPECT_ERROR(Tokenizer::from_gguf(GgufMetadata(), "m.gguf"), "tokenizer.ggml.model");
}

}  // namespace
}  // namespace minke::testing
