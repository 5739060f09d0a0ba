// Generating an answer and printing it while it comes: the thought dimmed to stderr, the answer to stdout.
#include <fmt/format.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>

#include "cli/interrupt.h"
#include "cli/language.h"
#include "cli/session.h"
#include "cli/terminal.h"
#include "tokenizer/stop_strings.h"

namespace minke::cli {
namespace {

// Two streams of text, thought and answer, each with its own decoder, so that neither holds bytes of the other.
class AnswerPrinter {
 public:
  AnswerPrinter(const Session& session, const GenerationFlags& flags, bool print)
      : thought_decoder_(*session.lm.tokenizer, {.skip_special = true}),
        answer_decoder_(*session.lm.tokenizer, {.skip_special = true}),
        stops_(flags.stops),
        print_(print),
        show_thought_(print && flags.thoughts == "show"),
        dim_(style_of(STDERR_FILENO)) {}

  void on_token(const GeneratedToken& token) {
    if (token.is_mark) return;
    if (token.is_thought) {
      put_thought(thought_decoder_.push(token.sampled.token));
    } else {
      end_thought();
      put_answer(stops_.push(answer_decoder_.push(token.sampled.token)));
    }
  }
  void finish() {
    end_thought();
    if (!stops_.stopped()) put_answer(stops_.push(answer_decoder_.flush()));
    put_answer(stops_.flush());
  }
  bool stopped() const { return stops_.stopped(); }
  bool broken() const { return broken_; }
  std::string thought, answer;

 private:
  void put_thought(const std::string& text) {
    thought += text;
    if (!show_thought_ || text.empty()) return;
    if (!thought_open_) fmt::print(stderr, "{}", dim_.dim);
    thought_open_ = true;
    fmt::print(stderr, "{}", text);
    std::fflush(stderr);
  }
  void end_thought() {
    put_thought(thought_decoder_.flush());
    if (thought_open_) fmt::print(stderr, "{}\n", dim_.reset);
    thought_open_ = false;
  }
  void put_answer(std::string text) {
    // Templates put blank lines between the thought and the answer.
    if (answer.empty() && !thought.empty()) text.erase(0, std::min(text.find_first_not_of('\n'), text.size()));
    answer += text;
    if (!print_ || text.empty()) return;
    if (std::fwrite(text.data(), 1, text.size(), stdout) != text.size() || std::fflush(stdout) != 0) broken_ = true;
  }

  StreamDecoder thought_decoder_, answer_decoder_;
  StopStrings stops_;
  bool print_, show_thought_;
  bool thought_open_ = false, broken_ = false;
  Style dim_;
};

// Live tokens a second in the terminal's title: the one place that a running answer does not scroll away or overwrite.
class LiveRate {
 public:
  LiveRate() : enabled_(is_terminal(STDERR_FILENO)) {}
  ~LiveRate() {
    if (shown_) fmt::print(stderr, "\x1b]0;minke\x07");
  }
  LiveRate(const LiveRate&) = delete;
  LiveRate& operator=(const LiveRate&) = delete;

  void on_token() {
    Clock::time_point now = Clock::now();
    if (n_tokens_++ == 0) start_ = last_ = now;
    if (!enabled_ || now - last_ < std::chrono::milliseconds(500)) return;
    last_ = now;
    shown_ = true;
    double rate = static_cast<double>(n_tokens_ - 1) / std::chrono::duration<double>(now - start_).count();
    fmt::print(stderr, "\x1b]0;minke · {} · {:.1f} tok/s\x07", n_tokens_, rate);
    std::fflush(stderr);
  }

 private:
  using Clock = std::chrono::steady_clock;
  bool enabled_, shown_ = false;
  int64_t n_tokens_ = 0;
  Clock::time_point start_, last_;
};

// Shown while a long prompt is read; the first token takes it away.
class PromptProgress {
 public:
  PromptProgress() : bar_(tr("reading the prompt", "프롬프트 읽는 중"), ProgressBar::Unit::kItems) {}
  void update(int64_t done, int64_t total) { bar_.update(static_cast<uint64_t>(done), static_cast<uint64_t>(total)); }

