// A backend without a model: its tokens are written down by the test, marks included, and may be cut anywhere.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <functional>
#include <list>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "server/model/backend.h"
#include "server/model/reply_assembler.h"

namespace minke::testing {

using namespace server;

struct ScriptToken {
  PieceKind kind = PieceKind::kText;
  std::string text = {};
};

struct Script {
  std::vector<ScriptToken> tokens;
  bool starts_in_thought = false;
  ToolSyntax syntax = ToolSyntax::kJsonObject;
  ChoiceFinish finish = ChoiceFinish::kStop;
  std::optional<ApiError> refusal = {};      // of submit()
  std::optional<ApiError> failure = {};      // after the tokens
  size_t cut_bytes = 0;                      // texts are handed on in pieces of so many bytes; 0: whole
  std::chrono::milliseconds first_delay{0};  // before the first event
  std::chrono::milliseconds token_delay{0};
  int repeats = 1;  // of the tokens
};

class ScriptedBackend final : public Backend {
 public:
  using Choose = std::function<Script(const ChatRequest&, int choice)>;
  // threaded: a thread per request, which honours pauses, cancels and delays. Otherwise submit() puts everything at once.
  ScriptedBackend(Choose choose, bool threaded);
  ~ScriptedBackend() override;

  const std::vector<ModelInfo>& models() const override { return models_; }
  Outcome<Ticket> submit(ChatRequest request, std::shared_ptr<ReplySink> sink) override;
  void cancel(Ticket ticket) override;
  bool end_thinking(Ticket ticket) override;
  void resume(Ticket ticket) override;
  Outcome<int64_t> count_prompt_tokens(const ChatRequest& request) override;
  Outcome<std::vector<int32_t>> tokenize(const std::string&, std::string_view text, bool, bool) override;
  Outcome<std::string> detokenize(const std::string&, const std::vector<int32_t>& tokens) override;
  Outcome<Embeddings> embed(const std::string&, const std::vector<std::string>& texts) override;
  std::vector<Gauge> gauges() const override;

  ChatRequest last_request() const;
  int n_cancelled() const { return n_cancelled_; }
  int n_running() const { return n_running_; }
  int64_t n_tokens_put() const { return n_tokens_put_; }
  int n_pauses() const { return n_pauses_; }

 private:
  struct Job {
    ChatRequest request;
    std::shared_ptr<ReplySink> sink;
    std::atomic<bool> cancelled = false, end_thought = false;
    bool paused = false, in_thought = false, over = false;
  };
  void run(Job& job);
  void run_choice(Job& job, int choice, Done& done);
  bool put_token(Job& job, ReplyAssembler& assembler, const Script& script, const ScriptToken& token, Done& done);
  bool put(Job& job, ReplyEvent event);
  void pause_for(Job& job, std::chrono::milliseconds delay);
  Job* find(Ticket ticket);

  Choose choose_;
  bool threaded_;
  std::vector<ModelInfo> models_;
  mutable std::mutex mutex_;  // of jobs_ and what is in them
  std::condition_variable changed_;
  std::map<Ticket, std::unique_ptr<Job>> jobs_;
  std::list<std::thread> threads_;
  ChatRequest last_request_;
  std::atomic<int> n_cancelled_{0}, n_running_{0}, n_pauses_{0};
  std::atomic<int64_t> n_tokens_put_{0};
};

// Tokens of a text, one for each word.
std::vector<ScriptToken> words(const std::string& text);

}  // namespace minke::testing
