// Parses the bytes as a chat template and renders it over a small chat with small limits: no crash, no leak, no hang.
#include <cstddef>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <string_view>

#include "jinja/template.h"

namespace {

const minke::Json& chat() {
  static const minke::Json variables = minke::Json::parse(R"({
    "messages": [{"role": "system", "content": "be kind"},
                 {"role": "user", "content": "h\u00e9llo \u65e5\u672c <b>"},
                 {"role": "assistant", "content": null, "tool_calls": [{"function": {"name": "f", "arguments": {"x": [1, 2.5, true]}}}]}],
    "tools": [{"type": "function", "function": {"name": "f", "parameters": {"type": "object", "properties": {"x": {"type": "array"}}}}}],
    "bos_token": "<s>", "eos_token": "</s>", "add_generation_prompt": true, "i": 7, "f": 2.5, "n": null, "l": [3, 1, 2]})");
  return variables;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  minke::jinja::TemplateLimits limits;
  limits.max_template_bytes = 4096;
  limits.max_output_bytes = 1 << 16;
  limits.max_live_bytes = 1 << 20;
  limits.max_steps = 20'000;
  const auto parsed = minke::jinja::Template::parse({reinterpret_cast<const char*>(data), size}, limits);
  if (!parsed) return 0;
  minke::jinja::RenderOptions options;
  options.now.emplace();
  (void)parsed->render(chat(), options);
  return 0;
}
