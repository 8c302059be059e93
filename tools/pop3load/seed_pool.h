#pragma once
/// The files that messages are hard links to, so that millions of messages cost names only.

#include <sys/types.h>

#include <atomic>
#include <cstdint>
#include <expected>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "base/fd.h"
#include "seed_folder.h"
#include "seed_plan.h"

namespace pop3load {

/// In a folder of its own, whose name begins with a dot. Threads share it.
class MessagePool {
public:
    /// Makes the folder, which must not be there; its files are made by fill(). `links_max`: of one
    /// file; the file system's own limit holds as well (65,000 on ext4).
    static std::expected<std::unique_ptr<MessagePool>, std::string> make(
        const std::string& folder, std::vector<PlannedMessage> messages, LineEnds line_ends,
        std::optional<Owner> owner, std::uint32_t links_max = UINT32_MAX);

    std::uint64_t count() const { return messages_.size(); }
    /// Makes the file of message `index`, once.
    Done fill(std::uint64_t index);

    struct Facts {
        std::uint64_t octets;         ///< on the wire
        std::uint64_t stored_octets;  ///< in the file
    };
    /// Of a message that was filled.
    Facts facts(std::uint64_t index) const;
    /// Links `name` in the open `folder`, whose path is `folder_path`, to message `index`. A file
    /// that has all the links it may have is followed by another of the same octets.
    Done link(std::uint64_t index, int folder, std::string_view folder_path, const char* name);

private:
    MessagePool() = default;
    struct Entry {
        std::atomic<std::uint32_t> generation{0};
        std::atomic<std::uint32_t> links{0};  // of that generation, about
        std::uint64_t stored_octets = 0;
    };
    Done write(std::uint64_t index, std::uint32_t generation);
    Done renew(std::uint64_t index, std::uint32_t generation);

    std::string path_;
    restante::Fd folder_;
    std::vector<PlannedMessage> messages_;
    std::vector<Entry> entries_;
    LineEnds line_ends_ = LineEnds::lf;
    std::optional<Owner> owner_;
    std::uint32_t links_max_ = UINT32_MAX;
    std::mutex renewing_;
};

}  // namespace pop3load
