#include "quantize/search_table.h"

namespace minke {

constexpr SearchTable kAvx512Search = make_search_table();

}  // namespace minke
