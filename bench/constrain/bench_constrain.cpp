// Microseconds per token of masks over a real vocabulary: a grammar is compiled, then texts are followed through it, mask() and
// accept() for every token. The first text of a grammar finds nothing remembered; the later ones are what a server sees.
// Prints one line of JSON per grammar; seconds are CPU time of one thread.
//   bench_constrain [directory with tokenizer.json]        default: DeepSeek-V3's of tests/data
#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <ctime>
#include <nlohmann/json.hpp>
#include <numeric>
#include <string>
#include <vector>

#include "base/file.h"
#include "base/json.h"
#include "constrain/guard/language_lock.h"
#include "constrain/json/schema.h"
#include "constrain/match/matcher.h"
#include "constrain/text/ebnf.h"
#include "support/support.h"
#include "tokenizer/tokenizer.h"

namespace minke::constrain {
namespace {

using minke::testing::read_test_file;
using minke::testing::repository_path;
using minke::testing::value_of;

constexpr int kRepeats = 20;

double now_us() {
  timespec time{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) * 1e6 + static_cast<double>(time.tv_nsec) * 1e-3;
}

struct Subject {
  const char* name;
  std::shared_ptr<const Grammar> grammar;
  std::string text;
};

std::vector<double> follow(const std::shared_ptr<const TokenGrammar>& grammar, const std::vector<TokenId>& tokens) {
  Matcher matcher(grammar);
  std::vector<double> times;
  for (TokenId token : tokens) {
    double start = now_us();
    bool is_allowed = matcher.mask()[static_cast<size_t>(token) / 64] >> (token % 64) & 1;
    is_allowed = is_allowed && matcher.accept(token);
    times.push_back(now_us() - start);
    if (!is_allowed) {
      std::fprintf(stderr, "a token of the text is not allowed\n");
      std::exit(1);
    }
  }
  return times;
}

void measure(const Subject& subject, const Tokenizer& tokenizer, const std::shared_ptr<const Vocabulary>& vocabulary) {
  auto grammar = std::make_shared<TokenGrammar>(subject.grammar, vocabulary);
  std::vector<TokenId> tokens = value_of(tokenizer.encode(subject.text, {.add_special = false}));
  auto mean = [](const std::vector<double>& times) {
    return std::accumulate(times.begin(), times.end(), 0.0) / static_cast<double>(times.size());
  };
  std::vector<double> cold = follow(grammar, tokens), warm;
  for (int i = 0; i < kRepeats; i++) {
    std::vector<double> times = follow(grammar, tokens);
    warm.insert(warm.end(), times.begin(), times.end());
  }
  std::sort(warm.begin(), warm.end());
  std::printf(
      "%s\n",
      fmt::format(
          R"({{"grammar":"{}","states":{},"vocabulary":{},"tokens":{},"cold_us_per_token":{:.1f},"warm_us_per_token":{:.2f},"warm_median_us":{:.2f},"warm_p99_us":{:.1f},"warm_max_us":{:.1f}}})",
          subject.name, subject.grammar->n_states(), vocabulary->n_tokens(), tokens.size(), mean(cold), mean(warm),
          warm[warm.size() / 2], warm[warm.size() * 99 / 100], warm.back())
          .c_str());
}

std::vector<Subject> subjects() {
  std::string list = "[";
  for (int i = 0; i < 20; i++) {
    list += fmt::format(
        R"({}{{"name": "사람 {}", "age": {}, "mail": "a{}@example.com", "notes": ["Likes long walks, and \"quotes\".", "漢字"]}})",
        i ? ", " : "", i, 20 + i, i);
  }
  list += "]";
  Json person = Json::parse(R"({"type":"array","items":{"type":"object","properties":{"name":{"type":"string","maxLength":40},
      "age":{"type":"integer","minimum":0,"maximum":150},"mail":{"type":"string","format":"email"},
      "notes":{"type":"array","items":{"type":"string"}}},"required":["name","age","mail","notes"],"additionalProperties":false}})");
  std::string nested;
  for (int i = 0; i < 40; i++) nested += fmt::format(R"({{"level {}": [true, )", i);
  nested += "null";
  for (int i = 0; i < 40; i++) nested += "]}";
  Expressions e;
  RuleId root = value_of(parse_ebnf(e, R"e(
root ::= sum ("\n" sum)*
sum ::= product ((" + " | " - ") product)*
product ::= factor ((" * " | " / ") factor)*
factor ::= [0-9]+ ("." [0-9]+)? | [a-z_]+ ("(" sum (", " sum)* ")")? | "(" sum ")")e",
                                    "grammar"));
  std::string sums;
  for (int i = 0; i < 30; i++) sums += fmt::format("{}f_x({} * (a + {}.5), b) - {}", i ? "\n" : "", i, i * 7, i);
  std::string korean;
  for (int i = 0; i < 30; i++) korean += "생각해 보면, 이 문제는 x = 3일 때 풀린다. So the answer is 42.\n";
  return {{"schema", value_of(compile_schema(person, "schema")), list},
          {"json_object", value_of(compile_json_object()), nested},
          {"ebnf", value_of(Grammar::compile(e, root)), sums},
          {"language", value_of(compile_language_lock("ko")), korean}};
}

Tokenizer default_tokenizer() {
  minke::testing::TemporaryDirectory directory;
  std::string from = repository_path("tests/data/tokenizers/deepseek_v3/");
  value_of(write_file(directory.file("tokenizer.json"), read_test_file(from + "tokenizer.json.gz")));
  value_of(write_file(directory.file("tokenizer_config.json"), read_test_file(from + "tokenizer_config.json")));
  return value_of(Tokenizer::from_directory(directory.path().string()));
}

}  // namespace
}  // namespace minke::constrain

int main(int argc, char** argv) {
  using namespace minke::constrain;  // NOLINT: a program of one file
  minke::Tokenizer tokenizer =
      argc > 1 ? minke::testing::value_of(minke::Tokenizer::from_directory(argv[1])) : default_tokenizer();
  double start = now_us();
  auto vocabulary = minke::testing::value_of(Vocabulary::from_tokenizer(tokenizer));
  std::printf("%s\n", fmt::format(R"({{"vocabulary":{},"tree_nodes":{},"tree_ms":{:.1f}}})", vocabulary->n_tokens(),
                                  vocabulary->tree().size(), (now_us() - start) / 1000)
                          .c_str());
  for (const Subject& subject : subjects()) measure(subject, tokenizer, vocabulary);
  return 0;
}
