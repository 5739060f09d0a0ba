#define PCRE2_CODE_UNIT_WIDTH 8
#include "tokenizer/text/pattern.h"

#include <pcre2.h>

#include <algorithm>

#include "base/check.h"
#include "tokenizer/text/onig_syntax.h"

namespace minke {
namespace {

// JIT code first runs on 32 KiB of the thread's own stack. Groups repeated over a very long run need more, up to this.
constexpr size_t kJitStackStart = size_t{64} << 10;
constexpr size_t kJitStackMax = size_t{256} << 20;
// Backtracking steps of one match call: some for each byte, since giving up a long run of white space takes one each. Beyond,
// the pattern is catastrophic on this text.
constexpr uint64_t kMatchLimit = 1'000'000;
constexpr uint64_t kMatchLimitPerByte = 16;
constexpr size_t kMaxPatternBytes = size_t{64} << 10;

std::string pcre2_message(int code) {
  char buffer[256] = {};
  pcre2_get_error_message(code, reinterpret_cast<PCRE2_UCHAR*>(buffer), sizeof(buffer));
  return buffer;
}

}  // namespace

struct PatternScratch::State {
  pcre2_match_data* data = pcre2_match_data_create(1, nullptr);
  pcre2_match_context* context = pcre2_match_context_create(nullptr);
  pcre2_jit_stack* stack = nullptr;
  int last_error = 0;
  ~State() {
    pcre2_match_data_free(data);
    pcre2_match_context_free(context);
    if (stack != nullptr) pcre2_jit_stack_free(stack);
  }
};

PatternScratch::PatternScratch() : state_(std::make_unique<State>()) {
  CHECK(state_->data != nullptr && state_->context != nullptr, "out of memory");
}
PatternScratch::~PatternScratch() = default;

struct Pattern::Code {
  pcre2_code* code = nullptr;
  bool jit = false;
  ~Code() { pcre2_code_free(code); }
};

Result<Pattern> Pattern::from_pcre2(std::string_view pcre2, std::string_view shown) {
  int error_code = 0;
  PCRE2_SIZE offset = 0;
  uint32_t flags = PCRE2_UTF | PCRE2_UCP | PCRE2_MULTILINE | PCRE2_NEVER_BACKSLASH_C;
  pcre2_compile_context* context = pcre2_compile_context_create(nullptr);
  CHECK(context != nullptr, "out of memory");
  pcre2_set_newline(context, PCRE2_NEWLINE_LF);
  auto code = std::make_shared<Code>();
  code->code = pcre2_compile(reinterpret_cast<PCRE2_SPTR>(pcre2.data()), pcre2.size(), flags, &error_code, &offset, context);
  pcre2_compile_context_free(context);
  if (code->code == nullptr) return error("regex \"{}\": {}", shown, pcre2_message(error_code));
  code->jit = pcre2_jit_compile(code->code, PCRE2_JIT_COMPLETE) == 0;
  Pattern pattern;
  pattern.code_ = std::move(code);
  pattern.text_ = std::string(shown);
  return pattern;
}

Result<Pattern> Pattern::compile(const TextPattern& source) {
  if (source.text.size() > kMaxPatternBytes)
    return error("pattern of {} bytes, at most {} are supported", source.text.size(), kMaxPatternBytes);
  if (source.text.empty()) return error("empty pattern");
  if (!source.is_regex) {
    Pattern pattern;
    pattern.text_ = source.text;
    return pattern;
  }
  std::string pcre2 = TRY(pcre2_from_oniguruma(source.text));
  return from_pcre2(pcre2, source.text);
}

Pattern Pattern::compile_pcre2(std::string_view pcre2) {
  auto pattern = from_pcre2(pcre2, pcre2);
  CHECK(pattern.has_value(), "{}", pattern.error().message);
  return std::move(*pattern);
}

Pattern::Found Pattern::find(PatternScratch& scratch, std::string_view subject, size_t from, Span& match) const {
  if (code_ == nullptr) {
    size_t pos = subject.find(text_, from);
    if (pos == std::string_view::npos) return Found::kNo;
    match = {pos, pos + text_.size()};
    return Found::kYes;
  }
  PatternScratch::State& state = *scratch.state_;
  auto text = reinterpret_cast<PCRE2_SPTR>(subject.data());
  pcre2_set_match_limit(
      state.context, static_cast<uint32_t>(std::min<uint64_t>(kMatchLimit + kMatchLimitPerByte * subject.size(), UINT32_MAX)));
  auto run = [&] {
    // JIT code does not check the text again; without JIT, PCRE2_NO_UTF_CHECK asks for the same.
    if (code_->jit)
      return pcre2_jit_match(code_->code, text, subject.size(), from, PCRE2_NO_UTF_CHECK, state.data, state.context);
    return pcre2_match(code_->code, text, subject.size(), from, PCRE2_NO_UTF_CHECK, state.data, state.context);
  };
  int rc = run();
  if (rc == PCRE2_ERROR_JIT_STACKLIMIT && state.stack == nullptr) {
    state.stack = pcre2_jit_stack_create(kJitStackStart, kJitStackMax, nullptr);
    if (state.stack != nullptr) {
      pcre2_jit_stack_assign(state.context, nullptr, state.stack);
      rc = run();
    }
  }
  if (rc == PCRE2_ERROR_NOMATCH) return Found::kNo;
  if (rc < 0) {
    state.last_error = rc;
    return Found::kError;
  }
  const PCRE2_SIZE* ovector = pcre2_get_ovector_pointer(state.data);
  match = {ovector[0], ovector[1]};
  return Found::kYes;
}

std::string Pattern::error_text(const PatternScratch& scratch) const {
  return fmt::format("regex \"{}\": {}", text_, pcre2_message(scratch.state_->last_error));
}

}  // namespace minke
