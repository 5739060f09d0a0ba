#include "constrain/json/string_format.h"

#include <functional>
#include <iterator>

namespace minke::constrain {
namespace {

// RFC 3339. Days as the month has them; 29 February in leap years only.
std::string date() {
  std::string leap_year = "(?:[0-9]{2}(?:0[48]|[2468][048]|[13579][26])|(?:[02468][048]|[13579][26])00)";
  return "(?:[0-9]{4}-(?:(?:0[13578]|1[02])-(?:0[1-9]|[12][0-9]|3[01])|(?:0[469]|11)-(?:0[1-9]|[12][0-9]|30)|"
         "02-(?:0[1-9]|1[0-9]|2[0-8]))|" +
         leap_year + "-02-29)";
}

std::string time() {
  return R"((?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](?:\.[0-9]{1,9})?(?:Z|[+-](?:[01][0-9]|2[0-3]):[0-5][0-9]))";
}

std::string date_time() { return date() + "T" + time(); }

// RFC 3339, appendix A: units from large to small without gaps.
std::string duration() {
  std::string n = "[0-9]{1,9}";
  std::string minute = n + "M(?:" + n + "S)?";
  std::string clock = "T(?:" + n + "H(?:" + minute + ")?|" + minute + "|" + n + "S)";
  std::string day = n + "D", month = n + "M(?:" + day + ")?", year = n + "Y(?:" + month + ")?";
  return "P(?:" + n + "W|(?:" + year + "|" + month + "|" + day + ")(?:" + clock + ")?|" + clock + ")";
}

constexpr const char* kLabel = "[A-Za-z0-9](?:[A-Za-z0-9-]{0,30}[A-Za-z0-9])?";

std::string hostname() { return std::string(kLabel) + R"((?:\.)" + kLabel + "){0,3}"; }

// RFC 5321 without quoted names and address literals.
std::string email() {
  std::string atom = R"([A-Za-z0-9!#$%&'*+/=?^_`{|}~-]{1,20})";
  return atom + R"((?:\.)" + atom + "){0,2}@" + kLabel + R"((?:\.)" + kLabel + "){1,3}";
}

std::string ipv4() {
  std::string byte = "(?:25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])";
  return byte + R"((?:\.)" + byte + "){3}";
}

// RFC 4291, section 2.2, forms 1 and 2: eight groups, or fewer with one ::.
std::string ipv6() {
  std::string group = "[0-9A-Fa-f]{1,4}";
  std::string all = "(?:" + group + ":){7}" + group;
  for (int before = 0; before <= 7; before++) {
    std::string left = before == 0 ? "" : group + "(?::" + group + "){" + std::to_string(before - 1) + "}";
    int most = 7 - before;  // :: stands for at least one group
    std::string right = most == 0 ? "" : "(?:" + group + "(?::" + group + "){0," + std::to_string(most - 1) + "})?";
    all += "|" + left + "::" + right;
  }
  return all;
}

std::string uuid() { return "[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}"; }

struct Row {
  const char* name;
  std::string (*pattern)();
};
constexpr Row kFormats[] = {{"date-time", date_time}, {"time", time}, {"date", date}, {"duration", duration}, {"email", email},
                            {"hostname", hostname},   {"ipv4", ipv4}, {"ipv6", ipv6}, {"uuid", uuid}};

}  // namespace

std::string format_pattern(std::string_view name) {
  for (const Row& row : kFormats) {
    if (name == row.name) return row.pattern();
  }
  return {};
}

std::string format_names() {
  std::string names;
  for (const Row& row : kFormats) names += (names.empty() ? "" : ", ") + std::string(row.name);
  return names;
}

}  // namespace minke::constrain
