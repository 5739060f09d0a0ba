#include "model/config_reader.h"

#include <cmath>
#include <nlohmann/json.hpp>

namespace minke {

const Json* ConfigReader::find(std::string_view key) {
  known_.emplace(key);
  auto it = json_.find(std::string(key));
  if (it == json_.end() || it->is_null()) return nullptr;
  return &*it;
}

tl::unexpected<Error> ConfigReader::wrong_type(std::string_view key, std::string_view expected) {
  const Json* value = find(key);
  if (value == nullptr) return error("{}: {}: missing, expected {}", where_, key, expected);
  std::string text = dump_json(*value);
  if (text.size() > 80) text = text.substr(0, 77) + "...";
  return error("{}: {}: expected {}, got {}", where_, key, expected, text);
}

bool ConfigReader::has(std::string_view key) { return find(key) != nullptr; }

Result<int64_t> ConfigReader::integer(std::string_view key) {
  const Json* value = find(key);
  if (value == nullptr) return wrong_type(key, "an integer");
  if (value->is_number_unsigned() && value->get<uint64_t>() > static_cast<uint64_t>(INT64_MAX))
    return wrong_type(key, "a 63-bit integer");
  if (value->is_number_integer()) return value->get<int64_t>();
  // Some published configs write whole numbers as floats ("factor": 32.0, "original_max_position_embeddings": 8192.0).
  if (value->is_number_float()) {
    double number = value->get<double>();
    if (std::floor(number) == number && std::abs(number) < 9e15) return static_cast<int64_t>(number);
  }
  return wrong_type(key, "an integer");
}

Result<int64_t> ConfigReader::integer_or(std::string_view key, int64_t fallback) {
  if (!has(key)) return fallback;
  return integer(key);
}

Result<double> ConfigReader::number(std::string_view key) {
  const Json* value = find(key);
  if (value == nullptr || !value->is_number()) return wrong_type(key, "a number");
  return value->get<double>();
}

Result<double> ConfigReader::number_or(std::string_view key, double fallback) {
  if (!has(key)) return fallback;
  return number(key);
}

Result<bool> ConfigReader::boolean_or(std::string_view key, bool fallback) {
  const Json* value = find(key);
  if (value == nullptr) return fallback;
  if (!value->is_boolean()) return wrong_type(key, "true or false");
  return value->get<bool>();
}

Result<std::string> ConfigReader::string(std::string_view key) {
  const Json* value = find(key);
  if (value == nullptr || !value->is_string()) return wrong_type(key, "a string");
  return value->get<std::string>();
}

Result<std::string> ConfigReader::string_or(std::string_view key, std::string fallback) {
  if (!has(key)) return fallback;
  return string(key);
}

Result<std::vector<int64_t>> ConfigReader::integers(std::string_view key) {
  const Json* value = find(key);
  if (value == nullptr) return std::vector<int64_t>{};
  if (value->is_number_integer()) return std::vector<int64_t>{value->get<int64_t>()};
  if (!value->is_array()) return wrong_type(key, "an integer or a list of integers");
  std::vector<int64_t> numbers;
  for (const Json& item : *value) {
    if (!item.is_number_integer()) return wrong_type(key, "a list of integers");
    numbers.push_back(item.get<int64_t>());
  }
  return numbers;
}

Result<std::vector<std::string>> ConfigReader::strings(std::string_view key) {
  const Json* value = find(key);
  if (value == nullptr) return std::vector<std::string>{};
  if (!value->is_array()) return wrong_type(key, "a list of strings");
  std::vector<std::string> texts;
  for (const Json& item : *value) {
    if (!item.is_string()) return wrong_type(key, "a list of strings");
    texts.push_back(item.get<std::string>());
  }
  return texts;
}

const Json* ConfigReader::object(std::string_view key) {
  const Json* value = find(key);
  return value != nullptr && value->is_object() ? value : nullptr;
}

Status ConfigReader::expect(std::string_view key, std::string_view supported) {
  if (!has(key)) return {};
  std::string value = TRY(string(key));
  if (value != supported) return error("{}: {} = \"{}\" is not supported; supported: \"{}\"", where_, key, value, supported);
  return {};
}

Status ConfigReader::expect_flag(std::string_view key, bool supported) {
  bool value = TRY(boolean_or(key, supported));
  if (value != supported) return error("{}: {} = {} is not supported; supported: {}", where_, key, value, supported);
  return {};
}

void ConfigReader::ignore(std::initializer_list<std::string_view> keys) {
  for (std::string_view key : keys) known_.emplace(key);
}

std::vector<std::string> ConfigReader::unread() const {
  std::vector<std::string> keys;
  for (auto it = json_.begin(); it != json_.end(); ++it) {
    if (known_.contains(it.key())) continue;
    const Json& value = it.value();
    bool neutral = value.is_null() || value == Json(false) || (value.is_number() && value.get<double>() == 0.0) ||
                   (value.is_string() && value.get_ref<const std::string&>().empty()) ||
                   (value.is_structured() && value.empty());
    if (!neutral) keys.push_back(it.key());
  }
  return keys;
}

namespace {

Status read_yarn(ConfigReader& r, RopeConfig& rope) {
  rope.scaling = RopeScaling::kYarn;
  rope.beta_fast = TRY(r.number_or("beta_fast", 32.0));
  rope.beta_slow = TRY(r.number_or("beta_slow", 1.0));
  rope.mscale = TRY(r.number_or("mscale", 0.0));
  rope.mscale_all_dim = TRY(r.number_or("mscale_all_dim", 0.0));
  rope.attention_factor = TRY(r.number_or("attention_factor", 0.0));
  rope.truncate = TRY(r.boolean_or("truncate", true));
  return {};
}

// One rope_scaling / rope_parameters object.
Status read_scaling(const Json& json, const std::string& where, int64_t max_seq_len, RopeConfig& rope) {
  ConfigReader r(json, where);
  std::string old_spelling = TRY(r.string_or("type", "default"));
  std::string type = TRY(r.string_or("rope_type", old_spelling));
  rope.theta = TRY(r.number_or("rope_theta", rope.theta));
  if (TRY(r.number_or("partial_rotary_factor", 1.0)) != 1.0) {
    return error("{}: partial_rotary_factor: only 1.0 is supported", where);
  }
  if (type == "default") {
    // DeepSeek-style configs of transformers >= 5 leave beta_fast and friends here without effect.
    return {};
  }
  rope.factor = TRY(r.number("factor"));
  if (type == "linear") {
    rope.scaling = RopeScaling::kLinear;
  } else if (type == "yarn" || type == "llama3") {
    // transformers takes max_position_embeddings when the original length is not given.
    rope.original_max_seq_len = TRY(r.number_or("original_max_position_embeddings", static_cast<double>(max_seq_len)));
    if (type == "yarn") TRY(read_yarn(r, rope));
    if (type == "llama3") {
      rope.scaling = RopeScaling::kLlama3;
      rope.low_freq_factor = TRY(r.number("low_freq_factor"));
      rope.high_freq_factor = TRY(r.number("high_freq_factor"));
    }
  } else {
    return error("{}: rope_type = \"{}\" is not supported; supported: default, linear, yarn, llama3", where, type);
  }
  r.ignore({"rope_type", "type", "rope_theta", "factor", "original_max_position_embeddings", "finetuned",
            "max_position_embeddings"});
  std::vector<std::string> unread = r.unread();
  if (!unread.empty()) return error("{}: unknown key \"{}\" for rope_type \"{}\"", where, unread.front(), type);
  return {};
}

Status read_quantization(ConfigReader& reader, ModelConfig& config) {
  const Json* json = reader.object("quantization_config");
  if (json == nullptr) return {};
  ConfigReader q(*json, reader.where() + ": quantization_config");
  std::string method = TRY(q.string("quant_method"));
  if (method != "fp8") {
    return error(
        "{}: quant_method = \"{}\" is not supported; supported: fp8 (e4m3 with block scales). Use the unquantised "
        "checkpoint or a GGUF file",
        q.where(), method);
  }
  TRY(q.expect("fmt", "e4m3"));
  // The activation scheme is how GPUs quantise activations for FP8 units; minke multiplies f32 activations by the exact
  // weights.
  TRY(q.expect("activation_scheme", "dynamic"));
  std::vector<int64_t> block = TRY(q.integers("weight_block_size"));
  if (block.size() != 2 || block[0] < 1 || block[1] < 1 || block[0] > 65536 || block[1] > 65536) {
    return error("{}: weight_block_size: expected two positive integers such as [128, 128]", q.where());
  }
  config.fp8_block_rows = block[0];
  config.fp8_block_cols = block[1];
  return {};
}

}  // namespace

Status read_rope(ConfigReader& reader, RopeConfig& rope) {
  int64_t max_seq_len = TRY(reader.integer("max_position_embeddings"));
  rope.theta = TRY(reader.number_or("rope_theta", 10000.0));
  if (TRY(reader.number_or("partial_rotary_factor", 1.0)) != 1.0) {
    return error("{}: partial_rotary_factor: only 1.0 is supported", reader.where());
  }
  // transformers >= 5 writes one dict, rope_parameters; older files rope_theta and rope_scaling.
  for (const char* key : {"rope_scaling", "rope_parameters"}) {
    if (!reader.has(key)) continue;
    const Json* json = reader.object(key);
    if (json == nullptr) return error("{}: {}: expected an object", reader.where(), key);
    TRY(read_scaling(*json, reader.where() + ": " + key, max_seq_len, rope));
  }
  return {};
}

Status read_common(ConfigReader& reader, ModelConfig& config) {
  config.vocab_size = TRY(reader.integer("vocab_size"));
  config.hidden_size = TRY(reader.integer("hidden_size"));
  config.intermediate_size = TRY(reader.integer("intermediate_size"));
  config.n_layers = TRY(reader.integer("num_hidden_layers"));
  config.n_heads = TRY(reader.integer("num_attention_heads"));
  config.max_seq_len = TRY(reader.integer("max_position_embeddings"));
  config.rms_norm_eps = TRY(reader.number_or("rms_norm_eps", 1e-6));
  config.initializer_range = TRY(reader.number_or("initializer_range", 0.02));
  config.tied_embeddings = TRY(reader.boolean_or("tie_word_embeddings", false));
  std::vector<int64_t> bos = TRY(reader.integers("bos_token_id"));
  if (!bos.empty()) config.bos_token_id = bos[0];
  config.eos_token_ids = TRY(reader.integers("eos_token_id"));
  TRY(reader.expect("hidden_act", "silu"));
  std::vector<std::string> layer_types = TRY(reader.strings("layer_types"));
  for (const std::string& type : layer_types) {
    if (type != "full_attention") {
      return error("{}: layer_types: \"{}\" is not supported; supported: \"full_attention\"", reader.where(), type);
    }
  }
  TRY(read_quantization(reader, config));
  // Bookkeeping, training-time and generation keys: no effect on the forward pass.
  reader.ignore({"architectures",
                 "model_type",
                 "torch_dtype",
                 "dtype",
                 "transformers_version",
                 "use_cache",
                 "auto_map",
                 "_name_or_path",
                 "pad_token_id",
                 "pretraining_tp",
                 "ep_size",
                 "attention_dropout",
                 "aux_loss_alpha",
                 "seq_aux",
                 "router_aux_loss_coef",
                 "output_router_logits",
                 "unsloth_fixed",
                 "return_dict",
                 "is_decoder",
                 "_attn_implementation",
                 "id2label",
                 "label2id",
                 "chunk_size_feed_forward",
                 "tokenizer_class",
                 "end_token_id",
                 "resid_pdrop",
                 "embd_pdrop"});
  return {};
}

}  // namespace minke
