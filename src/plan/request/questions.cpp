#include "plan/request/questions.h"

#include <array>
#include <limits>
#include <nlohmann/json.hpp>
#include <string_view>

namespace minke::plan {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr double kMaxPrice = 1e6;  // dollars for a device and hour
constexpr size_t kMaxCompared = 6;
constexpr double kMaxFactor = 1000;

constexpr std::array<std::string_view, 4> kProperties = {"bandwidth", "network", "compute", "memory"};

// The device, with the properties that "what_if" multiplies.
Result<Device> device_of(const Inputs& in, const Tables& tables) {
  std::string name = TRY(in.text("device"));
  Device device = TRY_IN(fmt::format("device = \"{}\"", name), tables.device(name));
  Json factors = TRY(in.object_or_empty("what_if"));
  Inputs what_if(factors);
  TRY(what_if.only("what_if", kProperties));
  for (std::string_view property : kProperties) {
    double factor = TRY(what_if.number_or(property, 1 / kMaxFactor, kMaxFactor, 1));
    scale_device(device, property, factor);
  }
  return device;
}

Result<ModelRow> model_of(const Inputs& in, const Tables& tables) {
  std::string name = TRY(in.text("model"));
  return TRY_IN(fmt::format("model = \"{}\"", name), tables.model(name));
}

// What all questions about many devices share.
template <typename Question>
Status read_fleet(Question& q, const Inputs& in, const Tables& tables) {
  ModelRow model = TRY(model_of(in, tables));
  q.model_name = model.name;
  q.model_source = source_text(model.source);
  q.config = model.config;
  q.device = TRY(device_of(in, tables));
  q.n_devices = TRY(in.integer("devices", 1, kMaxDevices));
  q.usd_per_hour = TRY(in.maybe("usd_per_hour", 0, kMaxPrice));
  return {};
}

Result<Comparison> compared_question(const Inputs& of, const Tables& tables) {
  constexpr std::array<std::string_view, 3> kKinds = {"train", "serve", "run"};
  std::string kind = TRY(of.choice_or("kind", kKinds, "train"));
  Comparison out;
  if (kind == "train") {
    out.question = TRY(train_question(of, tables));
  } else if (kind == "serve") {
    out.question = TRY(serve_question(of, tables));
  } else {
    out.question = TRY(run_question(of, tables));
  }
  return out;
}

}  // namespace

Result<TrainQuestion> train_question(const Inputs& in, const Tables& tables) {
  constexpr std::array<std::string_view, 17> kKeys = {
      "kind",     "language", "model",  "device",  "devices",     "tokens",    "seq_len",      "sequences", "precision",
      "with_mtp", "layout",   "tflops", "goodput", "extra_hours", "programme", "usd_per_hour", "what_if"};
  constexpr std::array<std::string_view, 2> kPrecisions = {"fp8", "bf16"};
  TRY(in.only("train", kKeys));
  TrainQuestion q;
  TRY(read_fleet(q, in, tables));
  q.tokens = Tokens(TRY(in.count("tokens")));
  q.seq_len = TRY(in.integer_or("seq_len", 1, kMaxSequences, q.seq_len));
  q.n_sequences = TRY(in.integer_or("sequences", 1, kMaxSequences, 0));
  std::string precision = TRY(in.choice_or("precision", kPrecisions, ""));
  if (precision == "fp8") q.precision = Precision::kFp8;
  if (precision == "bf16") q.precision = Precision::kBf16;
  q.with_mtp = TRY(in.flag_or("with_mtp", false));
  q.layout = TRY(in.text_or("layout", ""));
  q.tflops = TRY(in.maybe("tflops", 1e-3, 1e6));
  q.goodput = TRY(in.maybe("goodput", 0.01, 1));
  q.extra_hours = TRY(in.number_or("extra_hours", 0, kInfinity, 0));
  q.programme = TRY(in.maybe("programme", 1, kMaxFactor));
  return q;
}

Result<RlQuestion> rl_question(const Inputs& in, const Tables& tables) {
  constexpr std::array<std::string_view, 13> kKeys = {
      "kind",          "language",   "model",         "device", "devices",      "rounds", "answers_per_round",
      "answer_tokens", "cap_tokens", "prompt_tokens", "bits",   "usd_per_hour", "what_if"};
  TRY(in.only("rl", kKeys));
  RlQuestion q;
  TRY(read_fleet(q, in, tables));
  q.n_rounds = TRY(in.count("rounds"));
  q.answers_per_round = TRY(in.count("answers_per_round"));
  q.answer_tokens = TRY(in.count_or("answer_tokens", 8000));
  q.cap_tokens = TRY(in.count_or("cap_tokens", q.cap_tokens));
  q.prompt_tokens = TRY(in.count_or("prompt_tokens", q.prompt_tokens));
  q.weight_bits = TRY(in.number_or("bits", 1, 32, q.weight_bits));
  return q;
}

