#include "train/parameters.h"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstring>
#include <numbers>
#include <unordered_map>

#include "base/check.h"
#include "base/rng.h"
#include "format/quote.h"
#include "kernels/convert.h"

namespace minke {
namespace {

constexpr int64_t kFillPiece = 4096;  // elements that are made or copied at a time; even

// FNV-1a. Names differ in few characters: mix_seed spreads the hash afterwards.
uint64_t hash_name(std::string_view name) {
  uint64_t hash = 0xCBF29CE484222325u;
  for (char c : name) hash = (hash ^ static_cast<uint8_t>(c)) * 0x100000001B3u;
  return hash;
}

// In (0, 1]: 53 bits, never 0, which has no logarithm.
double uniform(uint64_t bits) { return (static_cast<double>(bits >> 11) + 1.0) * 0x1p-53; }

// Elements [begin, begin + n) of the normal stream of `seed`; begin is even. Two elements come from one pair of uniforms (Box
// and Muller 1958).
void normal_numbers(float* out, uint64_t seed, int64_t begin, int64_t n, double std) {
  for (int64_t i = 0; i < n; i += 2) {
    const auto pair = static_cast<uint64_t>((begin + i) / 2);
    const double radius = std * std::sqrt(-2.0 * std::log(uniform(mix_seed(seed, 2 * pair))));
    const double angle = 2.0 * std::numbers::pi * uniform(mix_seed(seed, 2 * pair + 1));
    out[i] = static_cast<float>(radius * std::cos(angle));
    if (i + 1 < n) out[i + 1] = static_cast<float>(radius * std::sin(angle));
  }
}

// fn(begin, n) on pieces that cover [0, n_elements).
template <typename Fn>
void for_pieces(int64_t n_elements, const Context& context, Fn fn) {
  context.parallel_for((n_elements + kFillPiece - 1) / kFillPiece, 1, [&](int64_t first, int64_t last) {
    for (int64_t piece = first; piece < last; piece++) {
      fn(piece * kFillPiece, std::min(kFillPiece, n_elements - piece * kFillPiece));
    }
  });
}

bool same_numbers(const Weight& a, const Weight& b) {
  if (a.data == b.data) return true;
  if (a.dtype != b.dtype || a.n_rows != b.n_rows || a.n_cols != b.n_cols || a.is_packed != b.is_packed) return false;
  return std::memcmp(a.data, b.data, a.n_bytes()) == 0;
}

Weight matrix_of(const Parameter& p) {
  return {.dtype = p.dtype, .n_rows = p.shape[0], .n_cols = p.shape[1], .data = p.value, .gradient = p.grad};
}

Status check_source(const Model& model, const ModelConfig& config) {
  const ModelWeights& weights = model.weights();
  if (model.files().format != ModelFormat::kSafetensors) {
    return error("{}: training starts from the Hugging Face layout; `minke convert` makes it from GGUF", model.files().weights);
  }
  CHECK(!weights.lm_head.is_packed && model.experts() == nullptr, "training needs a model loaded unpacked and whole");
  const ModelConfig& c = model.config();
  if (c.architecture != config.architecture || c.n_mtp_layers != config.n_mtp_layers ||
      c.tied_embeddings != config.tied_embeddings) {
    return error("{}: {} with {} layers of multi-token prediction and {} head, expected {}, {} and {}", model.files().weights,
                 c.architecture, c.n_mtp_layers, c.tied_embeddings ? "a tied" : "its own", config.architecture,
                 config.n_mtp_layers, config.tied_embeddings ? "tied" : "its own");
  }
  for (const MtpWeights& mtp : weights.mtp) {
    if (same_numbers(mtp.embedding, weights.embedding) && same_numbers(mtp.lm_head, weights.lm_head)) continue;
    return error("{}: multi-token prediction has an embedding or a head of its own; only shared ones are trained",
                 model.files().weights);
  }
  return {};
}

}  // namespace

Result<ParameterStore::Block> ParameterStore::allocate(uint64_t size, std::string_view what) {
  if (size == 0) return Block{};
  auto* memory = static_cast<std::byte*>(std::aligned_alloc(kAlign, size));
  if (memory == nullptr) return error("out of memory: {:.2f} GB for {}", static_cast<double>(size) / 1e9, what);
  std::memset(memory, 0, size);
  return Block{std::unique_ptr<std::byte[], Free>(memory), size};
}

Status ParameterStore::place() {
  const bool has_master = options_.has_master && options_.dtype == DType::kBF16;
  const uint64_t value_bytes = dtype_info(options_.dtype).block_bytes;
  uint64_t n_values = 0, n_masters = 0, n_grads = 0;
  for (const Parameter& p : parameters_) {
    const auto n = static_cast<uint64_t>(p.n);
    n_grads += aligned(4 * n);
    if (!p.is_matrix) continue;
    n_values += aligned(value_bytes * n);
    n_masters += has_master ? aligned(4 * n) : 0;
  }
  values_ = TRY(allocate(n_values, "parameters"));
  masters_ = TRY(allocate(n_masters, "f32 masters of the parameters"));
  grads_ = TRY(allocate(n_grads, "gradients"));
  std::byte* value = values_.memory.get();
  std::byte* master = masters_.memory.get();
  std::byte* grad = grads_.memory.get();
  for (Parameter& p : parameters_) {
    n_elements_ += p.n;
    p.grad = reinterpret_cast<float*>(grad);
    grad += aligned(4 * static_cast<uint64_t>(p.n));
    if (!p.is_matrix) continue;
    p.dtype = options_.dtype;
    p.value = value;
    value += aligned(value_bytes * static_cast<uint64_t>(p.n));
    if (!has_master) continue;
    p.master = reinterpret_cast<float*>(master);
    master += aligned(4 * static_cast<uint64_t>(p.n));
  }
  return {};
}

Result<std::unique_ptr<ParameterStore>> ParameterStore::create(const ModelConfig& config, ModelWeights& weights,
                                                               const ParameterOptions& options) {
  CHECK(options.dtype == DType::kF32 || options.dtype == DType::kBF16, "parameters in {}", dtype_name(options.dtype));
  std::unique_ptr<ParameterStore> store(new ParameterStore());
  store->config_ = config;
  store->options_ = options;
  std::vector<WeightRow> rows = weight_rows(config, weights, false);
  for (const WeightRow& row : rows) {
    const int64_t n = TensorView{DType::kF32, row.shape, nullptr}.n_elements();
    if (row.vector != nullptr) row.vector->assign(static_cast<size_t>(n), 0.0f);
    if (row.is_shared) continue;
    if (row.kind == WeightKind::kRouterBias) {
      store->buffers_.push_back({row.hf_name, row.vector});
      continue;
    }
    Parameter p = {row.hf_name, row.shape, row.kind, row.layer, row.expert, decays(row.kind), row.matrix != nullptr};
    p.n = n;
    store->parameters_.push_back(std::move(p));
  }
  TRY(store->place());
  auto next = store->parameters_.begin();
  for (WeightRow& row : rows) {
    if (row.is_shared || row.kind == WeightKind::kRouterBias) continue;
    Parameter& p = *next++;
    if (p.is_matrix) {
      *row.matrix = matrix_of(p);
    } else {
      p.value = reinterpret_cast<std::byte*>(row.vector->data());
      row.vector->gradient = p.grad;
    }
  }
  for (MtpWeights& mtp : weights.mtp) mtp.embedding = mtp.lm_head = Weight{};
  link_weights(config, weights);
  return store;
}

Result<std::unique_ptr<ParameterStore>> ParameterStore::create_adapters(Model& model, const AdapterConfig& adapter,
                                                                        const ParameterOptions& options) {
  CHECK(adapter.rank > 0, "rank {}", adapter.rank);
  std::unique_ptr<ParameterStore> store(new ParameterStore());
  store->config_ = model.config();
  store->options_ = options;
  const std::vector<AdapterSite> sites =
      TRY(adapter_sites(model.config(), model.mutable_weights(), model.files().format, adapter.targets));
  for (const AdapterSite& site : sites) {
    for (const char matrix : {'A', 'B'}) {
      Shape shape = matrix == 'A' ? Shape{adapter.rank, site.n_in} : Shape{site.n_out, adapter.rank};
      Parameter p = {site.tensor_name(matrix), std::move(shape), WeightKind::kLinear};
      p.decays = p.is_matrix = true;
      p.n = p.shape[0] * p.shape[1];
      p.head_rows = matrix == 'A' ? 0 : site.head_rows;
      store->parameters_.push_back(std::move(p));
    }
  }
  TRY(store->place());
  for (size_t i = 0; i < sites.size(); i++) {
    const Parameter &a = store->parameters_[2 * i], &b = store->parameters_[2 * i + 1];
    store->adapters_.push_back(std::make_unique<Adapter>(matrix_of(a), matrix_of(b), static_cast<float>(adapter.scale())));
    sites[i].linear->adapter = store->adapters_.back().get();
  }
  return store;
}

void ParameterStore::set_values(Parameter& parameter, const float* f32, int64_t begin, int64_t n) {
  if (parameter.master != nullptr) std::copy_n(f32, n, parameter.master + begin);
  const auto element_bytes = static_cast<int64_t>(dtype_info(parameter.dtype).block_bytes);
  quantize_row(parameter.value + begin * element_bytes, parameter.dtype, f32, n);
}

void ParameterStore::initialize(uint64_t seed, double std, const Context& context) {
  for (Parameter& p : parameters_) {
    const uint64_t stream = mix_seed(seed, hash_name(p.name));
    for_pieces(p.n, context, [&](int64_t begin, int64_t n) {
      float numbers[kFillPiece];
      if (p.is_matrix) {
        normal_numbers(numbers, stream, begin, n, std);
      } else {
        std::fill_n(numbers, n, p.kind == WeightKind::kNorm ? 1.0f : 0.0f);
      }
      set_values(p, numbers, begin, n);
    });
  }
  for (const Buffer& buffer : buffers_) std::fill(buffer.values->begin(), buffer.values->end(), 0.0f);
}

void ParameterStore::initialize_adapters(uint64_t seed, const Context& context) {
  for (Parameter& p : parameters_) {
    const uint64_t stream = mix_seed(seed, hash_name(p.name));
    const bool is_b = p.name.ends_with(".lora_B.weight");
    const double bound = is_b ? 0 : 1 / std::sqrt(static_cast<double>(p.shape[1]));
    for_pieces(p.n, context, [&](int64_t begin, int64_t n) {
      float numbers[kFillPiece];
      for (int64_t i = 0; i < n; i++) {
        numbers[i] = static_cast<float>(bound * (2 * uniform(mix_seed(stream, static_cast<uint64_t>(begin + i))) - 1));
      }
      set_values(p, numbers, begin, n);
    });
  }
}

namespace {

// The first number that is not finite; -1: all are.
int64_t find_not_finite(const float* x, int64_t n) {
  for (int64_t i = 0; i < n; i++) {
    if (!std::isfinite(x[i])) return i;
  }
  return -1;
}

}  // namespace

Status ParameterStore::copy_from(const Model& model, const Context& context) {
  TRY(check_source(model, config_));
  ModelWeights source = model.weights();  // views, and copies of the vectors
  std::unordered_map<std::string, WeightRow> rows;
  for (WeightRow& row : weight_rows(model.config(), source, false)) rows.emplace(row.hf_name, row);
  for (Parameter& p : parameters_) {
    auto found = rows.find(p.name);
    if (found == rows.end() || found->second.shape != p.shape) {
      return error("{}: tensor {} of shape {} expected, the model has {}", model.files().weights, quote_name(p.name),
                   shape_text(p.shape), found == rows.end() ? "none of this name" : shape_text(found->second.shape));
    }
    const WeightRow& row = found->second;
    std::atomic<int64_t> bad{p.n};  // the first that is not finite
    auto copy = [&](const float* numbers, int64_t first, int64_t n) {
      const int64_t at = find_not_finite(numbers, n);
      for (int64_t known = bad; at >= 0 && first + at < known && !bad.compare_exchange_weak(known, first + at);) continue;
      set_values(p, numbers, first, n);
    };
    if (row.vector != nullptr) {
      CHECK(static_cast<int64_t>(row.vector->size()) == p.n, "{}: {} numbers", p.name, row.vector->size());
      copy(row.vector->data(), 0, p.n);
    } else {
      const Weight& w = *row.matrix;
      context.parallel_for(w.n_rows, 8, [&](int64_t begin, int64_t end) {
        std::vector<float> numbers(static_cast<size_t>(w.n_cols));
        for (int64_t r = begin; r < end; r++) {
          dequantize_weight_rows(numbers.data(), w, r, 1);
          copy(numbers.data(), r * w.n_cols, w.n_cols);
        }
      });
    }
    if (bad < p.n) {
      return error("{}: tensor {}: element {} of {} is not a finite number; such a model cannot be trained",
                   model.files().weights, quote_name(p.name), bad.load(), p.n);
    }
  }
  for (const Buffer& buffer : buffers_) {
    auto found = rows.find(buffer.name);
    if (found == rows.end()) return error("{}: tensor {} missing", model.files().weights, quote_name(buffer.name));
    *buffer.values = *found->second.vector;
  }
  return {};
}

void ParameterStore::zero_grads(const Context& context) {
  const auto n = static_cast<int64_t>(grads_.size / sizeof(float));
  auto* grads = reinterpret_cast<float*>(grads_.memory.get());
  context.parallel_for(n, 1 << 16, [&](int64_t begin, int64_t end) { std::fill(grads + begin, grads + end, 0.0f); });
}

}  // namespace minke
