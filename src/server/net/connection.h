// One connection. Only files of this folder include this header: it brings Asio.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl/context.hpp>
#include <boost/asio/strand.hpp>
#include <boost/asio/thread_pool.hpp>
#include <functional>
#include <list>
#include <memory>

#include "server/app.h"
#include "server/net/http_server.h"

namespace minke::server {

namespace asio = boost::asio;
using Tcp = asio::ip::tcp;

// What all connections share. All of it is used by the thread of the io_context only.
struct ConnectionHost {
  App& app;
  const HttpLimits& limits;
  asio::thread_pool& workers;
  bool is_draining = false;
  // Each open connection's way to be told that the server stops: kSoft closes it when it is idle, kHard in any case.
  enum class Stop { kSoft, kHard };
  std::list<std::function<void(Stop)>> connections = {};
};

// Serves the socket until it is closed. Null tls: plain HTTP. Never throws.
asio::awaitable<void> serve_connection(ConnectionHost& host, Tcp::socket socket, asio::ssl::context* tls);

}  // namespace minke::server
