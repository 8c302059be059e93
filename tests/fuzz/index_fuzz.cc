// restante.index of any octets: decode() refuses, or every message can be read and an index built
// from what was read says the same. Input: an octet; modulo 3
// 0: then the file;
// 1: the same, but magic, byte order, version and checksum are put right, so that what follows them
//    is reached;
// 2: of an index that is whole, where an octet is changed (2 octets) and to what (1), any number of
//    times; then as 1. Whatever the format is, these are never far from it.
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

void put_right(std::vector<char>& file) {
    if (file.size() < sizeof(index_layout::Header)) return;
    index_layout::Header header;
    std::memcpy(&header, file.data(), sizeof header);
    std::memcpy(header.magic, index_layout::magic.data(), sizeof header.magic);
    header.byte_order = index_layout::byte_order_mark;
    header.version = index_layout::format_version;
    header.checksum = index_layout::checksum_of(file);
    std::memcpy(file.data(), &header, sizeof header);
}

/// With an id that its name begins with, one that follows it, stuffed dots, and a retired id.
std::vector<char> whole_index() {
    pop3::MessageMeasure measure;
    measure.stored_octets = 100;
    measure.octets = pop3::Octets(104);
    measure.header_octets = 20;
    measure.stuffed_dots = 2;
    measure.stuffed_dot_at = {30, 40};
    IndexBuilder builder;
    builder.add({"1.a.host,S=5:2,S", "1.a.host,S=5"}, measure);
    builder.add({"2.b.host", "0000001a435a6e80"}, {});
    builder.retire({"3.c.host", 9});
    const auto index = builder.build({});
    return {index->encoded().begin(), index->encoded().end()};
}

std::vector<char> file_of(Input input) {
    const int kind = input.octet() % 3;
    std::vector<char> file(input.rest().begin(), input.rest().end());
    if (kind == 2) {
        file = whole_index();
        ASSERT(MaildropIndex::decode(file) != nullptr);
        while (!input.is_over()) {
            const std::size_t at = std::size_t{input.octet()} << 8U | input.octet();
            file[at % file.size()] = static_cast<char>(input.octet());
        }
    }
    if (kind != 0) put_right(file);
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

/// Each message alone, as a later index may take it over.
void check_taken_over(const MaildropIndex& index) {
    for (std::uint32_t at = 0; at < index.count(); ++at) {
        IndexBuilder builder;
        builder.add(index, at);
        const auto one = builder.build({});
        ASSERT(one->message(0).name == index.message(at).name);
        ASSERT(one->message(0).unique_id == index.message(at).unique_id);
        ASSERT(one->measure(0) == index.measure(at));
        ASSERT(MaildropIndex::decode({one->encoded().begin(), one->encoded().end()}) != nullptr);
    }
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
    const auto index = MaildropIndex::decode(file_of(Input(input)));
    if (index == nullptr) return;
    for (std::uint32_t at = 0; at < index->count(); ++at) check_message(*index, at);
    const IndexLookup lookup(index);
    for (std::uint32_t at = 0; at < index->count(); ++at) {
        const IndexedMessage message = index->message(at);
        const auto found = lookup.find(message.base, message.inode);
        ASSERT(found && index->message(*found).base == message.base);
        ASSERT(lookup.name(message.base).has_value());
    }
    check_taken_over(*index);
    const auto copy = rebuilt(*index);
    ASSERT(copy != nullptr);
    check_same(*index, *copy);
    const std::span<const char> encoded = copy->encoded();
    const auto again = MaildropIndex::decode({encoded.begin(), encoded.end()});
    ASSERT(again != nullptr);
    check_same(*copy, *again);
}

}  // namespace restante::fuzz
