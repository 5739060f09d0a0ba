// Speed of encode, decode and loading, on a text mixed of English, Korean, Chinese, code and mathematics taken from the vectors
// of tests/data/tokenizers, and on single long runs. Prints one line of JSON per measurement;
// seconds are CPU time of one thread.
//   bench_tokenizer [directory with tokenizer.json]...      default: the tokenizers of tests/data
#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <ctime>
#include <nlohmann/json.hpp>

#include "base/file.h"
#include "base/json.h"
#include "support/support.h"
#include "tokenizer/tokenizer.h"

namespace minke {
namespace {

using testing::read_test_file;
using testing::read_test_lines;
using testing::repository_path;
using testing::value_of;

constexpr size_t kTextBytes = size_t{8} << 20;
constexpr int kRepeats = 5;

// CPU time of the fastest of some runs: the one that other work on the machine disturbed least.
template <typename F>
double best_seconds(F&& f) {
  double best = 1e9;
  for (int i = 0; i < kRepeats; i++) {
    std::clock_t start = std::clock();
    f();
    best = std::min(best, static_cast<double>(std::clock() - start) / CLOCKS_PER_SEC);
  }
  return best;
}

// Natural text only; the vectors' fuzz and special token cases are not what a prompt looks like.
std::string mixed_text() {
  std::vector<std::string> parts;
  for (const std::string& line : read_test_lines(repository_path("tests/data/tokenizers/deepseek_v3/encode.jsonl.gz"))) {
    Json row = value_of(parse_json(line, "vector"));
    auto category = row["cat"].get<std::string>();
    bool natural = category == "gsm8k" || category == "humaneval" || category == "prose" || category == "korean" ||
                   category == "code" || category == "cjk";
    if (natural) parts.push_back(row["text"].get<std::string>());
  }
  std::string text;
  for (size_t i = 0; text.size() < kTextBytes; i++) text += parts[i % parts.size()] + "\n";
  return text;
}

void measure(const std::string& name, const std::string& directory, const std::string& text) {
  double load_s = best_seconds([&] { value_of(Tokenizer::from_directory(directory)); });
  Tokenizer tokenizer = value_of(Tokenizer::from_directory(directory));
  std::printf("%s\n", fmt::format(R"({{"tokenizer":"{}","what":"load","seconds":{:.3f}}})", name, load_s).c_str());

  std::vector<TokenId> ids;
  double encode_s = best_seconds([&] { ids = value_of(tokenizer.encode(text, {})); });
  double decode_s = best_seconds([&] { value_of(tokenizer.decode(ids)); });
  std::string piece = text.substr(0, 400);
  double small_s = best_seconds([&] {
    for (int i = 0; i < 1000; i++) value_of(tokenizer.encode(piece, {}));
  });
  auto report = [&](const char* what, double bytes, double seconds) {
    std::printf("%s\n", fmt::format(R"({{"tokenizer":"{}","what":"{}","mb_per_s":{:.1f},"seconds":{:.3f}}})", name, what,
                                    bytes / seconds / 1e6, seconds)
                            .c_str());
  };
  report("encode_mixed", static_cast<double>(text.size()), encode_s);
  report("encode_400_bytes", static_cast<double>(piece.size()) * 1000, small_s);
  report("decode_mixed", static_cast<double>(text.size()), decode_s);

  constexpr size_t kRun = size_t{1} << 20;
  std::string hangul;
  while (hangul.size() < kRun) hangul += "가";
  const std::pair<const char*, std::string> runs[] = {
      {"run_letter", std::string(kRun, 'a')},
      {"run_spaces", std::string(kRun, ' ')},
      {"run_spaces_then_letter", std::string(kRun, ' ') + "x"},
      {"run_digits", std::string(kRun, '7')},
      {"run_newlines", std::string(kRun, '\n')},
      {"run_punctuation", std::string(kRun, '=')},
      {"run_hangul", hangul},
  };
  for (const auto& [what, run] : runs) {
    report(what, static_cast<double>(run.size()), best_seconds([&] { value_of(tokenizer.encode(run, {})); }));
  }
}

int run(int argc, char** argv) {
  std::string text = mixed_text();
  for (int i = 1; i < argc; i++) measure(argv[i], argv[i], text);
  if (argc > 1) return 0;
  for (const std::string name : {"deepseek_v3", "qwen2_5"}) {
    testing::TemporaryDirectory directory;
    std::string source = repository_path("tests/data/tokenizers/" + name);
    value_of(write_file(directory.file("tokenizer.json"), read_test_file(source + "/tokenizer.json.gz")));
    value_of(write_file(directory.file("tokenizer_config.json"), read_test_file(source + "/tokenizer_config.json")));
    measure(name, directory.path().string(), text);
  }
  return 0;
}

}  // namespace
}  // namespace minke

int main(int argc, char** argv) {
  try {
    return minke::run(argc, argv);
  } catch (const std::exception& e) {
    std::fprintf(stderr, "bench_tokenizer: %s\n", e.what());
    return 1;
  }
}
