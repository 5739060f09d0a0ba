#include "quantize/search_table.h"

namespace minke {

constexpr SearchTable kBaselineSearch = make_search_table();

}  // namespace minke
