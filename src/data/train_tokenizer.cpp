#include "data/train_tokenizer.h"

#include <filesystem>
#include <nlohmann/json.hpp>

#include "base/file.h"
#include "base/json.h"
#include "data/documents.h"
#include "tokenizer/text/chunks.h"

namespace minke {
namespace {

namespace fs = std::filesystem;

constexpr size_t kCountedBytes = size_t{1} << 20;  // counted between two looks at the clock and Ctrl-C

void add_texts(std::vector<std::string>& out, const Json& json) {
  for (const char* key : {"text", "prompt", "completion", "reasoning_content", "content"}) {
    if (json.contains(key) && json[key].is_string()) out.push_back(json[key].get<std::string>());
  }
  for (const char* key : {"messages", "prompt"}) {
    if (!json.contains(key) || !json[key].is_array()) continue;
    for (const Json& message : json[key]) {
      if (message.is_object()) add_texts(out, message);
    }
  }
}

Status add_row(TokenizerTrainer& trainer, std::string_view text) {
  const Json row = TRY(parse_json(text, "row"));
  std::vector<std::string> texts;
  if (row.is_object()) add_texts(texts, row);
  if (texts.empty()) return error("expected an object with \"text\", with \"messages\", or with \"prompt\" and \"completion\"");
  for (const std::string& part : texts) TRY(trainer.add(part));
  return {};
}

}  // namespace

Result<std::optional<TrainedTokenizer>> train_tokenizer(
    const TokenizerTrainingOptions& options, const std::vector<std::string>& files,
    const std::function<bool(TokenizerPhase phase, uint64_t done, uint64_t total)>& progress) {
  TokenizerTrainer trainer = TRY(TokenizerTrainer::create(options));
  uint64_t n_bytes = 0, n_done = 0;
  for (const std::string& path : files) {
    std::error_code code;
    const uint64_t size = fs::file_size(path, code);
    if (!code) n_bytes += size;  // what cannot be opened says so when its turn comes
  }
  for (const std::string& path : files) {
    DocumentReader reader = TRY(DocumentReader::open(path, ""));
    Document document;
    while (TRY(reader.next(document))) {
      const uint64_t n_before = n_done + reader.n_read() - document.text.size();
      for (size_t begin = 0; begin < document.text.size();) {
        const size_t end = document.is_row ? document.text.size() : next_chunk_end(document.text, begin, kCountedBytes);
        const std::string_view part = document.text.substr(begin, end - begin);
        TRY_IN(document.where, document.is_row ? add_row(trainer, part) : trainer.add(part));
        begin = end;
        if (!progress(TokenizerPhase::kReading, n_before + end, n_bytes)) return std::nullopt;
      }
    }
    n_done += reader.n_bytes();
  }
  bool is_stopped = false;
  Result<TokenizerSpec> spec = trainer.finish([&](int64_t n, int64_t total) {
    is_stopped = !progress(TokenizerPhase::kMerging, static_cast<uint64_t>(n), static_cast<uint64_t>(total));
    return !is_stopped;
  });
  if (is_stopped) return std::nullopt;
  if (!spec) return tl::unexpected<Error>(spec.error());
  Tokenizer tokenizer = TRY(Tokenizer::from_spec(std::move(*spec), "the new tokenizer"));
  return TrainedTokenizer{std::move(tokenizer), n_bytes, trainer.n_pieces(), trainer.n_different_pieces()};
}

Status write_tokenizer(const Tokenizer& tokenizer, const std::string& folder) {
  const Tokenizer::HfFiles files = TRY(tokenizer.to_tokenizer_json());
  std::error_code code;
  fs::create_directories(folder, code);
  if (code) return error("{}: cannot create the folder: {}", folder, code.message());
  TRY(write_file((fs::path(folder) / "tokenizer.json").string(), files.tokenizer_json));
  return write_file((fs::path(folder) / "tokenizer_config.json").string(), files.tokenizer_config_json);
}

}  // namespace minke
