/// `restante doctor`: what of a server's protection is in force on this machine, and how to get the
/// rest. It does what a server does at its start, in the same order, and says what came of it.

#include <array>
#include <cinttypes>
#include <cstdio>
#include <string>
#include <string_view>

#include "cli/commands.h"
#include "cli/doctor_checks.h"
#include "cli/json_text.h"
#include "server/config.h"

namespace restante {
namespace {

constexpr std::array<const char*, 3> verdict_names = {"ok", "warn", "fail"};

const char* name_of(Verdict verdict) { return verdict_names[static_cast<std::size_t>(verdict)]; }

void print_line(std::string_view check, const Finding& finding) {
    const std::string cure = finding.cure.empty() ? "" : "; " + finding.cure;
    std::printf("%-5s %.*s: %s%s\n", name_of(finding.verdict), static_cast<int>(check.size()),
                check.data(), finding.what.c_str(), cure.c_str());
}

void print_object(std::string_view check, const Finding& finding, bool is_first) {
    std::printf("%s\n{\"check\":%s,\"verdict\":\"%s\",\"what\":%s,\"cure\":%s",
                is_first ? "[" : ",", json_string(check).c_str(), name_of(finding.verdict),
                json_string(finding.what).c_str(), json_string(finding.cure).c_str());
    const char* before = ",\"terms\":[";
    for (const MemoryTerm& term : finding.terms) {
        std::printf("%s{\"name\":%s,\"count\":%" PRIu64 ",\"octets\":%" PRIu64 "}", before,
                    json_string(term.name).c_str(), term.count, term.octets);
        before = ",";
    }
    std::printf("%s}", finding.terms.empty() ? "" : "]");
}

}  // namespace

int doctor(const std::string& path, bool json) {
    const std::expected<Config, ConfigErrors> config = load_config(path);
    if (!config) {
        for (const std::string& error : config.error()) std::fprintf(stderr, "%s\n", error.c_str());
        return exit_usage;
    }
    Patient patient{*config};
    std::array<int, verdict_names.size()> counts{};
    bool is_first = true;
    for (const DoctorCheck& check : doctor_checks()) {
        const Finding finding = check.examine(patient);
        counts[static_cast<std::size_t>(finding.verdict)] += 1;
        if (json) {
            print_object(check.name, finding, is_first);
        } else {
            print_line(check.name, finding);
        }
        is_first = false;
    }
    if (json) std::puts("\n]");
    if (!json) std::printf("%d ok, %d warn, %d fail\n", counts[0], counts[1], counts[2]);
    return counts[2] == 0 ? exit_ok : exit_failed;
}

}  // namespace restante
