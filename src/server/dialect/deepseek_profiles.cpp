// What happens to thoughts that come back with the history. DeepSeek's rule changed twice, and clients of every era are about:
//   r1    a thought in the history is refused
//   v3.2  an assistant's message with tool calls must carry its thought
//   v4    once a turn has tool calls, every message of the assistant in it must; elsewhere a thought is ignored
// Source: the pages of api-docs.deepseek.com of the time, and the messages that clients report.
#include "server/app_state.h"
#include "server/fields.h"

namespace minke::server {
namespace {

void refuse_thoughts(Fields& fields, const ChatRequest& request) {
  for (size_t i = 0; i < request.messages.size(); ++i) {
    if (request.messages[i].reasoning && !request.messages[i].is_prefix)
      fields.fail(fmt::format("messages[{}].reasoning_content", i), "a thought must not be sent back (profile r1)");
  }
}

bool calls_without_thought(const ChatMessage& message) {
  return message.role == Role::kAssistant && !message.tool_calls.empty() && !message.reasoning;
}

void want_thoughts_of_calls(Fields& fields, const ChatRequest& request) {
  for (size_t i = 0; i < request.messages.size(); ++i) {
    if (calls_without_thought(request.messages[i]))
      fields.fail(fmt::format("messages[{}]", i),
                  fmt::format("Missing reasoning_content field in the assistant message at message index {}", i));
  }
}

// A turn is what stands between two messages of the user.
void want_thoughts_of_turns(Fields& fields, ChatRequest& request) {
  auto& messages = request.messages;
  for (size_t begin = 0; begin < messages.size();) {
    size_t end = begin + 1;
    while (end < messages.size() && messages[end].role != Role::kUser) ++end;
    bool has_calls = false;
    for (size_t i = begin; i < end; ++i) has_calls = has_calls || !messages[i].tool_calls.empty();
    for (size_t i = begin; i < end; ++i) {
      if (messages[i].role != Role::kAssistant || messages[i].is_prefix) continue;
      if (!has_calls) {
        messages[i].reasoning.reset();
      } else if (!messages[i].reasoning) {
        fields.fail(fmt::format("messages[{}].reasoning_content", i),
                    "the reasoning_content of a turn with tool calls must be passed back (profile v4)");
      }
    }
    begin = end;
  }
}

void remember_thoughts(const AppState& state, const std::string& caller, ChatRequest& request) {
  for (ChatMessage& message : request.messages) {
    if (calls_without_thought(message)) message.reasoning = state.memory.get(caller, message.tool_calls[0].id);
  }
}

}  // namespace

void apply_deepseek_profile(const AppState& state, const std::string& caller, Fields& fields, ChatRequest& request) {
  const DeepSeekProfile profile = state.options.deepseek;
  if (profile == DeepSeekProfile::kLenient) return remember_thoughts(state, caller, request);
  const bool thinks = request.thinking.enabled.value_or(profile == DeepSeekProfile::kV4);
  if (profile == DeepSeekProfile::kR1) refuse_thoughts(fields, request);
  if (profile == DeepSeekProfile::kV32 && thinks) want_thoughts_of_calls(fields, request);
  if (profile == DeepSeekProfile::kV4 && thinks) want_thoughts_of_turns(fields, request);
  if (!thinks) return;
  SamplingControl& sampling = request.sampling;
  if (profile == DeepSeekProfile::kR1 && sampling.n_logprobs >= 0)
    fields.fail("logprobs", "is not supported while thinking (profile r1)");
  // Taken without effect while thinking.
  sampling.temperature.reset();
  sampling.presence_penalty.reset();
  sampling.frequency_penalty.reset();
  if (profile != DeepSeekProfile::kV4) sampling.top_p.reset();
}

}  // namespace minke::server
