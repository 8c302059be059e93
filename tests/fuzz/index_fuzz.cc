// restante.index of any octets: decode() refuses, or every message can be read and an index built
// from what was read says the same. Input: an octet (odd: magic, byte order, version and checksum
// are put right, so that what follows them is reached), then the file.
#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "base/assert.h"
#include "fuzz/input.h"
#include "fuzz/target.h"
#include "maildir/index_file.h"
#include "maildir/index_layout.h"
#include "maildir/maildir_name.h"
#include "pop3/types.h"

namespace restante::fuzz {
namespace {

std::vector<char> file_of(std::string_view octets, bool is_put_right) {
    std::vector<char> file(octets.begin(), octets.end());
    if (!is_put_right || file.size() < sizeof(index_layout::Header)) return file;
    index_layout::Header header;
    std::memcpy(&header, file.data(), sizeof header);
    std::memcpy(header.magic, index_layout::magic.data(), sizeof header.magic);
    header.byte_order = index_layout::byte_order_mark;
    header.version = index_layout::format_version;
    header.checksum = index_layout::checksum_of(file);
    std::memcpy(file.data(), &header, sizeof header);
    return file;
}

void check_message(const MaildropIndex& index, std::uint32_t at) {
    const IndexedMessage message = index.message(at);
    const pop3::MessageMeasure measure = index.measure(at);
    ASSERT(!message.name.empty() && message.name.size() <= file_name_octets_max);
    ASSERT(message.name.starts_with(message.base));
    ASSERT(!message.name.contains('/') && !message.name.contains('\0'));
    ASSERT(pop3::is_unique_id(message.unique_id));
    ASSERT(index.listed(at).unique_id == message.unique_id);
    ASSERT(index.listed(at).octets == message.octets);
    ASSERT(measure.octets == message.octets);
    ASSERT(measure.header_octets <= measure.stored_octets);
    ASSERT(!measure.wire_ready || measure.stuffed_dots == 0);
}

std::shared_ptr<const MaildropIndex> rebuilt(const MaildropIndex& index) {
    IndexBuilder builder;
    for (std::uint32_t at = 0; at < index.count(); ++at) {
        const IndexedMessage message = index.message(at);
        builder.add({.name = message.name,
                     .unique_id = message.unique_id,
                     .folder = message.folder,
                     .id_kind = message.id_kind,
                     .inode = message.inode,
                     .modified = message.modified},
                    index.measure(at));
    }
    for (std::uint32_t at = 0; at < index.retired_count(); ++at) builder.retire(index.retired(at));
    return builder.build(index.trust(), index.generation());
}

void check_same(const MaildropIndex& a, const MaildropIndex& b) {
    ASSERT(a.count() == b.count() && a.octets() == b.octets());
    ASSERT(a.trust() == b.trust() && a.generation() == b.generation());
    ASSERT(a.retired_count() == b.retired_count());
    for (std::uint32_t at = 0; at < a.count(); ++at) {
        const IndexedMessage left = a.message(at);
        const IndexedMessage right = b.message(at);
        ASSERT(left.name == right.name && left.unique_id == right.unique_id);
        ASSERT(left.folder == right.folder && left.id_kind == right.id_kind);
        ASSERT(left.inode == right.inode && left.modified == right.modified);
        ASSERT(a.measure(at) == b.measure(at));
    }
    for (std::uint32_t at = 0; at < a.retired_count(); ++at) ASSERT(a.retired(at) == b.retired(at));
}

}  // namespace

void fuzz_index(std::string_view input) {
    Input parts(input);
    const bool is_put_right = parts.octet() % 2 == 1;
    const auto index = MaildropIndex::decode(file_of(parts.rest(), is_put_right));
    if (index == nullptr) return;
    for (std::uint32_t at = 0; at < index->count(); ++at) check_message(*index, at);
    const IndexLookup lookup(index);
    for (std::uint32_t at = 0; at < index->count(); ++at) {
        const IndexedMessage message = index->message(at);
        const auto found = lookup.find(message.base, message.inode);
        ASSERT(found && index->message(*found).base == message.base);
        ASSERT(lookup.name(message.base).has_value());
    }
    const auto copy = rebuilt(*index);
    ASSERT(copy != nullptr);
    check_same(*index, *copy);
    const std::span<const char> encoded = copy->encoded();
    const auto again = MaildropIndex::decode({encoded.begin(), encoded.end()});
    ASSERT(again != nullptr);
    check_same(*copy, *again);
}

}  // namespace restante::fuzz