 private:
  ProgressBar bar_;
};

}  // namespace

Result<Answer> generate_answer(Session& session, const GenerationFlags& flags, std::vector<TokenId> prompt,
                               const AnswerOutput& output) {
  std::atomic<bool>& interrupted = interrupt_flag();
  GenerateRequest request;
  request.prompt = std::move(prompt);
  request.sampling = session.sampling;
  request.max_new_tokens = flags.max_new_tokens;
  request.stop_tokens = session.lm.stop_tokens;
  request.thought = session.lm.thought;

  Answer answer;
  AnswerPrinter printer(session, flags, output.print);
  LiveRate rate;
  auto progress = std::make_unique<PromptProgress>();
  auto on_prompt = [&](int64_t done, int64_t total) {
    progress->update(done, total);
    return !interrupted.load();
  };
  auto on_token = [&](const GeneratedToken& token) {
    progress.reset();
    rate.on_token();
    printer.on_token(token);
    if (flags.n_logprobs >= 0) answer.tokens.push_back(token);
    if (interrupted.load()) {
      if (output.interrupt_ends_thought && token.is_thought && !answer.interrupted) {
        answer.interrupted = true;
        interrupted = false;
        return Control::kEndThought;
      }
      answer.interrupted = true;
      return Control::kStop;
    }
    return printer.stopped() || printer.broken() ? Control::kStop : Control::kContinue;
  };
  answer.result = TRY(session.generator->generate(request, on_token, on_prompt));
  progress.reset();
  printer.finish();
  if (printer.broken()) return error("cannot write to stdout");
  if (interrupted.load()) answer.interrupted = true;
  answer.text = std::move(printer.answer);
  answer.thought = std::move(printer.thought);
  return answer;
}

namespace {

std::string speculation_text(const GenerateResult& r) {
  if (r.n_drafted == 0) return "";
  return fmt::format(fmt::runtime(tr(" · {} of {} drafted tokens right, {:.2f}x", " · 짐작한 {1}토큰 중 {0} 맞음, {2:.2f}배")),
                     r.n_accepted, r.n_drafted, r.speculation_gain);
}

// ", experts 83 % in memory, 12.3 MB read a token"
std::string experts_text(const GenerateResult& r) {
  if (r.experts.n_used == 0 || r.n_answered == 0) return "";
  return fmt::format(
      fmt::runtime(tr(", experts {:.0f} % in memory, {} read a token", ", 전문가 {:.0f}%가 메모리에, 토큰당 {} 읽음")),
      100.0 * static_cast<double>(r.experts.n_hits) / static_cast<double>(r.experts.n_used),
      bytes_text(r.experts.bytes_read / static_cast<uint64_t>(r.n_answered)));
}

}  // namespace

std::string speed_text(const GenerateResult& r) {
  auto rate = [](int64_t n, double s) { return s > 0 ? static_cast<double>(n) / s : 0.0; };
  int64_t n_read = r.n_prompt - r.n_reused;
  return fmt::format(
      fmt::runtime(tr("prompt {} tokens ({} reused) {:.1f}/s · answer {} tokens {:.1f}/s{}{}{} · {}",
                      "프롬프트 {}토큰 ({} 재사용) {:.1f}/초 · 답 {}토큰 {:.1f}/초{}{}{} · {}")),
      r.n_prompt, r.n_reused, rate(n_read, r.prompt_s), r.n_answered, rate(r.n_answered, r.answer_s),
      r.n_thought > 0 ? fmt::format(fmt::runtime(tr(", {} of them thought", ", 그중 생각 {}")), r.n_thought) : "",
      speculation_text(r), experts_text(r), finish_reason_name(r.reason));
}

}  // namespace minke::cli
