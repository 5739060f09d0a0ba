// Broken and hostile tokenizer files end in an error that says where, in bounded memory.
#include "tokenizer/files/hf_files.h"
#include "tokenizer_testing.h"

namespace minke::testing {
namespace {

const std::string kLetters = "\\p{L}+|\\P{L}";

Json letters_only() { return small_tokenizer({{"a", "b"}, {"ab", "c"}}, kLetters); }

// The whole way that bytes from a file take.
Result<Tokenizer> load_text(std::string_view text) {
  Json json = TRY(parse_json(text, "t.json"));
  TokenizerSpec spec = TRY(parse_tokenizer_json(json, "t.json"));
  return Tokenizer::from_spec(std::move(spec), "t.json");
}

Result<Tokenizer> with(const char* pointer, Json value) {
  Json json = letters_only();
  json[Json::json_pointer(pointer)] = std::move(value);
  return load_text(dump_json(json));
}

TEST(Hostile, EveryTruncation) {
  std::string text = dump_json(letters_only());
  ASSERT_TRUE(load_text(text).has_value());
  for (size_t size = 0; size < text.size(); size += 7) EXPECT_FALSE(load_text(text.substr(0, size)).has_value()) << size;
  std::string real = read_test_file(tokenizer_path("deepseek_v3/tokenizer.json.gz"));
  for (size_t i = 1; i < 12; i++) EXPECT_FALSE(load_text(real.substr(0, real.size() * i / 12)).has_value());
}

TEST(Hostile, Ids) {
  EXPECT_ERROR(with("/model/vocab/a", 98), "t.json.model.vocab: \"a\" and \"b\" have the same id 98");
  EXPECT_ERROR(with("/model/vocab/a", -1), "expected an id from 0 to 2097151, got -1");
  EXPECT_ERROR(with("/model/vocab/a", 3000000000u), "got 3000000000");
  EXPECT_ERROR(with("/model/vocab/a", 2097152), "got 2097152");
  EXPECT_ERROR(with("/model/vocab/a", 1.5), "got 1.5");
  EXPECT_ERROR(with("/model/vocab/a", "x"), "got \"x\"");
  EXPECT_ERROR(with("/model/vocab", Json::array()), "model.vocab: expected an object");
  // A gap is no error; the ids in it have no token.
  Tokenizer gap = value_of(with("/model/vocab/zz", 2000000));
  EXPECT_EQ(gap.vocab_size(), 2000001);
  EXPECT_FALSE(gap.has_token(1999999));
  EXPECT_FALSE(gap.decode(Ids{1999999}).has_value());
}

TEST(Hostile, Merges) {
  EXPECT_ERROR(with("/model/merges", {"a b", "q!x y"}), "t.json.model.merges[1]: token \"q!x\" is not in the vocabulary");
  EXPECT_ERROR(with("/model/merges", {"b a"}), "merges[0]: token \"ba\" is not in the vocabulary");
  EXPECT_ERROR(with("/model/merges", {"ab"}), "expected two tokens with one space between, got \"ab\"");
  EXPECT_ERROR(with("/model/merges", {"a b c"}), "expected two tokens with one space");
  EXPECT_ERROR(with("/model/merges", Json::array({Json::array({"a"})})), "expected two tokens");
  EXPECT_ERROR(with("/model/merges", Json::array({Json::array({"a", 1})})), "expected two tokens");
  EXPECT_ERROR(with("/model/merges", 7), "model.merges: expected an array");
  EXPECT_ERROR(with("/model/merges", {" a"}), "is not in the vocabulary");
  // The same pair again and merges in an order that never comes up: odd, but defined.
  Tokenizer odd = value_of(with("/model/merges", {"ab c", "a b", "a b", "ab c"}));
  EXPECT_EQ(encode(odd, "abcab"), (Ids{257, 256}));
}

TEST(Hostile, Options) {
  EXPECT_ERROR(with("/model/type", "Unigram"), "t.json.model.type: \"Unigram\" is not supported; supported are BPE");
  EXPECT_ERROR(with("/model/dropout", 0.1), "model.dropout: 0.1 is not supported");
  EXPECT_ERROR(with("/model/continuing_subword_prefix", "##"), "continuing_subword_prefix: \"##\" is not supported");
  EXPECT_ERROR(with("/model/end_of_word_suffix", "</w>"), "end_of_word_suffix: \"</w>\" is not supported");
  EXPECT_ERROR(with("/model/unk_token", "<nope>"), "unk_token: \"<nope>\" is not in the vocabulary");
  EXPECT_ERROR(with("/model/new_option", true), "t.json.model.new_option: this option is not supported");
  EXPECT_ERROR(with("/something", 1), "t.json.something: this option is not supported");
  EXPECT_ERROR(with("/normalizer", {{"type", "BertNormalizer"}}),
               "t.json.normalizer.type: \"BertNormalizer\" is not supported; supported are Sequence, NFC");
  EXPECT_ERROR(with("/pre_tokenizer", {{"type", "CharDelimiterSplit"}}),
               "pre_tokenizer.type: \"CharDelimiterSplit\" is not supported");
  EXPECT_ERROR(with("/pre_tokenizer/pretokenizers/0/behavior", "Odd"),
               "pre_tokenizer.pretokenizers[0].behavior: \"Odd\" is not supported; supported are Isolated");
  EXPECT_ERROR(with("/pre_tokenizer/pretokenizers/0/pattern", {{"Regex", "(a)\\1"}}),
               "t.json: regex: \"\\1\" at byte 3 is not supported");
  EXPECT_ERROR(with("/pre_tokenizer/pretokenizers/0/pattern", "x"), "pattern: expected an object, got \"x\"");
  EXPECT_ERROR(with("/pre_tokenizer", {{"type", "Sequence"}, {"pretokenizers", 3}}), "pretokenizers: expected an array");
  EXPECT_ERROR(with("/decoder", {{"type", "WordPiece"}}), "decoder.type: \"WordPiece\" is not supported");
  EXPECT_ERROR(with("/decoder", nullptr), "decoder");
  EXPECT_ERROR(with("/pre_tokenizer", nullptr), "expected ByteLevel in both or in none");
  EXPECT_ERROR(with("/post_processor", {{"type", "BertProcessing"}}),
               "post_processor.type: \"BertProcessing\" is not supported");
  Json byte_level_first = {{"type", "Sequence"}, {"pretokenizers", {{{"type", "ByteLevel"}}, {{"type", "Digits"}}}}};
  EXPECT_ERROR(with("/pre_tokenizer", byte_level_first), "ByteLevel is supported only as the last step");
  Json strip_alone = {{"type", "Sequence"}, {"decoders", {{{"type", "Strip"}, {"content", " "}, {"start", 1}, {"stop", 0}}}}};
  Json characters = letters_only();
  characters["pre_tokenizer"] = nullptr;
  characters["decoder"] = strip_alone;
  EXPECT_ERROR(load_text(dump_json(characters)), "Strip is supported once and only after Fuse");
  Json strip_end = {{"type", "Strip"}, {"content", " "}, {"start", 0}, {"stop", 1}};
  EXPECT_ERROR(with("/decoder", strip_end), "stop: 1 is not supported");
  Json nested = {{"type", "NFC"}};
  for (int i = 0; i < 20; i++) nested = {{"type", "Sequence"}, {"normalizers", Json::array({nested})}};
  EXPECT_ERROR(with("/normalizer", nested), "nested deeper");
  EXPECT_ERROR(load_text("[]"), "t.json: expected an object, got an array");
  EXPECT_ERROR(load_text("{}"), "t.json.model: missing");
}

TEST(Hostile, MessagesAreOneLine) {
  Json json = letters_only();
  json["model"]["new\noption"] = 1;
  EXPECT_ERROR(load_json(json), "model.new\\x0Aoption: this option is not supported");
  EXPECT_ERROR(with("/pre_tokenizer/pretokenizers/0/pattern", {{"Regex", "\n["}}), "regex: a class is not closed");
  Tokenizer slow = value_of(with("/pre_tokenizer/pretokenizers/0/pattern", {{"Regex", "(?:a+)+[\n\t]"}}));
  EXPECT_ERROR(slow.encode(std::string(40, 'a')), "regex \"(?:a+)+[\\x0A\\x09]\": match limit exceeded");
}

TEST(Hostile, AddedTokens) {
  auto token = [](Json id, Json content) { return Json::array({{{"id", id}, {"content", content}}}); };
  EXPECT_ERROR(with("/added_tokens", token(97, "<x>")), "t.json.added_tokens[0]: id 97 is already \"a\", not \"<x>\"");
  EXPECT_ERROR(with("/added_tokens", token(500, "a")), "token \"a\" has the ids 97 and 500");
  EXPECT_ERROR(with("/added_tokens", token(int64_t{1} << 40, "<x>")), "id: expected 0 to 2097151");
  EXPECT_ERROR(with("/added_tokens", token(-3, "<x>")), "id: expected 0 to 2097151, got -3");
  EXPECT_ERROR(with("/added_tokens", token("1", "<x>")), "id: expected an integer, got \"1\"");
  EXPECT_ERROR(with("/added_tokens", token(300, 5)), "content: expected a string, got 5");
  EXPECT_ERROR(with("/added_tokens", token(300, std::string(5000, 'x'))), "added tokens are longer than supported");
  EXPECT_ERROR(with("/added_tokens", "x"), "added_tokens: expected an array, got \"x\"");
  Json twice = token(300, "<x>");
  twice.push_back(twice[0]);
  EXPECT_ERROR(with("/added_tokens", twice), "listed twice");
  Json many = Json::array();
  for (int i = 0; i < 2000; i++) many.push_back({{"id", 300 + i}, {"content", std::string(4000, 'x') + std::to_string(i)}});
  EXPECT_ERROR(with("/added_tokens", many), "added tokens are longer than supported");
  EXPECT_EQ(encode(value_of(with("/added_tokens", token(300, ""))), "ab"), (Ids{256}));
}

TEST(Hostile, WrongTypesEverywhere) {
  // Every value of a small tokenizer replaced by each kind of JSON value: an error or a tokenizer, never more.
  Json json = letters_only();
  json["model"]["vocab"] = {{"a", 0}, {"b", 1}, {"ab", 2}};
  json["model"]["merges"] = {"a b"};
  json["added_tokens"] = {{{"id", 3}, {"content", "<x>"}, {"special", true}}};
  json["normalizer"] = {{"type", "Replace"}, {"pattern", {{"String", "x"}}}, {"content", "y"}};
  json["post_processor"] = Json::parse(
      R"({"type":"TemplateProcessing","single":[{"SpecialToken":{"id":"<x>","type_id":0}},{"Sequence":{"id":"A","type_id":0}}],
    "pair":[],"special_tokens":{"<x>":{"id":"<x>","ids":[3],"tokens":["<x>"]}}})");
  ASSERT_EQ(encode(value_of(load_text(dump_json(json))), "ab", {}), (Ids{3, 2}));
  const Json values[] = {nullptr,
                         true,
                         -1,
                         1e300,
                         "",
                         "text",
                         Json::array(),
                         Json::object(),
                         Json::array({1, "x", nullptr}),
                         Json{{"type", "Sequence"}},
                         {{"a", {{"b", 1}}}}};
  int n_accepted = 0, n_refused = 0;
  Json flat = json.flatten();
  for (const auto& [pointer, ignored] : flat.items()) {
    for (Json::json_pointer place(pointer); !place.empty(); place = place.parent_pointer()) {
      for (const Json& value : values) {
        Json broken = json;
        broken[place] = value;
        auto result = load_text(dump_json(broken));
        (result ? n_accepted : n_refused)++;
        if (result) {
          value_of(result->encode("ab <x> 가", {}));
        } else {
          EXPECT_EQ(result.error().message.find('\n'), std::string::npos) << result.error().message;
        }
      }
    }
  }
  EXPECT_GT(n_refused, 5 * n_accepted);
  EXPECT_GT(n_accepted, 0);
}

}  // namespace
}  // namespace minke::testing
