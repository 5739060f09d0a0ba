// One reply in the words of one dialect: events in, bytes of the body out.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "server/http.h"
#include "server/model/page_services.h"
#include "server/model/reply_event.h"

namespace minke::server {

// What every reply says about itself.
struct ReplyHead {
  std::string request;  // an unguessable name: whoever knows it may end or cancel the request
  std::string model;
  int64_t created = 0;  // seconds since 1970
  int n_choices = 1;
};

// Names a tool call for the client, who gives the name back with the result.
std::string tool_call_id(const ReplyHead& head, int choice, int index);

class ReplyWriter {
 public:
  virtual ~ReplyWriter() = default;
  virtual bool streams() const = 0;
  virtual std::string_view content_type() const { return "text/event-stream; charset=utf-8"; }
  // Before the first event: where the page's turn is kept.
  virtual void kept_as(const TurnIds&) {}
  // Appends what the event adds to a streamed body. Done or an ApiError is the last one.
  virtual void write(const ReplyEvent& event, std::string& out) = 0;
  // What keeps a silent stream open; empty when the format has nothing for it.
  virtual std::string_view keep_alive() const { return ": keep-alive\n\n"; }
  // The whole reply of a writer that does not stream, after the last event.
  virtual HttpReply finish() { return {}; }
};

}  // namespace minke::server
