#pragma once
/// Whole files, read and written at once. Every error is what the system says of it, without the
/// path: "No such file or directory".

#include <expected>
#include <string>
#include <string_view>

namespace pop3load {

/// Any file that can be read to its end, those of /proc too.
std::expected<std::string, std::string> read_text_file(const std::string& path);

/// In place of what was there.
std::expected<void, std::string> write_text_file(const std::string& path, std::string_view text);

/// Whether write_text_file() has a place and the right to write there; nothing is made.
std::expected<void, std::string> check_writable(const std::string& path);

}  // namespace pop3load
