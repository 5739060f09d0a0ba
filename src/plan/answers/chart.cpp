#include "plan/answers/chart.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/markup.h"

namespace minke::plan {
namespace {

constexpr double kWidth = 800, kName = 230, kText = 170, kRow = 38, kTop = 76, kBar = 16;

constexpr std::string_view kStyle = R"(<style>
svg { background: #ffffff; font-family: system-ui, sans-serif; }
text { fill: #1c1f23; font-size: 14px; }
.title { font-size: 18px; font-weight: 600; }
.note { font-size: 12px; fill: #5a6068; }
.end { text-anchor: end; }
.bar { fill: #1f6fb2; }
.span { stroke: #c2571a; stroke-width: 2; fill: none; }
.axis { stroke: #8a9099; fill: none; }
@media (prefers-color-scheme: dark) {
svg { background: #15181c; }
text { fill: #e6e8eb; }
.note { fill: #a2a9b2; }
.bar { fill: #6cb2f0; }
.span { stroke: #f0945a; }
.axis { stroke: #6b727b; }
}
</style>
)";

}  // namespace

std::string bars_svg(const std::string& title, const std::string& note, std::span<const Bar> bars) {
  double most = 0;
  for (const Bar& bar : bars) most = std::max(most, bar.range.high);
  double height = kTop + kRow * static_cast<double>(bars.size()) + 20, room = kWidth - kName - kText;
  auto x = [&](double value) { return kName + (most > 0 ? value / most : 0) * room; };
  std::string out = fmt::format(
      "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {0:.0f} {1:.0f}\" width=\"{0:.0f}\" height=\"{1:.0f}\" "
      "role=\"img\">\n<title>{2}</title>\n{3}<text class=\"title\" x=\"16\" y=\"30\">{2}</text>\n"
      "<text class=\"note\" x=\"16\" y=\"50\">{4}</text>\n",
      kWidth, height, escape_markup(title), kStyle, escape_markup(note));
  double y = kTop;
  for (const Bar& bar : bars) {
    double middle = y + kBar / 2;
    out += fmt::format("<text class=\"end\" x=\"{:.1f}\" y=\"{:.1f}\">{}</text>\n", kName - 10, middle + 5,
                       escape_markup(bar.name));
    out += fmt::format("<rect class=\"bar\" x=\"{:.1f}\" y=\"{:.1f}\" width=\"{:.1f}\" height=\"{:.1f}\"/>\n", kName, y,
                       x(bar.range.likely) - kName, kBar);
    out += fmt::format("<path class=\"span\" d=\"M{0:.1f} {1:.1f}H{2:.1f}M{0:.1f} {3:.1f}v8M{2:.1f} {3:.1f}v8\"/>\n",
                       x(bar.range.low), middle, x(bar.range.high), middle - 4);
    out +=
        fmt::format("<text x=\"{:.1f}\" y=\"{:.1f}\">{}</text>\n", x(bar.range.high) + 10, middle + 5, escape_markup(bar.text));
    y += kRow;
  }
  return out + fmt::format("<path class=\"axis\" d=\"M{0:.1f} {1:.1f}V{2:.1f}\"/>\n</svg>\n", kName, kTop - 10, y - 10);
}

}  // namespace minke::plan
