// Requests to a real, small model: what is said, how it ends, and what is left behind.
#include <nlohmann/json.hpp>
#include <thread>

#include "serve/serve_fixture.h"
#include "support/support.h"

namespace minke::testing {
namespace {

using namespace server;

// Every event of every request has its place: Started, thought, its end, answer, end of the choice, Done.
void expect_order(const Reader& reader) {
  const auto events = reader.events();
  ASSERT_GE(events.size(), 3u);
  EXPECT_TRUE(std::holds_alternative<Started>(events.front()));
  EXPECT_TRUE(std::holds_alternative<Done>(events.back()));
  bool has_answer = false;
  for (const ReplyEvent& event : events) {
    has_answer = has_answer || std::holds_alternative<AnswerText>(event);
    EXPECT_FALSE(has_answer && std::holds_alternative<ThoughtText>(event));
  }
}

TEST(Chat, ThinksAndAnswers) {
  const auto reader = nano().run(ask());
  expect_order(*reader);
  const CollectedChoice& choice = reader->choice();
  EXPECT_FALSE(choice.thought.empty());
  EXPECT_EQ(choice.thinking_end, ThinkingEnd::kFinished);
  EXPECT_TRUE(choice.answer.starts_with("Answer:")) << choice.answer;
  EXPECT_EQ(choice.end->reason, ChoiceFinish::kStop);
  for (const std::string* text : {&choice.thought, &choice.answer}) {
    EXPECT_EQ(text->find("think>"), std::string::npos) << *text;
    EXPECT_EQ(text->find("<|"), std::string::npos) << *text;
  }
  const Done& done = *reader->collected().done;
  EXPECT_GT(done.n_prompt_tokens, 10);
  EXPECT_GT(done.n_thought_tokens, 0);
  EXPECT_GT(done.n_completion_tokens, done.n_thought_tokens);
  EXPECT_GT(done.energy_j.value_or(0), 0);
  EXPECT_EQ(nano().backend->count_prompt_tokens(ask()), done.n_prompt_tokens);
}

// A program can check the answers to some questions: the verdict is the task's own.
TEST(Chat, AnswersToKnownTasksAreChecked) {
  const auto reader = nano().run(ask());
  const auto verdict = reader->collected().done->verified;
  ASSERT_TRUE(verdict);
  EXPECT_EQ(verdict->task, "countdown");
  EXPECT_TRUE(verdict->right) << reader->choice().answer;
  ChatRequest cut = ask();
  cut.max_tokens = 4;
  EXPECT_FALSE(nano().run(cut)->collected().done->verified->right);
  EXPECT_FALSE(nano().run(ask("Use 3, 4 to make a cake."))->collected().done->verified);
}

TEST(Chat, DoesNotThinkWhenToldNotTo) {
  ChatRequest request = ask();
  request.thinking.enabled = false;
  const auto reader = nano().run(request);
  EXPECT_TRUE(reader->choice().thought.empty());
  EXPECT_EQ(reader->choice().thinking_end, ThinkingEnd::kNone);
  EXPECT_FALSE(reader->choice().answer.empty());
  EXPECT_EQ(reader->choice().answer.find("think>"), std::string::npos);
  EXPECT_EQ(reader->collected().done->n_thought_tokens, 0);
}

TEST(Chat, SameSeedSameAnswerInAnyCompany) {
  std::vector<ChatRequest> requests;
  for (int i = 0; i < 8; i++) {
    ChatRequest request = ask("Which is larger, " + std::to_string(i + 3) + " or 5? Reply as 'Answer: number'.");
    request.sampling.temperature = 1;
    request.sampling.seed = static_cast<uint64_t>(100 + i);
    requests.push_back(request);
  }
  std::vector<std::shared_ptr<Reader>> together;
  for (const ChatRequest& request : requests) {
    together.push_back(std::make_shared<Reader>());
    ASSERT_TRUE(nano().submit(request, together.back()));
  }
  for (const auto& reader : together) ASSERT_TRUE(reader->wait_until_over());
  for (size_t i = 0; i < requests.size(); i++) {
    const auto alone = nano().run(requests[i]);
    EXPECT_EQ(alone->choice().thought, together[i]->choice().thought) << i;
    EXPECT_EQ(alone->choice().answer, together[i]->choice().answer) << i;
  }
}

TEST(Chat, SeveralChoicesDiffer) {
  ChatRequest request = ask();
  request.n_choices = 3;
  request.sampling.temperature = 2;
  request.sampling.top_p = 1;
  const auto reader = nano().run(request);
  for (size_t i = 0; i < 3; i++) EXPECT_TRUE(reader->choice(i).end) << i;
  EXPECT_TRUE(reader->choice(0).thought != reader->choice(1).thought || reader->choice(0).thought != reader->choice(2).thought);
}

TEST(Chat, StopStringsEndAnswersAndAreNotInThem) {
  const std::string answer = nano().run(ask())->choice().answer;
  const size_t colon = answer.find(": ");
  ASSERT_NE(colon, std::string::npos) << answer;
  ChatRequest request = ask();
  request.stop = {answer.substr(colon, 4)};
  const auto reader = nano().run(request);
  EXPECT_EQ(reader->choice().answer, answer.substr(0, colon));
  EXPECT_EQ(reader->choice().end->reason, ChoiceFinish::kStopString);
  EXPECT_EQ(reader->choice().end->stop_string, request.stop[0]);
}

TEST(Chat, LogprobsBelongToTheTokensOfTheText) {
  ChatRequest request = ask();
  request.sampling.n_logprobs = 3;
  const CollectedChoice choice = nano().run(request)->choice();
  std::string text;
  for (const PieceLogprob& piece : choice.answer_logprobs) {
    text += piece.bytes;
    ASSERT_EQ(piece.top.size(), 3u);
    EXPECT_LE(piece.logprob, 0);
    EXPECT_EQ(piece.logprob, piece.top[0].logprob);  // greedy takes the best
    EXPECT_GE(piece.top[0].logprob, piece.top[1].logprob);
  }
  EXPECT_EQ(text, choice.answer);
  EXPECT_FALSE(choice.thought_logprobs.empty());
}

TEST(Thinking, EndsWithItsBudgetAndAnAnswerFollows) {
  ChatRequest request = ask();
  request.thinking.budget = 5;
  const auto reader = nano().run(request);
  EXPECT_EQ(reader->choice().thinking_end, ThinkingEnd::kBudget);
  EXPECT_FALSE(reader->choice().answer.empty());
  EXPECT_LE(reader->collected().done->n_thought_tokens, 6);  // and the closing mark
  request.thinking.budget = 0;
  EXPECT_TRUE(nano().run(request)->choice().thought.empty());
}

TEST(Thinking, LeavesRoomForAnAnswer) {
  ChatRequest request = ask();
  request.max_tokens = 12;
  const auto reader = nano().run(request);
  EXPECT_EQ(reader->choice().thinking_end, ThinkingEnd::kBudget);
  EXPECT_FALSE(reader->choice().answer.empty());
  EXPECT_EQ(reader->collected().done->n_completion_tokens, 12);
  EXPECT_EQ(reader->choice().end->reason, ChoiceFinish::kLength);
}

TEST(Thinking, EndsWhenTheUserWantsTheAnswer) {
  ChatRequest request = ask();
  request.sampling.logit_bias = {{nano().backend->tokenize("nano", "</think>", false, true)->at(0), -100.0f}};
  request.max_tokens = 600;
  const auto reader = std::make_shared<Reader>();
  const auto ticket = nano().submit(request, reader);
  ASSERT_TRUE(ticket);
  ASSERT_TRUE(reader->wait_until([](const auto& events) { return events.size() > 3; }));
  EXPECT_TRUE(nano().backend->end_thinking(*ticket));
  ASSERT_TRUE(reader->wait_until_over());
  EXPECT_EQ(reader->choice().thinking_end, ThinkingEnd::kUser);
  EXPECT_FALSE(reader->choice().answer.empty());
  EXPECT_FALSE(nano().backend->end_thinking(*ticket));
}

TEST(Cancel, EndsTheRequestAndFreesItsPlace) {
  ChatRequest request = ask();
  request.thinking.budget = 700;
  request.max_tokens = 800;
  request.sampling.logit_bias = {{nano().backend->tokenize("nano", "</think>", false, true)->at(0), -100.0f}};
  const auto reader = std::make_shared<Reader>();
  const auto ticket = nano().submit(request, reader);
  ASSERT_TRUE(ticket);
  ASSERT_TRUE(reader->wait_until([](const auto& events) { return events.size() > 3; }));
  nano().backend->cancel(*ticket);
  ASSERT_TRUE(reader->wait_until_over());
  EXPECT_EQ(reader->choice().end->reason, ChoiceFinish::kCancelled);
  EXPECT_LT(reader->collected().done->n_completion_tokens, 700);
  EXPECT_TRUE(nano().wait_until_idle());
  nano().backend->cancel(*ticket);  // no error
  nano().backend->cancel(12345);
}

// A reader that is behind gets nothing more until it asks, while others go on; then it gets the rest.
TEST(Pause, StopsOneRequestOnly) {
  const std::string whole = nano().run(ask())->choice().thought;
  const auto slow = std::make_shared<Reader>();
  slow->stall_after = 5;
  const auto ticket = nano().submit(ask(), slow);
  ASSERT_TRUE(ticket);
  ASSERT_TRUE(slow->wait_until([](const auto& events) { return events.size() >= 5; }));
  const auto other = nano().run(ask("Is 7 larger than 5? Reply as 'Answer: yes' or 'Answer: no'."));
  EXPECT_TRUE(other->collected().done);
  EXPECT_LT(slow->n_events(), 8u);  // what one step may still give
  slow->stall_after = SIZE_MAX;
  nano().backend->resume(*ticket);
  ASSERT_TRUE(slow->wait_until_over());
  EXPECT_EQ(slow->choice().thought, whole);
}

// The reader drains its queue, and asks for more, before put() has said that it is behind.
TEST(Pause, AnEarlyResumeIsNotLost) {
  const auto reader = std::make_shared<Reader>();
  std::atomic<Backend::Ticket> ticket{UINT64_MAX};
  reader->stall_after = 1;
  reader->on_stall = [&] {
    while (ticket == UINT64_MAX) std::this_thread::yield();
    nano().backend->resume(ticket);
  };
  ticket = nano().submit(ask(), reader).value();
  EXPECT_TRUE(reader->wait_until_over());
}

TEST(Errors, APromptThatIsTooLongSaysBothNumbers) {
  std::string text;
  for (int i = 0; i < 600; i++) text += "word " + std::to_string(i) + " ";
  const auto ticket = nano().submit(ask(text), std::make_shared<Reader>());
  ASSERT_FALSE(ticket);
  EXPECT_EQ(ticket.error().kind, ErrorKind::kInvalid);
  EXPECT_EQ(ticket.error().code, "context_length_exceeded");
  EXPECT_NE(ticket.error().message.find("1024"), std::string::npos) << ticket.error().message;
  const std::string n = std::to_string(nano().backend->count_prompt_tokens(ask(text)).value());
  EXPECT_NE(ticket.error().message.find(n + " tokens"), std::string::npos) << ticket.error().message;
}

TEST(Errors, WhatTheModelCannotDoIsRefused) {
  ChatRequest fill;
  fill.model = "nano";
  fill.kind = RequestKind::kFillInMiddle;
  fill.prompt = "def f(";
  fill.suffix = ")";
  EXPECT_EQ(nano().submit(fill, std::make_shared<Reader>()).error().param, "suffix");
  ChatRequest tools = ask();
  tools.tools.push_back({"f", "", "{}"});
  EXPECT_EQ(nano().submit(tools, std::make_shared<Reader>()).error().param, "tools");
  ChatRequest bias = ask();
  bias.sampling.logit_bias = {{5000, 1.0f}};
  EXPECT_EQ(nano().submit(bias, std::make_shared<Reader>()).error().param, "logit_bias");
  ChatRequest role = ask();
  role.messages.push_back(message(Role::kTool, "result"));
  const auto raised = nano().submit(role, std::make_shared<Reader>());
  EXPECT_NE(raised.error().message.find("unknown role: tool"), std::string::npos) << raised.error().message;
}

TEST(Errors, AFullQueueIsOverloaded) {
  serve::BackendOptions options = nano_options();
  options.max_waiting = 2;
  Served served(options);
  std::vector<std::shared_ptr<Reader>> readers;
  std::optional<ApiError> refusal;
  for (int i = 0; i < 200 && !refusal; i++) {
    readers.push_back(std::make_shared<Reader>());
    if (auto ticket = served.submit(ask(), readers.back()); !ticket) refusal = ticket.error(), readers.pop_back();
  }
  ASSERT_TRUE(refusal);
  EXPECT_EQ(refusal->kind, ErrorKind::kOverloaded);
  EXPECT_GT(refusal->retry_after_s, 0);
  for (const auto& reader : readers) EXPECT_TRUE(reader->wait_until_over());
}

TEST(Errors, RequestsThatRunWhenTheServerEndsAreToldSo) {
  const auto reader = std::make_shared<Reader>();
  {
    Served served(nano_options());
    ChatRequest request = ask();
    request.max_tokens = 900;
    ASSERT_TRUE(served.submit(request, reader));
    ASSERT_TRUE(reader->wait_until([](const auto& events) { return events.size() > 2; }));
  }
  ASSERT_TRUE(reader->wait_until_over());
  EXPECT_TRUE(reader->collected().done || reader->collected().error->kind == ErrorKind::kOverloaded);
}

TEST(Cache, TheSecondTurnReadsOnlyWhatIsNew) {
  Served served(nano_options());
  const auto first = served.run(ask());
  EXPECT_EQ(first->collected().done->n_cached_tokens, 0);
  ChatRequest request = ask();
  request.messages.push_back(message(Role::kAssistant, first->choice().answer));
  request.messages.push_back(message(Role::kUser, "And 3, 8, 21 to make 45?"));
  const auto second = served.run(request);
  const Done& done = *second->collected().done;
  // All of the first prompt but the mark that opened the thought, which is not in the history.
  EXPECT_GE(done.n_cached_tokens, first->collected().done->n_prompt_tokens - 2);
  // With the cache or without, the same answer.
  Served other(nano_options());
  EXPECT_EQ(other.run(request)->choice().answer, second->choice().answer);
}

TEST(Cache, KeysShareNothing) {
  Served served(nano_options());
  ChatRequest request = ask();
  for (const char* caller : {"one", "another"}) {
    request.caller = caller;
    EXPECT_EQ(served.run(request)->collected().done->n_cached_tokens, 0);
    EXPECT_GT(served.run(request)->collected().done->n_cached_tokens, 0);
  }
}

double gauge(const serve::ModelBackend& backend, std::string_view name) {
  for (const server::Gauge& gauge : backend.gauges()) {
    if (gauge.name == name) return gauge.value;
  }
  ADD_FAILURE() << "no gauge " << name;
  return -1;
}

TEST(Gauges, SayWhatTheEngineHolds) {
  Served served(nano_options());
  EXPECT_EQ(gauge(*served.backend, "vllm:kv_cache_usage_perc"), 0);
  served.run(ask());
  // The last token is told before the step is over.
  for (int i = 0; i < 1000 && gauge(*served.backend, "vllm:kv_cache_usage_perc") == 0; i++)
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  EXPECT_GT(gauge(*served.backend, "vllm:kv_cache_usage_perc"), 0);  // what a second turn would begin with
  EXPECT_LT(gauge(*served.backend, "vllm:kv_cache_usage_perc"), 1);
  for (int i = 0; i < 1000 && gauge(*served.backend, "minke_engine_samples_running") != 0; i++)
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  EXPECT_EQ(gauge(*served.backend, "minke_engine_samples_running"), 0);
  EXPECT_EQ(gauge(*served.backend, "vllm:num_preemptions_total"), 0);
}

TEST(Completion, GoesOnWithTheText) {
  ChatRequest request;
  request.model = "nano";
  request.kind = RequestKind::kCompletion;
  request.raw_prompt = true;
  request.prompt = "<|user|>Is 7 larger than 5? Reply as 'Answer: yes' or 'Answer: no'.<|assistant|><think>";
  request.sampling.temperature = 0;
  request.max_tokens = 200;
  const auto reader = nano().run(request);
  EXPECT_FALSE(reader->choice().thought.empty());  // the prompt had opened one
  request.prompt = "Is 7 larger";
  EXPECT_TRUE(nano().run(request)->choice().thought.empty());
  request.prompt_tokens = {0, 2, 100};
  EXPECT_EQ(nano().run(request)->collected().done->n_prompt_tokens, 3);
  request.prompt_tokens = {1'000'000};
  EXPECT_EQ(nano().submit(request, std::make_shared<Reader>()).error().param, "prompt");
}

// A SentencePiece vocabulary beside a byte-level one: words keep their spaces, and two models share the cores.
TEST(Models, SeveralAnswerAtATime) {
  serve::BackendOptions options = nano_options();
  options.models.push_back({"stories", repository_path("tests/data/models/stories260K/hf")});
  Served served(options);
  ChatRequest story;
  story.model = "stories";
  story.kind = RequestKind::kCompletion;
  story.raw_prompt = true;
  story.prompt = "Once upon a time, there was a";
  story.sampling.temperature = 0;
  story.max_tokens = 40;
  std::vector<std::shared_ptr<Reader>> readers;
  for (int i = 0; i < 4; i++) {
    for (const ChatRequest& request : {story, ask()}) {
      readers.push_back(std::make_shared<Reader>());
      ASSERT_TRUE(served.submit(request, readers.back()));
    }
  }
  for (const auto& reader : readers) ASSERT_TRUE(reader->wait_until_over());
  for (size_t i = 0; i < readers.size(); i++) {
    const std::string& answer = readers[i]->choice().answer;
    EXPECT_EQ(answer, readers[i % 2]->choice().answer);
    EXPECT_TRUE(answer.starts_with(i % 2 == 0 ? " little girl named Lily. She loved to play outside" : "Answer:")) << answer;
  }
  options.models.push_back(options.models.front());
  options.context.isa = value_of(choose_isa());
  EXPECT_ERROR(serve::ModelBackend::create(options), "two models have this name");
}

TEST(Embeddings, HaveLengthOneAndKnowTexts) {
  const auto made = nano().backend->embed("nano", {"one and two", "one and two", "세 개의 수"});
  ASSERT_TRUE(made);
  ASSERT_EQ(made->rows.size(), 3u);
  EXPECT_EQ(made->rows[0].size(), 192u);
  EXPECT_EQ(made->rows[0], made->rows[1]);
  EXPECT_NE(made->rows[0], made->rows[2]);
  double squares = 0;
  for (float x : made->rows[2]) squares += static_cast<double>(x) * static_cast<double>(x);
  EXPECT_NEAR(squares, 1, 192 * 1.2e-7);  // each of 192 numbers is rounded to f32
  EXPECT_GT(made->n_tokens, 3);
}

TEST(Tokens, GoBothWays) {
  Backend& backend = *nano().backend;
  const auto tokens = backend.tokenize("nano", "one <|user|>", true, false);
  ASSERT_TRUE(tokens);
  EXPECT_EQ(tokens->front(), 0);
  EXPECT_NE(tokens->back(), 2);
  EXPECT_EQ(backend.tokenize("nano", "<|user|>", false, true)->at(0), 2);
  EXPECT_EQ(backend.detokenize("nano", *backend.tokenize("nano", "one 셋", false, false)).value(), "one 셋");
  EXPECT_FALSE(backend.detokenize("nano", {5000}));
  EXPECT_FALSE(backend.tokenize("nobody", "x", false, false));
}

TEST(Models, SayWhatTheyAre) {
  const ModelInfo& info = nano().backend->models().at(0);
  EXPECT_EQ(info.architecture, "deepseek_v3");
  EXPECT_EQ(info.n_parameters, 5'965'712);
  EXPECT_NEAR(static_cast<double>(info.n_active), 2.095e6, 5e3);
  EXPECT_EQ(info.context, 1024);
  EXPECT_TRUE(info.can_think && info.bundled && info.can_embed && info.has_template);
  EXPECT_FALSE(info.can_use_tools || info.can_fill_in);
}

}  // namespace
}  // namespace minke::testing
