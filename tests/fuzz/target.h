#pragma once
/// Fuzz targets: each takes any octets, runs the code under test with them, and asserts (ASSERT,
/// which aborts) what must hold whatever they are. libFuzzer runs them (tools/fuzz), and so does a
/// round of fixed seed in the ordinary test run (round.cc).

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace restante::fuzz {

struct Target {
    std::string_view name;  ///< as in tools/fuzz NAME and corpus/NAME
    void (*run)(std::string_view input);
    std::size_t octets_max;  ///< longer inputs find nothing that these do not
    std::uint32_t rounds;    ///< mutated inputs in the ordinary test run: a second of them or two
};

/// All there are, in the order of their names.
std::span<const Target> targets();
/// nullptr where there is none such.
const Target* find_target(std::string_view name);

// One a file, NAME_fuzz.cc, which says what it asserts.
void fuzz_base64(std::string_view input);
void fuzz_command(std::string_view input);
void fuzz_config(std::string_view input);
void fuzz_index(std::string_view input);
void fuzz_introspection(std::string_view input);
void fuzz_jwt(std::string_view input);
void fuzz_jwt_keys(std::string_view input);
void fuzz_line_reader(std::string_view input);
void fuzz_listing(std::string_view input);
void fuzz_maildir_name(std::string_view input);
void fuzz_message(std::string_view input);
void fuzz_networks(std::string_view input);
void fuzz_passwd_file(std::string_view input);
void fuzz_sasl(std::string_view input);
void fuzz_session(std::string_view input);
void fuzz_sizelist(std::string_view input);
void fuzz_tls(std::string_view input);
void fuzz_uidl_format(std::string_view input);
void fuzz_uidlist(std::string_view input);

}  // namespace restante::fuzz
