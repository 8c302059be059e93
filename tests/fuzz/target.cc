#include "fuzz/target.h"

#include <algorithm>

namespace restante::fuzz {
namespace {

constexpr Target all[] = {
    // clang-format off
    // name, what runs it, octets at most, rounds
    {"base64",        fuzz_base64,        1024,       20'000},
    {"command",       fuzz_command,       512,        20'000},
    {"config",        fuzz_config,        4096,       2'000},
    {"index",         fuzz_index,         4096,       10'000},
    {"introspection", fuzz_introspection, 4096,       10'000},
    {"jwt",           fuzz_jwt,           4096,       3'000},
    {"jwt_keys",      fuzz_jwt_keys,      4096,       2'000},
    {"line_reader",   fuzz_line_reader,   4096,       2'000},
    {"listing",       fuzz_listing,       1024,       10'000},
    {"maildir_name",  fuzz_maildir_name,  2048,       5'000},
    {"message",       fuzz_message,       4096,       5'000},
    {"networks",      fuzz_networks,      1024,       10'000},
    {"passwd_file",   fuzz_passwd_file,   4096,       3'000},
    {"sasl",          fuzz_sasl,          16 * 1024,  3'000},
    {"session",       fuzz_session,       4096,       800},
    {"sizelist",      fuzz_sizelist,      4096,       5'000},
    {"tls",           fuzz_tls,           8 * 1024,   300},
    {"uidl_format",   fuzz_uidl_format,   512,        10'000},
    {"uidlist",       fuzz_uidlist,       4096,       5'000},
    // clang-format on
};

}  // namespace

std::span<const Target> targets() { return all; }

const Target* find_target(std::string_view name) {
    const auto* found = std::ranges::find(all, name, &Target::name);
    return found == std::end(all) ? nullptr : found;
}

}  // namespace restante::fuzz
