#include "model/generation_config.h"

#include <nlohmann/json.hpp>

#include "model/config_reader.h"

namespace minke {

Result<GenerationConfig> read_generation_config(const std::string& path) {
  GenerationConfig config;
  if (path.empty()) return config;
  Json json = TRY(read_json_file(path, size_t{1} << 20));
  if (!json.is_object()) return error("{}: expected a JSON object", path);
  ConfigReader reader(json, path);
  if (reader.has("do_sample")) config.do_sample = TRY(reader.boolean_or("do_sample", false));
  if (reader.has("temperature")) config.temperature = TRY(reader.number("temperature"));
  if (reader.has("top_p")) config.top_p = TRY(reader.number("top_p"));
  if (reader.has("repetition_penalty")) config.repetition_penalty = TRY(reader.number("repetition_penalty"));
  if (reader.has("top_k")) config.top_k = TRY(reader.integer("top_k"));
  config.eos_token_ids = TRY(reader.integers("eos_token_id"));
  return config;
}

}  // namespace minke
