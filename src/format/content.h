// What the name and the first bytes of a file say it is, for refusals that help: a download that is a Git LFS pointer, a
// pickle, a web page.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>

namespace minke {

enum class Content {
  kEmpty,
  kSafetensors,
  kGguf,
  kLfsPointer,
  kPickle,
  kZip,
  kGzip,
  kHtml,
  kJson,
  kText,
  kUnknown,
};

Content sniff_content(std::span<const std::byte> bytes);

// Why a file with this content is not what was expected, and what to do; "" when nothing better than "damaged" can be said.
std::string explain_content(Content content);

// A name that PyTorch gives to pickled weights: .bin .pt .pth .ckpt .pkl
bool has_pickle_name(std::string_view path);

// Why pickles are never read, and what to do instead.
constexpr std::string_view kPickleReason =
    "PyTorch weights of this kind are a pickle, which can run any code when it is read, so minke never opens one; take the "
    "safetensors or GGUF version of the model, or convert it on a machine where you trust the file";

}  // namespace minke
