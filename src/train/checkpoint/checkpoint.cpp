#include "train/checkpoint/checkpoint.h"

#include <algorithm>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "base/file.h"
#include "base/json.h"
#include "format/folder.h"
#include "format/quote.h"
#include "format/safetensors_writer.h"
#include "model/arch/architecture.h"

namespace minke {
namespace {


// A tensor of a checkpoint and the memory that it is written from and read into.
struct Slot {
  std::string name;
  TensorView view;
  std::byte* memory;
  int64_t head_rows = 0;  // > 0: rows have another order in the file (AdapterSite::head_rows)
};

std::vector<Slot> model_slots(const ParameterStore& store) {
  std::vector<Slot> slots;
  for (const Parameter& p : store.parameters()) slots.push_back({p.name, p.value_view(), p.value, p.head_rows});
  for (const Buffer& buffer : store.buffers()) {
    auto* memory = reinterpret_cast<std::byte*>(buffer.values->data());
    slots.push_back({buffer.name, {DType::kF32, {static_cast<int64_t>(buffer.values->size())}, memory}, memory});
  }
  return slots;
}

std::vector<Slot> optimizer_slots(const Optimizer& optimizer) {
  std::vector<Slot> slots;
  for (const StateTensor& tensor : optimizer.state()) slots.push_back({tensor.name, tensor.view(), tensor.values.data});
  return slots;
}

uint64_t bytes_of(const std::vector<Slot>& slots) {
  uint64_t total = 0;
  for (const Slot& slot : slots) total += slot.view.n_bytes() + slot.name.size() + 128;  // with its place in the header
  return total;
}

Status write_slots(const std::string& path, const std::vector<Slot>& slots) {
  std::vector<TensorSource> sources;
  for (const Slot& slot : slots) {
    sources.push_back(tensor_source(slot.name, slot.view));
    if (slot.head_rows == 0) continue;
    sources.back().write = [&slot](const ByteSink& sink) -> Status {
      std::vector<std::byte> bytes(slot.view.n_bytes());
      rows_to_file(bytes.data(), slot.memory, slot.view.n_rows(), bytes.size() / static_cast<size_t>(slot.view.n_rows()),
                   slot.head_rows);
      return sink(bytes);
    };
  }
  return write_safetensors(path, sources);
}

Status write_files(const std::string& folder, const CheckpointState& state, const CheckpointSources& sources) {
  const bool is_adapter = !sources.adapter_config.empty();
  std::vector<std::string> names = {std::string(is_adapter ? kAdapterWeightsFile : kSafetensorsSingle),
                                    std::string(kOptimizerFile), is_adapter ? std::string(kAdapterConfigFile) : "config.json"};
  TRY(write_slots(path_in(folder, names[0]), model_slots(sources.parameters)));
  TRY(write_slots(path_in(folder, names[1]), optimizer_slots(sources.optimizer)));
  std::string config = sources.adapter_config;
  if (!is_adapter) config = TRY(write_hf_config(sources.config, dtype_name(sources.parameters.options().dtype)));
  TRY(write_file(path_in(folder, names[2]), config));
  for (const CheckpointFile& file : sources.files) {
    TRY(write_file(path_in(folder, file.name), file.text));
    names.push_back(file.name);
  }
  std::vector<FileDigest> digests;
  for (const std::string& name : names) digests.push_back(TRY(digest_file(folder, name)));
  const std::string text = TRY(write_state(state, digests));
  return write_file(path_in(folder, kStateFile), text);
}

Status check_space(const std::string& run, uint64_t n_bytes) {
  std::error_code failure;
  const std::filesystem::space_info space = std::filesystem::space(run, failure);
  if (failure) return error("cannot ask for the free space: {}", failure.message());
  if (space.available >= n_bytes) return {};
  return error("the disk has {:.1f} MB left", static_cast<double>(space.available) / 1e6);
}

Status check_file(const std::string& folder, const FileDigest& expected) {
  const std::string path = path_in(folder, expected.name);
  if (!file_exists(path)) return error("{}: damaged checkpoint: the file is missing", path);
  const FileDigest found = TRY(digest_file(folder, expected.name));
  if (found.n_bytes != expected.n_bytes) {
    return error("{}: damaged checkpoint: {} bytes, expected {}", path, found.n_bytes, expected.n_bytes);
  }
  if (found.sha256 != expected.sha256) {
    return error("{}: damaged checkpoint: sha256 {}, expected {}", path, found.sha256, expected.sha256);
  }
  return {};
}

Status check_slots(const std::string& path, const TensorMap& tensors, const std::vector<Slot>& slots) {
  for (const Slot& slot : slots) {
    const TensorView* found = tensors.find(slot.name);
    if (found == nullptr)
      return error("{}: tensor {} missing; the run was of another model or optimizer", path, quote_name(slot.name));
    if (found->dtype != slot.view.dtype || found->shape != slot.view.shape) {
      return error("{}: tensor {} is {} {}, expected {} {}", path, quote_name(slot.name), dtype_name(found->dtype),
                   shape_text(found->shape), dtype_name(slot.view.dtype), shape_text(slot.view.shape));
    }
  }
  if (tensors.size() == slots.size()) return {};
  return error("{}: {} tensors, expected {}; the run was of another model or optimizer", path, tensors.size(), slots.size());
}

void copy_slots(const TensorMap& tensors, const std::vector<Slot>& slots) {
  for (const Slot& slot : slots) {
    const std::byte* file = tensors.find(slot.name)->data;
    const auto n_rows = static_cast<size_t>(slot.view.n_rows());
    rows_from_file(slot.memory, file, slot.view.n_rows(), slot.view.n_bytes() / n_rows, slot.head_rows);
  }
}

}  // namespace

uint64_t checkpoint_bytes(const CheckpointSources& sources) {
  uint64_t total = bytes_of(model_slots(sources.parameters)) + bytes_of(optimizer_slots(sources.optimizer)) + (64 << 10);
  for (const CheckpointFile& file : sources.files) total += file.text.size();
  return total;
}

Result<std::string> write_checkpoint(const std::string& run, const CheckpointState& state, const CheckpointSources& sources) {
  PartialCheckpoint partial = TRY(PartialCheckpoint::create(run, state.step));
  const uint64_t n_bytes = checkpoint_bytes(sources);
  Status written = check_space(run, n_bytes);
  if (written) written = write_files(partial.path(), state, sources);
  if (!written) {
    return error("{}: checkpoint of step {} not written, it needs {:.1f} MB: {}", run, state.step,
                 static_cast<double>(n_bytes) / 1e6, written.error().message);
  }
  return partial.commit();
}

Result<Checkpoint> open_checkpoint(const std::string& path) {
  const std::string state_path = path_in(path, kStateFile);
  if (!file_exists(state_path)) return error("{}: damaged checkpoint: the file is missing", state_path);
  const std::string text = TRY(read_file(state_path, kMaxStateBytes));
  StateFile file = TRY(parse_state(text, state_path));
  for (const FileDigest& expected : file.files) TRY(check_file(path, expected));
  const bool is_adapter = std::any_of(file.files.begin(), file.files.end(),
                                      [](const FileDigest& entry) { return entry.name == kAdapterWeightsFile; });
  const std::string weights_file(is_adapter ? kAdapterWeightsFile : kSafetensorsSingle);
  SafetensorsFile model = TRY(open_safetensors(path_in(path, weights_file)));
  SafetensorsFile optimizer = TRY(open_safetensors(path_in(path, kOptimizerFile)));
  return Checkpoint{path, std::move(file.state), weights_file, std::move(model.tensors), std::move(optimizer.tensors)};
}

Result<Checkpoint> open_latest_checkpoint(const std::string& run, IfDamaged if_damaged) {
  const std::vector<CheckpointFolder> folders = TRY(list_checkpoints(run));
  if (folders.empty()) return error("{}: no checkpoint (a folder like {})", run, checkpoint_name(1));
  Result<Checkpoint> latest = open_checkpoint(folders.back().path);
  if (latest) return latest;
  if (if_damaged == IfDamaged::kRefuse) {
    if (folders.size() == 1) return latest;
    return error("{}; the checkpoint before it is {}", latest.error().message, folders[folders.size() - 2].path);
  }
  for (size_t back = folders.size() - 1; back-- > 0;) {
    Result<Checkpoint> earlier = open_checkpoint(folders[back].path);
    if (!earlier) continue;
    for (size_t i = back + 1; i < folders.size(); i++) TRY(set_aside(folders[i]));
    return earlier;
  }
  return latest;
}

Status restore_checkpoint(const Checkpoint& checkpoint, ParameterStore& parameters, Optimizer& optimizer) {
  const std::vector<Slot> model = model_slots(parameters), state = optimizer_slots(optimizer);
  TRY(check_slots(path_in(checkpoint.path, checkpoint.weights_file), checkpoint.model, model));
  TRY(check_slots(path_in(checkpoint.path, kOptimizerFile), checkpoint.optimizer, state));
  copy_slots(checkpoint.model, model);
  copy_slots(checkpoint.optimizer, state);
  optimizer.set_n_steps(checkpoint.state.optimizer_steps);
  return {};
}

}  // namespace minke
