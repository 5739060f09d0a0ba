// POST /api/generate and /api/chat.
#pragma once

#include "base/json.h"
#include "server/app_state.h"

namespace minke::server {

struct OllamaCall {
  ChatRequest request;
  const ModelInfo* model = nullptr;
  bool streams = true;      // unlike everybody else
  bool only_loads = false;  // no prompt: Ollama's way to load a model ahead
};

Outcome<OllamaCall> parse_ollama_chat(const AppState& state, const std::string& caller, const Json& body);
Outcome<OllamaCall> parse_ollama_generate(const AppState& state, const Json& body);

}  // namespace minke::server
