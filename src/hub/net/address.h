// Which part of the world an IP address belongs to. A redirect may not lead into a nearer part than the endpoint's own
// (server-side request forgery in pull was CVE-2026-5530).
#pragma once

#include <optional>
#include <string>
#include <string_view>

struct sockaddr;

namespace minke::hub {

enum class AddressKind { kPublic, kPrivate, kLinkLocal, kLoopback, kSpecial };

std::string_view name_of(AddressKind kind);

// IPv4 inside IPv6 (mapped, compatible, NAT64, 6to4) counts as that IPv4 address. What is not IP is kSpecial.
AddressKind kind_of_address(const sockaddr& address);

// "127.0.0.1", "[::1]", "localhost": known without asking DNS. None for other names.
std::optional<AddressKind> kind_of_host(std::string_view host);

// Where a request may connect to. The user's own endpoint may be anywhere; a redirect only to the public internet or to
// the same kind of network as the endpoint.
bool redirect_allowed(AddressKind endpoint, AddressKind target);

std::string address_text(const sockaddr& address);

}  // namespace minke::hub
