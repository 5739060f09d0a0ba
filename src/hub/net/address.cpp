#include "hub/net/address.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>

namespace minke::hub {
namespace {

struct Ipv4Block {
  uint32_t network;
  int prefix_bits;
  AddressKind kind;
};

// IANA special-purpose address registry (RFC 6890 and later).
constexpr std::array kIpv4Blocks = {
    Ipv4Block{0x00000000, 8, AddressKind::kLoopback},    // 0.0.0.0 connects to this machine
    Ipv4Block{0x7f000000, 8, AddressKind::kLoopback},    // 127/8
    Ipv4Block{0xa9fe0000, 16, AddressKind::kLinkLocal},  // 169.254/16, cloud metadata services
    Ipv4Block{0x0a000000, 8, AddressKind::kPrivate},     // 10/8
    Ipv4Block{0xac100000, 12, AddressKind::kPrivate},    // 172.16/12
    Ipv4Block{0xc0a80000, 16, AddressKind::kPrivate},    // 192.168/16
    Ipv4Block{0x64400000, 10, AddressKind::kPrivate},    // 100.64/10, carrier-grade NAT
    Ipv4Block{0xc0000000, 24, AddressKind::kPrivate},    // 192.0.0/24
    Ipv4Block{0xc6120000, 15, AddressKind::kPrivate},    // 198.18/15, benchmarking, used by local tunnels
    Ipv4Block{0xe0000000, 3, AddressKind::kSpecial},     // multicast, reserved, broadcast
};

AddressKind kind_of_ipv4(uint32_t address) {
  for (const Ipv4Block& block : kIpv4Blocks) {
    if ((address ^ block.network) >> (32 - block.prefix_bits) == 0) return block.kind;
  }
  return AddressKind::kPublic;
}

uint32_t read_u32(const uint8_t* bytes) {
  return uint32_t{bytes[0]} << 24 | uint32_t{bytes[1]} << 16 | uint32_t{bytes[2]} << 8 | uint32_t{bytes[3]};
}

AddressKind kind_of_ipv6(const uint8_t* bytes) {
  constexpr std::array<uint8_t, 12> kMapped = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
  constexpr std::array<uint8_t, 12> kNat64 = {0, 0x64, 0xff, 0x9b, 0, 0, 0, 0, 0, 0, 0, 0};
  constexpr std::array<uint8_t, 12> kZero = {};
  auto starts_with = [&](const std::array<uint8_t, 12>& prefix) { return std::equal(prefix.begin(), prefix.end(), bytes); };
  if (starts_with(kMapped) || starts_with(kNat64)) return kind_of_ipv4(read_u32(bytes + 12));
  // ::1 and ::a.b.c.d; ::, too, connects to this machine.
  if (starts_with(kZero)) return read_u32(bytes + 12) <= 1 ? AddressKind::kLoopback : kind_of_ipv4(read_u32(bytes + 12));
  if (bytes[0] == 0x20 && bytes[1] == 0x02) return kind_of_ipv4(read_u32(bytes + 2));
  if (bytes[0] == 0xfe && (bytes[1] & 0xc0) == 0x80) return AddressKind::kLinkLocal;
  if (bytes[0] == 0xfe && (bytes[1] & 0xc0) == 0xc0) return AddressKind::kPrivate;  // site-local, deprecated
  if ((bytes[0] & 0xfe) == 0xfc) return AddressKind::kPrivate;
  if (bytes[0] == 0xff) return AddressKind::kSpecial;
  return AddressKind::kPublic;
}

}  // namespace

std::string_view name_of(AddressKind kind) {
  switch (kind) {
    case AddressKind::kPublic:
      return "public";
    case AddressKind::kPrivate:
      return "private";
    case AddressKind::kLinkLocal:
      return "link-local";
    case AddressKind::kLoopback:
      return "loopback";
    case AddressKind::kSpecial:
      return "special-purpose";
  }
  return "unknown";
}

AddressKind kind_of_address(const sockaddr& address) {
  if (address.sa_family == AF_INET) {
    sockaddr_in ipv4{};
    std::memcpy(&ipv4, &address, sizeof ipv4);
    return kind_of_ipv4(ntohl(ipv4.sin_addr.s_addr));
  }
  if (address.sa_family == AF_INET6) {
    sockaddr_in6 ipv6{};
    std::memcpy(&ipv6, &address, sizeof ipv6);
    return kind_of_ipv6(ipv6.sin6_addr.s6_addr);
  }
  return AddressKind::kSpecial;
}

std::optional<AddressKind> kind_of_host(std::string_view host) {
  std::string name(host);
  if (name.ends_with('.')) name.pop_back();
  if (name == "localhost" || name.ends_with(".localhost")) return AddressKind::kLoopback;
  in_addr ipv4{};
  if (inet_pton(AF_INET, name.c_str(), &ipv4) == 1) return kind_of_ipv4(ntohl(ipv4.s_addr));
  if (!name.starts_with('[') || !name.ends_with(']')) return std::nullopt;
  name = name.substr(1, name.size() - 2);
  name = name.substr(0, name.find('%'));
  in6_addr ipv6{};
  if (inet_pton(AF_INET6, name.c_str(), &ipv6) == 1) return kind_of_ipv6(ipv6.s6_addr);
  return AddressKind::kSpecial;
}

bool redirect_allowed(AddressKind endpoint, AddressKind target) {
  if (target == AddressKind::kSpecial) return false;
  return target == AddressKind::kPublic || target == endpoint;
}

std::string address_text(const sockaddr& address) {
  std::array<char, INET6_ADDRSTRLEN> text{};
  const void* bytes = nullptr;
  sockaddr_in ipv4{};
  sockaddr_in6 ipv6{};
  if (address.sa_family == AF_INET) {
    std::memcpy(&ipv4, &address, sizeof ipv4);
    bytes = &ipv4.sin_addr;
  } else if (address.sa_family == AF_INET6) {
    std::memcpy(&ipv6, &address, sizeof ipv6);
    bytes = &ipv6.sin6_addr;
  }
  if (bytes == nullptr || inet_ntop(address.sa_family, bytes, text.data(), text.size()) == nullptr) return "unknown address";
  return text.data();
}

}  // namespace minke::hub
