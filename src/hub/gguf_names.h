// What the names of GGUF files say: which files are parts of one model ("<stem>-00001-of-00009.gguf", counted from 1) and
// which quantisation it is ("-Q4_K_M", or a folder of that name). Pure functions of the names.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"

namespace minke::hub {

struct GgufSet {
  std::string stem;                  // path without "-00001-of-00009" and ".gguf"
  std::string quant;                 // as in the name, e.g. "Q4_K_M", "UD-IQ1_S"; "" when the name has none
  std::vector<std::string> parts;    // in order; parts[0] is the file to load
  std::vector<std::string> missing;  // parts that the count promises and the list lacks
};

// The models among the paths, by stem. Sidecars (mmproj-, mtp-, imatrix) are not models.
std::vector<GgufSet> gguf_sets(std::span<const std::string> paths);

// The set that a user means by `quant`; "" means Q4_K_M, or the only one there is. Letter case does not matter. Errors list
// what there is. A set that lacks parts is an error.
Result<GgufSet> choose_gguf(const std::vector<GgufSet>& sets, std::string_view quant);

// The quantisations for a message, "Q4_K_M, Q8_0".
std::string quant_list(const std::vector<GgufSet>& sets);

bool is_gguf(std::string_view path);

}  // namespace minke::hub
