// The models behind the server, as it sees them. The implementation joins engine, tokenizer, templates and constraints.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "server/model/chat_request.h"
#include "server/model/reply_event.h"

namespace minke::server {

struct ModelInfo {
  std::string id;
  std::string architecture, dtype, path;
  int64_t n_parameters = 0, n_active = 0, context = 0, n_bytes = 0;
  int64_t created = 0;  // seconds since 1970
  bool bundled = false;
  bool can_think = false, can_use_tools = false, can_fill_in = false, can_embed = false, has_template = true;
};

// Where the events of one request go. Implemented by the server, called from any thread; it never blocks.
class ReplySink {
 public:
  virtual ~ReplySink() = default;
  // The event is always taken. False: the reader is behind; send nothing more before Backend::resume of this request.
  virtual bool put(ReplyEvent event) = 0;
};

struct Embeddings {
  std::vector<std::vector<float>> rows;  // [n_texts, hidden_size]
  int64_t n_tokens = 0;
};

// A figure of the backend as /metrics says it.
struct Gauge {
  std::string_view name, help;  // they outlive everything
  bool is_counter = false;      // only grows
  std::string model;            // empty: of all together
  double value = 0;
};

// Every function may be called from any thread. Those with an Outcome may take as long as a prompt takes to be tokenised.
class Backend {
 public:
  using Ticket = uint64_t;

  virtual ~Backend() = default;
  // The first is the default. The same for as long as the backend lives.
  virtual const std::vector<ModelInfo>& models() const = 0;
  // Checks, renders, tokenises and queues. Too long a prompt is kInvalid with the code context_length_exceeded and both
  // numbers, a full queue is kOverloaded. Events may come before this returns.
  virtual Outcome<Ticket> submit(ChatRequest request, std::shared_ptr<ReplySink> sink) = 0;
  // Stops within one step, in prefill too; events may still come until then. Unknown and ended tickets are no error.
  virtual void cancel(Ticket ticket) = 0;
  // "Answer now". False when the request is not in a thought, now or later.
  virtual bool end_thinking(Ticket ticket) = 0;
  virtual void resume(Ticket ticket) = 0;

  virtual Outcome<int64_t> count_prompt_tokens(const ChatRequest& request) = 0;
  virtual Outcome<std::vector<int32_t>> tokenize(const std::string& model, std::string_view text, bool add_special,
                                                 bool parse_special) = 0;
  virtual Outcome<std::string> detokenize(const std::string& model, const std::vector<int32_t>& tokens) = 0;
  // Mean-pooled hidden states of the last layer, of length 1.
  virtual Outcome<Embeddings> embed(const std::string& model, const std::vector<std::string>& texts) = 0;
  // Those of the same name one after the other. Never waits for a step.
  virtual std::vector<Gauge> gauges() const = 0;
};

}  // namespace minke::server
