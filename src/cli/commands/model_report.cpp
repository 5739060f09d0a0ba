#include "cli/commands/model_report.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/digest.h"
#include "base/file.h"
#include "cli/interrupt.h"
#include "cli/model_argument.h"
#include "cli/terminal.h"
#include "format/gguf.h"
#include "format/gguf_parts.h"
#include "format/model_file.h"
#include "format/safetensors.h"
#include "model/loader.h"

namespace minke::cli {
namespace {

constexpr size_t kHashStep = size_t{16} << 20;
constexpr size_t kMaxConfigBytes = size_t{16} << 20;

Status add_safetensors(ModelReport& report, const std::string& path) {
  std::vector<SafetensorsShard> shards = TRY(map_safetensors(path));
  for (const SafetensorsShard& shard : shards) {
    for (const SafetensorsEntry& entry : shard.header.entries) {
      auto dtype = dtype_from_safetensors(entry.dtype);
      std::string name(dtype ? dtype_name(*dtype) : std::string_view(entry.dtype));
      report.tensors.push_back({entry.name, name, entry.shape, entry.end - entry.begin, report.files.size()});
    }
    report.files.push_back({shard.file->path(), shard.file->bytes().size()});
  }
  return {};
}

Status add_gguf(ModelReport& report, const std::string& path) {
  auto part = gguf_part_name(path);
  int64_t n_parts = part ? part->n_parts : 1;
  for (int64_t i = 0; i < n_parts; i++) {
    std::string part_path = part ? part->path_of(i) : path;
    auto file = TRY(MappedFile::open(part_path));
    GgufFile parsed = TRY(parse_gguf(file->bytes(), part_path));
    for (const TensorMap::Entry& entry : parsed.tensors.entries()) {
      const TensorView& view = entry.view;
      report.tensors.push_back(
          {entry.name, std::string(dtype_name(view.dtype)), view.shape, view.n_bytes(), report.files.size()});
    }
    report.files.push_back({part_path, file->bytes().size()});
  }
  return {};
}

std::string value_text(const GgufValue& value) {
  auto text = [](const auto& v) {
    if constexpr (requires { v.begin(); }) {
      return fmt::format("{}", fmt::join(v, "\n"));
    } else {
      return fmt::format("{}", v);
    }
  };
  return fmt::format("{} {}", gguf_type_name(value.type), std::visit(text, value.value));
}

Result<std::string> fingerprint_of(const ModelReport& report, const ModelFiles& files) {
  std::vector<std::string> lines;
  for (const ReportedTensor& tensor : report.tensors) {
    lines.push_back(fmt::format("{}\t{}\t{}\n", tensor.name, tensor.dtype, shape_text(tensor.shape)));
  }
  std::sort(lines.begin(), lines.end());
  Digest digest = Digest::sha256();
  for (const std::string& line : lines) digest.update(line);
  if (files.format == ModelFormat::kSafetensors) {
    digest.update(TRY(read_file(files.config, kMaxConfigBytes)));
  }
  for (const auto& [key, value] : files.gguf.entries()) digest.update(fmt::format("{}\t{}\n", key, value_text(value)));
  return digest.finish_hex();
}

Json rope_group(const RopeConfig& rope) {
  Json out = {{"rope_theta", rope.theta}, {"rope_dim", rope.dim}, {"rope_layout", rope.interleaved ? "interleaved" : "half"}};
  const char* names[] = {"none", "linear", "yarn", "llama3"};
  out["rope_scaling"] = names[static_cast<size_t>(rope.scaling)];
  if (rope.scaling == RopeScaling::kNone) return out;
  out["rope_factor"] = rope.factor;
  if (rope.original_max_seq_len > 0) out["original_max_seq_len"] = static_cast<int64_t>(rope.original_max_seq_len);
  if (rope.scaling == RopeScaling::kYarn) {
    out["yarn_beta_fast"] = rope.beta_fast;
    out["yarn_beta_slow"] = rope.beta_slow;
    if (rope.mscale != 0) out["yarn_mscale"] = rope.mscale;
    if (rope.mscale_all_dim != 0) out["yarn_mscale_all_dim"] = rope.mscale_all_dim;
    if (rope.attention_factor != 0) out["yarn_attention_factor"] = rope.attention_factor;
  }
  if (rope.scaling == RopeScaling::kLlama3) {
    out["low_freq_factor"] = rope.low_freq_factor;
    out["high_freq_factor"] = rope.high_freq_factor;
  }
  return out;
}

Json attention_group(const ModelConfig& c) {
  bool is_mla = c.attention == AttentionKind::kMla;
  Json out = {{"attention", is_mla ? "mla" : "gqa"}, {"n_heads", c.n_heads}};
  if (is_mla) {
    out.update(Json{{"q_lora_rank", c.q_lora_rank},
                    {"kv_lora_rank", c.kv_lora_rank},
                    {"qk_nope_head_dim", c.qk_nope_head_dim},
                    {"qk_rope_head_dim", c.qk_rope_head_dim},
                    {"v_head_dim", c.v_head_dim}});
  } else {
    out.update(Json{{"n_kv_heads", c.n_kv_heads}, {"head_dim", c.head_dim}, {"qkv_bias", c.qkv_bias}, {"qk_norm", c.qk_norm}});
  }
  out["softmax_scale"] = c.softmax_scale;
  return out;
}

Json moe_group(const MoeConfig& moe) {
  const char* selections[] = {"topk", "groups by their best expert", "groups by their two best experts"};
  return Json{{"n_routed_experts", moe.n_routed_experts},
              {"n_shared_experts", moe.n_shared_experts},
              {"n_experts_per_token", moe.n_experts_per_token},
              {"moe_intermediate_size", moe.intermediate_size},
              {"first_k_dense", moe.first_k_dense},
              {"layer_freq", moe.layer_freq},
              {"router_scoring", moe.scoring == RouterScoring::kSigmoid ? "sigmoid" : "softmax"},
              {"router_selection", selections[static_cast<size_t>(moe.selection)]},
              {"n_groups", moe.n_groups},
              {"topk_groups", moe.topk_groups},
              {"router_bias", moe.has_router_bias},
              {"norm_topk", moe.norm_topk},
              {"routed_scaling_factor", moe.routed_scaling_factor}};
}

}  // namespace

Result<ModelReport> report_model(const std::string& path) {
  ModelFiles files = TRY(open_model(path));
  ModelReport report;
  report.path = files.weights;
  report.config = TRY(read_model_config(files));
  bool is_gguf = files.format == ModelFormat::kGguf;
  report.format = is_gguf ? "gguf" : "safetensors";
  TRY(is_gguf ? add_gguf(report, files.weights) : add_safetensors(report, files.weights));
  report.parameters = count_parameters(report.config);
  for (const ReportedTensor& tensor : report.tensors) {
    report.bytes_of_dtype[tensor.dtype] += tensor.n_bytes;
    report.weight_bytes += tensor.n_bytes;
  }
  report.tokenizer = load_tokenizer_for(files.weights);
  report.structure_fingerprint = TRY(fingerprint_of(report, files));
  return report;
}

std::vector<std::pair<std::string, Json>> config_groups(const ModelConfig& c) {
  Json shape = {
      {"hidden_size", c.hidden_size},        {"n_layers", c.n_layers},       {"intermediate_size", c.intermediate_size},
      {"vocab_size", c.vocab_size},          {"max_seq_len", c.max_seq_len}, {"rms_norm_eps", c.rms_norm_eps},
      {"tied_embeddings", c.tied_embeddings}};
  if (c.n_mtp_layers > 0) shape["n_mtp_layers"] = c.n_mtp_layers;
  if (c.fp8_block_rows > 0) shape["fp8_block"] = fmt::format("{}x{}", c.fp8_block_rows, c.fp8_block_cols);
  if (c.embedding_multiplier != 1.0) shape["embedding_multiplier"] = c.embedding_multiplier;
  if (c.residual_multiplier != 1.0) shape["residual_multiplier"] = c.residual_multiplier;
  if (c.logits_multiplier != 1.0) shape["logits_multiplier"] = c.logits_multiplier;
  if (c.post_norm) shape["post_norm"] = true;
  std::vector<std::pair<std::string, Json>> groups = {
      {"model", std::move(shape)}, {"attention", attention_group(c)}, {"rope", rope_group(c.rope)}};
  if (c.moe.n_routed_experts > 0) groups.emplace_back("moe", moe_group(c.moe));
  return groups;
}

Result<std::optional<std::vector<std::string>>> hash_files(const std::vector<ReportedFile>& files) {
  uint64_t total = 0, done = 0;
  for (const ReportedFile& file : files) total += file.n_bytes;
  std::atomic<bool>& interrupted = interrupt_flag();
  ProgressBar bar("SHA-256", ProgressBar::Unit::kBytes);
  std::vector<std::string> hashes;
  for (const ReportedFile& file : files) {
    auto mapped = TRY(MappedFile::open(file.path));
    Digest digest = Digest::sha256();
    for (auto rest = mapped->bytes(); !rest.empty();) {
      if (interrupted) return std::optional<std::vector<std::string>>();
      auto step = rest.first(std::min(rest.size(), kHashStep));
      digest.update(step);
      rest = rest.subspan(step.size());
      done += step.size();
      bar.update(done, total);
    }
    hashes.push_back(digest.finish_hex());
  }
  return std::optional(std::move(hashes));
}

}  // namespace minke::cli
