// What libFuzzer calls. --target=NAME chooses; it ignores flags that
// begin with two dashes, and gives them to the processes that it starts.
#include <cstdio>
#include <cstdlib>
#include <string_view>

#include "fuzz/target.h"

namespace {

const restante::fuzz::Target* chosen = nullptr;  // libFuzzer's interface has no place for it

}  // namespace

extern "C" int LLVMFuzzerInitialize(int* count, char*** arguments) {
    constexpr std::string_view flag = "--target=";
    for (int i = 1; i < *count; ++i) {
        const std::string_view argument = (*arguments)[i];
        if (!argument.starts_with(flag)) continue;
        chosen = restante::fuzz::find_target(argument.substr(flag.size()));
    }
    if (chosen != nullptr) return 0;
    for (const restante::fuzz::Target& target : restante::fuzz::targets()) {
        std::printf("%.*s\t%zu\n", static_cast<int>(target.name.size()), target.name.data(),
                    target.octets_max);
    }
    std::exit(2);
}

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* octets, std::size_t count) {
    chosen->run({reinterpret_cast<const char*>(octets), count});
    return 0;
}
