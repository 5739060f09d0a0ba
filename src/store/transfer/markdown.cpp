// The Markdown of chats. A section is a comment on a line of its own, a heading, an empty line, the text as it is, and two line
// ends. The comment names the section and holds, as JSON, all that the text does not. A line of text that looks like such a
// comment gets a backslash in front.
#include <nlohmann/json.hpp>
#include <vector>

#include "store/codec.h"
#include "store/fields.h"
#include "store/transfer/archive.h"

namespace minke::store {
namespace {

constexpr std::string_view kMark = "<!-- minke-";
constexpr std::string_view kMarkEnd = " -->";
constexpr std::string_view kFirstLine = "<!-- minke-chats 1 -->";

// One line that cannot end the comment: '>' stands only inside JSON's strings.
std::string marker(std::string_view kind, const Json& value) {
  std::string json;
  for (char c : dump_json(value)) {
    if (c == '>') {
      json += "\\u003e";
    } else {
      json += c;
    }
  }
  return fmt::format("{}{} {}{}\n", kMark, kind, json, kMarkEnd);
}

bool looks_like_marker(std::string_view line) {
  const size_t begin = line.find_first_not_of('\\');
  return begin != std::string_view::npos && line.substr(begin).starts_with(kMark);
}

void add_text(std::string& out, std::string_view heading, std::string_view text) {
  for (char c : heading) out += c == '\n' || c == '\r' ? ' ' : c;
  out += "\n\n";
  for (size_t pos = 0; pos <= text.size();) {
    const size_t end = std::min(text.find('\n', pos), text.size());
    const std::string_view line = text.substr(pos, end - pos);
    if (looks_like_marker(line)) out += '\\';
    out += line;
    out += '\n';
    pos = end + 1;
  }
  out += '\n';
}

std::string heading_of(const Message& message) {
  std::string role(role_name(message.role));
  role[0] = static_cast<char>(role[0] - 'a' + 'A');
  const bool follows = message.parent == message.number - 1;
  return follows ? fmt::format("## {} ({})", role, message.number)
                 : fmt::format("## {} ({}, after {})", role, message.number, message.parent);
}

void add_message(std::string& out, const Message& message) {
  Message rest = message;
  rest.content.clear();
  rest.reasoning.clear();
  rest.attachments.clear();
  out += marker("message", message_to_json(rest));
  add_text(out, heading_of(message), message.content);
  if (!message.reasoning.empty()) {
    out += marker("thought", Json::object());
    add_text(out, "### Thought", message.reasoning);
  }
  for (const Attachment& attachment : message.attachments) {
    Json names = Json::object();
    names["name"] = attachment.name;
    names["media_type"] = attachment.media_type;
    out += marker("attachment", names);
    add_text(out, fmt::format("### Attachment: {}", attachment.name), attachment.text);
  }
}

struct Section {
  std::string kind;
  Json value;
  std::string text;
  std::string where;
};

Result<Section> section_of(std::string_view line, const std::string& where) {
  if (!line.ends_with(kMarkEnd)) return error("{}: expected the line to end in \"{}\"", where, kMarkEnd);
  line.remove_prefix(kMark.size());
  line.remove_suffix(kMarkEnd.size());
  const size_t space = std::min(line.find(' '), line.size());
  Section section;
  section.kind = line.substr(0, space);
  section.where = where;
  section.value = TRY(parse_json(line.substr(space), where));
  return section;
}

// Takes off the heading and the empty line after it, and the two line ends of the section; editors may have cut the last ones.
Status strip_section(Section& section) {
  std::string& text = section.text;
  if (section.kind == "folder") {
    if (text.find_first_not_of('\n') != std::string::npos) return error("{}: a folder has no text", section.where);
    return {};
  }
  if (!text.starts_with('#')) return error("{}: expected a heading on the next line", section.where);
  text.erase(0, std::min(text.find('\n'), text.size() - 1) + 1);
  if (text.starts_with('\n')) text.erase(0, 1);
  for (int i = 0; i < 2 && text.ends_with('\n'); i++) text.pop_back();
  return {};
}

Result<std::vector<Section>> split(std::string_view text, const std::string& where) {
  std::vector<Section> sections;
  bool first = true;
  int64_t n_lines = 0;
  for (size_t pos = 0; pos < text.size();) {
    const size_t end = std::min(text.find('\n', pos), text.size());
    std::string_view line = text.substr(pos, end - pos);
    const std::string place = fmt::format("{}: line {}", where, ++n_lines);
    pos = end + 1;
    if (first) {
      if (line != kFirstLine) return error("{}: not a chat that minke wrote: expected \"{}\"", place, kFirstLine);
      first = false;
    } else if (line.starts_with(kMark)) {
      sections.push_back(TRY(section_of(line, place)));
    } else if (sections.empty()) {
      if (!line.empty()) return error("{}: expected \"{}...\"", place, kMark);
    } else {
      if (looks_like_marker(line)) line.remove_prefix(1);
      sections.back().text += line;
      if (end < text.size()) sections.back().text += '\n';
    }
  }
  if (first) return error("{}: not a chat that minke wrote: it is empty", where);
  for (Section& section : sections) TRY(strip_section(section));
  return sections;
}

Status read_attachment(Section& section, Message& message) {
  Fields fields = TRY(Fields::of(section.value, section.where));
  Attachment& attachment = message.attachments.emplace_back();
  TRY(fields.read("name", attachment.name));
  TRY(fields.read("media_type", attachment.media_type));
  attachment.text = std::move(section.text);
  return fields.finish();
}

Status read_section(Section& section, Archive& archive) {
  const std::string& where = section.where;
  if (section.kind == "folder") {
    archive.folders.push_back(TRY(folder_from_json(section.value, where)));
    return {};
  }
  if (section.kind == "conversation") {
    if (!section.text.empty()) return error("{}: text between the title and the first message", where);
    archive.conversations.emplace_back().head = TRY(head_from_json(section.value, where));
    return {};
  }
  if (archive.conversations.empty()) return error("{}: \"{}\" before any conversation", where, section.kind);
  std::vector<Message>& messages = archive.conversations.back().messages;
  if (section.kind == "message") {
    Message message = TRY(message_from_json(section.value, where));
    if (!message.content.empty() || !message.reasoning.empty() || !message.attachments.empty()) {
      return error("{}: texts belong below the comment, not into it", where);
    }
    message.content = std::move(section.text);
    messages.push_back(std::move(message));
    return {};
  }
  if (messages.empty()) return error("{}: \"{}\" before any message", where, section.kind);
  if (section.kind == "attachment") return read_attachment(section, messages.back());
  if (section.kind != "thought") return error("{}: unknown section \"{}\"", where, section.kind);
  if (!messages.back().reasoning.empty()) return error("{}: a second thought of one message", where);
  messages.back().reasoning = std::move(section.text);
  return {};
}

}  // namespace

std::string write_archive_markdown(const Archive& archive) {
  std::string out = fmt::format("{}\n", kFirstLine);
  for (const Folder& folder : archive.folders) out += marker("folder", folder_to_json(folder));
  out += '\n';
  for (const Conversation& conversation : archive.conversations) {
    out += marker("conversation", head_to_json(conversation.head));
    add_text(out, fmt::format("# {}", conversation.head.title), "");
    for (const Message& message : conversation.messages) add_message(out, message);
  }
  return out;
}

Result<Archive> read_archive_markdown(std::string_view text, const std::string& where) {
  std::vector<Section> sections = TRY(split(text, where));
  Archive archive;
  for (Section& section : sections) TRY(read_section(section, archive));
  for (Conversation& conversation : archive.conversations) {
    for (Message& message : conversation.messages) {
      TRY_IN(fmt::format("{}: message {}", where, message.number), check_message(message));
    }
  }
  TRY_IN(where, check_archive(archive));
  return archive;
}

}  // namespace minke::store
