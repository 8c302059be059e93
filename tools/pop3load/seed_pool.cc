#include "seed_pool.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <array>
#include <cerrno>

namespace pop3load {
namespace {

/// "17.2": the third file of message 17.
class PoolName {
public:
    PoolName(std::uint64_t index, std::uint32_t generation) {
        *fmt::format_to(text_.data(), "{}.{}", index, generation) = '\0';
    }
    const char* c_str() const { return text_.data(); }

private:
    std::array<char, 40> text_;
};

}  // namespace

std::expected<std::unique_ptr<MessagePool>, std::string> MessagePool::make(
    const std::string& folder, std::vector<PlannedMessage> messages, LineEnds line_ends,
    std::optional<Owner> owner, std::uint32_t links_max) {
    const Done made = make_folder(folder, owner);
    if (!made) return std::unexpected(made.error());
    std::expected<restante::Fd, std::string> opened = open_folder(folder);
    if (!opened) return std::unexpected(opened.error());
    std::unique_ptr<MessagePool> pool(new MessagePool);
    pool->path_ = folder;
    pool->folder_ = std::move(*opened);
    pool->entries_ = std::vector<Entry>(messages.size());
    pool->messages_ = std::move(messages);
    pool->line_ends_ = line_ends;
    pool->owner_ = owner;
    pool->links_max_ = links_max;
    return pool;
}

Done MessagePool::write(std::uint64_t index, std::uint32_t generation) {
    const PlannedMessage& message = messages_[index];
    const std::string text = seed_message(message.identity, message.octets, line_ends_);
    if (generation == 0) entries_[index].stored_octets = text.size();
    const PoolName name(index, generation);
    return write_new_file({folder_.get(), path_, name.c_str(), text}, owner_);
}

Done MessagePool::fill(std::uint64_t index) { return write(index, 0); }

MessagePool::Facts MessagePool::facts(std::uint64_t index) const {
    return {messages_[index].octets, entries_[index].stored_octets};
}

Done MessagePool::link(std::uint64_t index, int folder, std::string_view folder_path,
                       const char* name) {
    Entry& entry = entries_[index];
    while (true) {
        const std::uint32_t generation = entry.generation.load();
        const bool has_links_left = entry.links.fetch_add(1) < links_max_;
        const PoolName source(index, generation);
        if (has_links_left && ::linkat(folder_.get(), source.c_str(), folder, name, 0) == 0) {
            return {};
        }
        if (has_links_left && errno != EMLINK) {
            if (errno == EEXIST) return std::unexpected(name_is_taken(folder_path));
            return cannot("make a link in", folder_path);
        }
        const Done renewed = renew(index, generation);
        if (!renewed) return renewed;
    }
}

/// Unless another thread did so: then `generation` is not the last one any more.
Done MessagePool::renew(std::uint64_t index, std::uint32_t generation) {
    const std::lock_guard lock(renewing_);
    Entry& entry = entries_[index];
    if (entry.generation.load() != generation) return {};
    const Done written = write(index, generation + 1);
    if (!written) return written;
    entry.links.store(0);
    entry.generation.store(generation + 1);
    return {};
}

}  // namespace pop3load
