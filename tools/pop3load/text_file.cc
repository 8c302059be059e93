#include "text_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <fstream>

#include "base/fd.h"
#include "base/path_parts.h"

namespace pop3load {
namespace {

std::unexpected<std::string> failed() {
    return std::unexpected(std::string(::strerrordesc_np(errno)));
}

}  // namespace

std::expected<std::string, std::string> read_text_file(const std::string& path) {
    const int opened = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
    if (opened < 0) return failed();
    const restante::Fd file(opened);
    std::string text;
    std::array<char, 16 * 1024> part;
    while (true) {
        const ssize_t octets = ::read(file.get(), part.data(), part.size());
        if (octets == 0) return text;
        if (octets < 0) return failed();
        text.append(part.data(), static_cast<std::size_t>(octets));
    }
}

std::expected<void, std::string> write_text_file(const std::string& path, std::string_view text) {
    std::ofstream file(path, std::ios::binary);
    file << text;
    file.close();
    if (!file) return failed();
    return {};
}

std::expected<void, std::string> check_writable(const std::string& path) {
    struct stat status {};
    if (::stat(path.c_str(), &status) == 0) {
        if (S_ISDIR(status.st_mode)) errno = EISDIR;
        if (S_ISDIR(status.st_mode) || ::access(path.c_str(), W_OK) != 0) return failed();
        return {};
    }
    if (errno != ENOENT) return failed();
    const std::string folder = restante::split_path(path).folder;
    if (::access(folder.c_str(), W_OK | X_OK) != 0) return failed();
    return {};
}

}  // namespace pop3load