Result<ServeQuestion> serve_question(const Inputs& in, const Tables& tables) {
  constexpr std::array<std::string_view, 20> kKeys = {"kind",         "language",      "model",     "device",       "devices",
                                                      "input_tokens", "output_tokens", "hit_share", "use",          "bits",
                                                      "kv_bytes",     "compute",       "tensor",    "unit",         "token_ms",
                                                      "drafts",       "acceptance",    "api",       "usd_per_hour", "what_if"};
  constexpr std::array<std::string_view, 2> kComputes = {"8bit", "bf16"};
  TRY(in.only("serve", kKeys));
  ServeQuestion q;
  TRY(read_fleet(q, in, tables));
  q.input_tokens = TRY(in.count_or("input_tokens", q.input_tokens));
  q.output_tokens = TRY(in.count_or("output_tokens", q.output_tokens));
  q.hit_share = TRY(in.number_or("hit_share", 0, 0.999, q.hit_share));
  q.utilisation = TRY(in.number_or("use", 0.001, 1, q.utilisation));
  q.weight_bits = TRY(in.number_or("bits", 1, 32, q.weight_bits));
  q.kv_bytes = TRY(in.number_or("kv_bytes", 0.5, 4, q.kv_bytes));
  std::string compute = TRY(in.choice_or("compute", kComputes, "8bit"));
  q.runs_eight_bit = compute == "8bit";
  if (in.has("tensor")) q.tensor = TRY(in.integer("tensor", 1, kMaxDevices));
  if (in.has("unit")) q.unit = TRY(in.integer("unit", 1, kMaxDevices));
  q.token_ms = TRY(in.maybe("token_ms", 1e-3, 1e6));
  q.n_drafts = TRY(in.integer_or("drafts", 0, 8, 0));
  q.acceptance = TRY(in.number_or("acceptance", 0.01, 0.999, q.acceptance));
  q.api = TRY(in.text_or("api", ""));
  return q;
}

Result<RunQuestion> run_question(const Inputs& in, const Tables& tables) {
  constexpr std::array<std::string_view, 14> kKeys = {
      "kind",          "language",     "model",      "device",    "bits",   "quant",         "context",
      "read_gb_per_s", "compute_gops", "f32_gflops", "memory_gb", "hybrid", "disk_gb_per_s", "what_if"};
  TRY(in.only("run", kKeys));
  RunQuestion q;
  ModelRow model = TRY(model_of(in, tables));
  std::string quant = TRY(in.text_or("quant", "q4_k_m"));
  double quant_bits = TRY(bits_of(quant));
  double bits = TRY(in.number_or("bits", 1, 32, quant_bits));
  q.model = shaped_model(model.name, model.config, bits);
  q.context = TRY(in.number_or("context", 0, static_cast<double>(model.config.max_seq_len), 0));
  bool is_hybrid = TRY(in.flag_or("hybrid", false));
  std::optional<double> disk = TRY(in.maybe("disk_gb_per_s", 1e-3, 1e4));
  std::optional<double> read = TRY(in.maybe("read_gb_per_s", 1e-3, 1e6));
  if (in.has("device") == read.has_value()) {
    return error("device and read_gb_per_s: expected one of them, a device of the tables or a machine's own speed");
  }
  if (read) {
    if (is_hybrid || disk) return error("hybrid and disk_gb_per_s are about a device of the tables, not about read_gb_per_s");
    double gops = TRY(in.number_or("compute_gops", 0, 1e9, 0)), f32 = TRY(in.number_or("f32_gflops", 0, 1e9, 0));
    double memory = TRY(in.number_or("memory_gb", 0, 1e6, 0));
    q.own = OwnMachine{*read, gops, f32, memory * 1e9, "stated"};
    return q;
  }
  q.device = TRY(device_of(in, tables));
  if (is_hybrid && disk) return error("hybrid and disk_gb_per_s contradict each other: experts are in memory or on a disk");
  if (is_hybrid) q.placement = Placement::kHybrid;
  if (disk) {
    q.placement = Placement::kExpertsDisk;
    q.disk = gigabytes_per_s(*disk);
  }
  return q;
}

Result<ComparisonQuestion> comparison_question(const Inputs& in, const Tables& tables) {
  constexpr std::array<std::string_view, 5> kKeys = {"kind", "language", "of", "on", "sweep"};
  constexpr std::array<std::string_view, 3> kSweepKeys = {"property", "low", "high"};
  TRY(in.only("compare", kKeys));
  std::vector<std::string> names = TRY(in.texts("on", kMaxCompared));
  Json of = TRY(in.object_or_empty("of"));
  ComparisonQuestion out;
  out.comparison = TRY_IN("of", compared_question(Inputs(of), tables));
  for (const std::string& name : names) {
    // The scaled device of the question itself, where it is one of those compared.
    const auto& asked = std::visit([](const auto& q) -> const Device& { return q.device; }, out.comparison.question);
    Device device = TRY_IN(fmt::format("on = \"{}\"", name), tables.device(name));
    out.comparison.devices.push_back(device.name == asked.name ? asked : device);
  }
  if (!in.has("sweep")) return out;
  Json sweep = TRY(in.object_or_empty("sweep"));
  Inputs inner(sweep);
  TRY(inner.only("sweep", kSweepKeys));
  Sweep wanted;
  wanted.property = TRY(inner.text("property"));
  wanted.low = TRY(inner.number_or("low", 1 / kMaxFactor, kMaxFactor, 0.5));
  wanted.high = TRY(inner.number_or("high", 1 / kMaxFactor, kMaxFactor, 2));
  TRY(check_sweep(wanted));
  out.sweep = wanted;
  return out;
}

}  // namespace minke::plan
