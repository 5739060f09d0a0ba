#include "cli/text_tokens.h"

#include "base/file.h"
#include "cli/model_argument.h"

namespace minke::cli {
namespace {

constexpr size_t kMaxTextBytes = size_t{1} << 30;

}  // namespace

Result<TextTokens> read_text_tokens(const std::string& text_path, const std::string& model_path) {
  const std::string text = TRY(read_file(text_path, kMaxTextBytes));
  const Tokenizer tokenizer = TRY(load_tokenizer_for(model_path));
  TextTokens result;
  result.tokens = TRY_IN(text_path, tokenizer.encode(text, {.add_special = false, .parse_special = false}));
  if (result.tokens.empty()) return error("{}: the text is empty", text_path);
  if (!tokenizer.spec().prefix.empty()) result.bos = tokenizer.spec().prefix.front();
  return result;
}

}  // namespace minke::cli
