#pragma once
/// Real messages that `restante demo` serves. The .cc is made at build time by embed_mail.py.

#include <span>
#include <string_view>

namespace restante {

struct SampleMail {
    std::string_view name;  ///< of the file it was made from
    std::string_view content;
};

std::span<const SampleMail> sample_mail();

}  // namespace restante
