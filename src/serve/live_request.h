// A request that runs or waits: turns the tokens of its samples into events. Tokens come from the engine's thread alone; what
// other threads may ask is marked.
#pragma once

#include <atomic>
#include <chrono>
#include <memory>
#include <optional>
#include <vector>

#include "engine/engine.h"
#include "serve/cost_meter.h"
#include "serve/guided_sample.h"
#include "serve/request_plan.h"
#include "server/model/reply_assembler.h"

namespace minke::serve {

class LiveRequest {
 public:
  // The model outlives it.
  LiveRequest(const ServedModel& model, RequestPlan plan, std::shared_ptr<server::ReplySink> sink);

  // Any thread.
  bool has_begun() const { return has_begun_; }       // the first token is there
  bool may_think() const { return n_thinking_ > 0; }  // it thinks, or may begin to

  // What the engine runs. The engine forgets it before this object goes.
  EngineRequest engine_request();
  // False: the sample has come to its end.
  bool on_token(const EngineToken& token);
  void end_thoughts();
  // Its share of a step.
  void add_cost(const StepCost& cost, double share) { cost_.add(cost, share); }
  // Ends a request whose choices have ended, true from then on.
  bool settle(const CostMeter& meter);
  void cancel(const CostMeter& meter);
  void fail(server::ApiError error);

  bool is_over() const { return is_over_; }
  // The reader is behind: no more tokens until resume().
  bool is_paused() const { return is_paused_; }
  void resume() { is_paused_ = false; }

 private:
  using Clock = std::chrono::steady_clock;
  struct Choice {
    server::ReplyAssembler assembler;
    std::shared_ptr<SampleGuard> guard;    // null: nothing bounds it
    std::optional<StreamDecoder> decoder;  // of a vocabulary whose tokens alone are no texts
    bool thinks;                           // or may begin to
    bool has_text = false;                 // of the answer
    bool is_call = false;                  // the answer is a call without marks
    bool is_over = false;
  };

  std::unique_ptr<TokenGuide> make_guide(Choice& choice);
  bool push(Choice& choice, const EngineToken& token);
  bool push_text(Choice& choice, const EngineToken& token);
  bool push_mark(Choice& choice, server::PieceKind kind);
  void follow_thought(Choice& choice, bool was_in_thought);
  void finish(Choice& choice, server::ChoiceFinish reason);
  void flush_events();
  void put(server::ReplyEvent event);
  std::optional<server::PieceLogprob> logprob_of(const EngineToken& token) const;

  const ServedModel& model_;
  RequestPlan plan_;
  std::shared_ptr<server::ReplySink> sink_;
  std::vector<Choice> choices_;
  std::vector<server::ReplyEvent> events_;
  std::atomic<bool> has_begun_{false};
  std::atomic<int> n_thinking_{0};
  bool wants_answer_ = false, is_over_ = false, is_paused_ = false;
  server::Done done_;
  StepCost cost_;
  std::string checked_;  // the answer to a problem, while it comes
  Clock::time_point submitted_, began_, first_token_, thought_ended_;
};

}  // namespace minke::serve
