#include "train/report/curves.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "base/markup.h"

namespace minke {
namespace {

constexpr double kWidth = 800, kPanelHeight = 240, kLeft = 72, kRight = 24, kTop = 56, kBottom = 48, kGap = 64;
constexpr size_t kMaxPoints = 600;  // more than there are pixels to tell apart

struct Axis {
  double low = 0, high = 1, step = 1;
  double share(double value) const { return (value - low) / (high - low); }
};

// Round numbers that hold [low, high], about `n` of them: steps of 1, 2 or 5 times a power of ten.
Axis round_axis(double low, double high, int n) {
  if (!(high > low)) {
    double margin = low == 0 ? 1 : std::abs(low) * 0.1;
    low -= margin;
    high += margin;
  }
  double raw = (high - low) / n;
  double power = std::pow(10, std::floor(std::log10(raw)));
  double step = 10 * power;
  for (double factor : {5.0, 2.0, 1.0}) {
    if (factor * power >= raw) step = factor * power;
  }
  return {std::floor(low / step) * step, std::ceil(high / step) * step, step};
}

std::string axis_text(double value, double step) {
  for (auto [unit, name] : {std::pair(1e12, "T"), std::pair(1e9, "B"), std::pair(1e6, "M"), std::pair(1e3, "k")}) {
    if (std::abs(value) >= unit) return fmt::format("{:.6g}{}", value / unit, name);
  }
  // A value that is 0 but for rounding is 0.
  return fmt::format("{:.4g}", std::abs(value) < step * 1e-6 ? 0.0 : value);
}

// Control characters are not allowed in XML.
std::string escaped(std::string_view raw) {
  std::string text(raw);
  std::replace_if(
      text.begin(), text.end(), [](char c) { return static_cast<unsigned char>(c) < 0x20; }, ' ');
  return escape_markup(text);
}

std::vector<std::pair<double, double>> thinned(const Line& line) {
  std::vector<std::pair<double, double>> points;
  for (const auto& point : line.points) {
    if (std::isfinite(point.first) && std::isfinite(point.second)) points.push_back(point);
  }
  if (points.size() <= kMaxPoints) return points;
  std::vector<std::pair<double, double>> means;
  for (size_t i = 0; i < kMaxPoints; i++) {
    size_t begin = points.size() * i / kMaxPoints, end = points.size() * (i + 1) / kMaxPoints;
    double x = 0, y = 0;
    for (size_t k = begin; k < end; k++) {
      x += points[k].first;
      y += points[k].second;
    }
    means.emplace_back(x / static_cast<double>(end - begin), y / static_cast<double>(end - begin));
  }
  return means;
}

std::string text_at(double x, double y, std::string_view css, std::string_view text) {
  return fmt::format("<text class=\"{}\" x=\"{:.1f}\" y=\"{:.1f}\">{}</text>\n", css, x, y, escaped(text));
}

struct Frame {
  double top;
  Axis x, y;
  double pixel_x(double value) const { return kLeft + x.share(value) * (kWidth - kLeft - kRight); }
  double pixel_y(double value) const { return top + (1 - y.share(value)) * kPanelHeight; }
};

std::string grid_svg(const Frame& frame) {
  std::string out;
  int n_rows = static_cast<int>(std::lround((frame.y.high - frame.y.low) / frame.y.step));
  for (int i = 0; i <= n_rows; i++) {
    double value = frame.y.low + i * frame.y.step, y = frame.pixel_y(value);
    out += fmt::format("<path class=\"grid\" d=\"M{:.1f} {:.1f}H{:.1f}\"/>\n", kLeft, y, kWidth - kRight);
    out += text_at(kLeft - 8, y + 4, "value end", axis_text(value, frame.y.step));
  }
  int n_columns = static_cast<int>(std::lround((frame.x.high - frame.x.low) / frame.x.step));
  for (int i = 0; i <= n_columns; i++) {
    double value = frame.x.low + i * frame.x.step;
    out += text_at(frame.pixel_x(value), frame.top + kPanelHeight + 18, "value middle", axis_text(value, frame.x.step));
  }
  return out + fmt::format("<path class=\"axis\" d=\"M{0:.1f} {1:.1f}V{2:.1f}H{3:.1f}\"/>\n", kLeft, frame.top,
                           frame.top + kPanelHeight, kWidth - kRight);
}

std::string line_svg(const Frame& frame, const std::vector<std::pair<double, double>>& points, size_t index) {
  std::string path;
  for (const auto& [x, y] : points) {
    path += fmt::format("{}{:.1f} {:.1f}", path.empty() ? "M" : "L", frame.pixel_x(x), frame.pixel_y(y));
  }
  if (points.size() == 1) path += "h1";  // a lone point would be invisible
  return path.empty() ? "" : fmt::format("<path class=\"line{}\" d=\"{}\"/>\n", index, path);
}

std::string panel_svg(const Panel& panel, double top, const Axis& x) {
  std::vector<std::vector<std::pair<double, double>>> lines;
  double low = std::numeric_limits<double>::infinity(), high = -low;
  for (const Line& line : panel.lines) {
    lines.push_back(thinned(line));
    for (const auto& point : lines.back()) {
      low = std::min(low, point.second);
      high = std::max(high, point.second);
    }
  }
  std::string out = text_at(kLeft, top - 10, "panel", panel.title);
  if (low > high) return out + text_at(kLeft + 8, top + 20, "value", "no figures");
  if (panel.from_zero) low = std::min(0.0, low);
  Frame frame{top, x, round_axis(low, high, 5)};
  out += grid_svg(frame);
  double legend = kWidth - kRight;
  for (size_t i = lines.size(); i-- > 0;) {
    out += line_svg(frame, lines[i], i);
    if (lines.size() == 1) continue;
    out += text_at(legend, top - 10, fmt::format("name{} end", i), panel.lines[i].name);
    legend -= 12 + 7.5 * static_cast<double>(panel.lines[i].name.size());
  }
  return out;
}

constexpr std::string_view kStyle = R"(<style>
svg { background: #ffffff; font-family: system-ui, sans-serif; }
text { fill: #1c1f23; }
.title { font-size: 18px; font-weight: 600; }
.panel { font-size: 14px; }
.value { font-size: 12px; fill: #5a6068; }
.end { text-anchor: end; }
.middle { text-anchor: middle; }
.grid { stroke: #e3e6ea; fill: none; }
.axis { stroke: #8a9099; fill: none; }
.line0 { stroke: #1f6fb2; fill: none; stroke-width: 1.6; stroke-linejoin: round; }
.line1 { stroke: #c2571a; fill: none; stroke-width: 1.8; stroke-linejoin: round; }
.line2 { stroke: #2e8540; fill: none; stroke-width: 1.8; stroke-linejoin: round; }
.line3 { stroke: #8a4fbf; fill: none; stroke-width: 1.8; stroke-linejoin: round; }
.line4 { stroke: #b8860b; fill: none; stroke-width: 1.8; stroke-linejoin: round; }
.line5 { stroke: #6b727b; fill: none; stroke-width: 1.8; stroke-linejoin: round; }
.name0, .name1, .name2, .name3, .name4, .name5 { font-size: 13px; }
.name0 { fill: #1f6fb2; }
.name1 { fill: #c2571a; }
.name2 { fill: #2e8540; }
.name3 { fill: #8a4fbf; }
.name4 { fill: #b8860b; }
.name5 { fill: #6b727b; }
@media (prefers-color-scheme: dark) {
svg { background: #15181c; }
text { fill: #e6e8eb; }
.value { fill: #a2a9b2; }
.grid { stroke: #2b3037; }
.axis { stroke: #6b727b; }
.line0 { stroke: #6cb2f0; }
.line1 { stroke: #f0945a; }
.line2 { stroke: #6fca82; }
.line3 { stroke: #c39bf0; }
.line4 { stroke: #e0bb52; }
.line5 { stroke: #a2a9b2; }
.name0 { fill: #6cb2f0; }
.name1 { fill: #f0945a; }
.name2 { fill: #6fca82; }
.name3 { fill: #c39bf0; }
.name4 { fill: #e0bb52; }
.name5 { fill: #a2a9b2; }
}
</style>
)";

}  // namespace

std::string panels_svg(const std::string& title, const std::string& x_title, std::span<const Panel> panels) {
  double last = 0;
  for (const Panel& panel : panels) {
    for (const Line& line : panel.lines) {
      for (const auto& point : line.points) last = std::isfinite(point.first) ? std::max(last, point.first) : last;
    }
  }
  Axis x = round_axis(0, last, 8);
  double height = kTop + 28 + static_cast<double>(panels.size()) * (kPanelHeight + kGap) - kGap + kBottom + 16;
  std::string out = fmt::format(
      "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {0:.0f} {1:.0f}\" width=\"{0:.0f}\" height=\"{1:.0f}\" "
      "role=\"img\">\n<title>{2}</title>\n",
      kWidth, height, escaped(title));
  out += kStyle;
  out += text_at(kLeft, 30, "title", title);
  double top = kTop + 28;
  for (const Panel& panel : panels) {
    out += panel_svg(panel, top, x);
    top += kPanelHeight + kGap;
  }
  out += text_at((kLeft + kWidth - kRight) / 2, height - 16, "value middle", x_title);
  return out + "</svg>\n";
}

namespace {

Line line_of(std::span<const StepRecord> records, const std::string& name, std::string_view figure) {
  Line line{name, {}};
  for (const StepRecord& record : records) {
    if (const auto value = figure_of(record, figure)) line.points.emplace_back(static_cast<double>(record.step), *value);
  }
  return line;
}

// Learning from its own answers: what they were worth, and how long they grew.
std::string answer_curves_svg(const std::string& run_name, std::span<const StepRecord> records) {
  Line held_out{"held out, greedy", {}};
  for (const StepRecord& record : records) {
    if (record.validation_loss) held_out.points.emplace_back(static_cast<double>(record.step), 1 - *record.validation_loss);
  }
  const std::array<Panel, 4> panels = {
      Panel{"Share of problems solved", {line_of(records, "sampled", "accuracy"), held_out}, true},
      Panel{"Reward of an answer, mean", {line_of(records, "", "reward")}, false},
      Panel{"Length of an answer, in tokens, mean", {line_of(records, "", "answer_tokens")}, true},
      Panel{"Entropy of a token, in nats: how undecided the model is", {line_of(records, "", "entropy")}, true}};
  return panels_svg(fmt::format("{}: learning from its own answers", run_name), "steps", panels);
}

std::string loss_curves_svg(const std::string& run_name, std::span<const StepRecord> records) {
  Line loss{"training", {}}, validation{"validation", {}}, lr{"", {}}, speed{"", {}};
  for (const StepRecord& record : records) {
    double tokens = static_cast<double>(record.tokens);
    loss.points.emplace_back(tokens, record.cross_entropy);
    if (record.validation_loss) validation.points.emplace_back(tokens, *record.validation_loss);
    lr.points.emplace_back(tokens, record.lr);
    speed.points.emplace_back(tokens, record.tokens_per_s);
  }
  std::array<Panel, 3> panels = {
      Panel{"Loss: how surprised it is by the next token, in nats (lower is better)", {loss, validation}, false},
      Panel{"Learning rate: how far each step moves the weights", {lr}, true},
      Panel{"Speed: tokens per second", {speed}, true}};
  return panels_svg(fmt::format("{}: training", run_name), "tokens seen", panels);
}

}  // namespace

std::string run_curves_svg(const std::string& run_name, std::span<const StepRecord> records) {
  const bool learns_from_answers = std::any_of(
      records.begin(), records.end(), [](const StepRecord& record) { return figure_of(record, "reward").has_value(); });
  return learns_from_answers ? answer_curves_svg(run_name, records) : loss_curves_svg(run_name, records);
}

}  // namespace minke
