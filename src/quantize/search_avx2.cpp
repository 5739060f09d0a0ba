#include "quantize/search_table.h"

namespace minke {

constexpr SearchTable kAvx2Search = make_search_table();

}  // namespace minke
