#include "sim/sim_kernel.h"

#include <fcntl.h>

#include <algorithm>
#include <cerrno>
#include <expected>
#include <utility>
#include <vector>

#include "base/assert.h"
#include "ring/mapping.h"

namespace restante::sim {
namespace {

SocketAddress address_of(std::string_view text) {
    const std::expected<SocketAddress, std::string> address = SocketAddress::parse(text);
    ASSERT(address.has_value());
    return *address;
}

}  // namespace

const SimKernel::Descriptor& SimKernel::descriptor(int fd) const {
    const auto found = descriptors_.find(fd);
    ASSERT(found != descriptors_.end());
    return found->second;
}

SimListener& SimKernel::listener(int fd) const {
    const Descriptor& socket = descriptor(fd);
    ASSERT(socket.listener != nullptr);
    return *socket.listener;
}

SimConnection& SimKernel::connection(const Operation& operation) const {
    const Descriptor& socket = descriptor(operation.request.fd);
    ASSERT(socket.connection != nullptr);
    return *socket.connection;
}

InodeRef SimKernel::inode(int fd) const {
    if (fd == AT_FDCWD) return files_.root();
    const Descriptor& file = descriptor(fd);
    ASSERT(file.inode != nullptr);
    return file.inode;
}

std::int64_t SimKernel::add(Descriptor descriptor) {
    if (!has_room()) return -EMFILE;
    descriptors_.emplace(next_fd_, std::move(descriptor));
    return next_fd_++;
}

bool SimKernel::is_ready(const Operation& operation) const {
    using Kind = Request::Kind;
    switch (operation.request.kind) {
        case Kind::accept: return !listener(operation.request.fd).waiting.empty();
        case Kind::receive: return connection(operation).is_receive_ready();
        case Kind::send:
        case Kind::send_file: return connection(operation).is_send_ready();
        case Kind::exchange:
            return is_sending(operation) ? connection(operation).is_send_ready()
                                         : connection(operation).is_receive_ready();
        case Kind::sleep: return false;
        default: return true;
    }
}

bool SimKernel::is_whole_send_ready(const Operation& operation) const {
    const Request& request = operation.request;
    const bool is_file = request.kind == Request::Kind::send_file;
    return connection(operation).send_room() >= (is_file ? request.octets : request.source.size());
}

std::int64_t SimKernel::carry_out(Operation& operation) {
    using Kind = Request::Kind;
    const Request& request = operation.request;
    switch (request.kind) {
        case Kind::accept:
        case Kind::receive:
        case Kind::send:
        case Kind::send_file:
        case Kind::exchange:
        case Kind::shutdown:
        case Kind::sleep: return carry_out_network(operation);
        case Kind::remove: return remove(request);
        default: break;
    }
    const int fault = faults_.next(request.kind);
    return fault != 0 ? fault : carry_out_file(operation);
}

std::int64_t SimKernel::carry_out_network(Operation& operation) {
    using Kind = Request::Kind;
    const Request& request = operation.request;
    if (!is_ready(operation)) return would_block;
    Kind kind = request.kind;  // an exchange is a send, then a receive
    if (kind == Kind::exchange) kind = is_sending(operation) ? Kind::send : Kind::receive;
    const int fault = faults_.next(kind);
    if (fault != 0 && kind != Kind::accept) fail_connection(operation, fault);
    if (fault != 0 && request.kind == Kind::exchange && kind == Kind::send) return -EPIPE;
    if (fault != 0) return fault;
    if (request.kind == Kind::exchange && kind == Kind::send) {
        const std::int64_t sent = send(operation);
        return sent < 0 && sent != would_block ? -EPIPE : would_block;
    }
    switch (kind) {
        case Kind::accept: return accept(request);
        case Kind::receive: return receive(operation);
        case Kind::send: return send(operation);
        case Kind::send_file: return send_file(operation);
        case Kind::shutdown: connection(operation).finish_sending(); return 0;
        default: return would_block;
    }
}

std::int64_t SimKernel::carry_out_file(Operation& operation) {
    const Request& request = operation.request;
    using Kind = Request::Kind;
    switch (request.kind) {
        case Kind::open: return open(request);
        case Kind::status:
            *request.file_status = inode(request.fd)->status(files_.device());
            return 0;
        case Kind::status_at: return status_at(request);
        case Kind::read: return read(operation);
        case Kind::map: return map(request);
        case Kind::write: return write(request);
        case Kind::lock: return lock(request);
        case Kind::list_directory: return list(operation);
        case Kind::sync: return files_.sync(inode(request.fd));
        case Kind::replace_file:
            return files_.replace_file(inode(request.fd), request.name,
                                       std::string(request.source.data(), request.source.size()),
                                       request.durable);
        case Kind::offload: request.work->run(); return 0;
        default: break;
    }
    ASSERT(!"carried out elsewhere");
    std::unreachable();
}

std::int64_t SimKernel::accept(const Request& request) {
    if (!has_room()) return -EMFILE;
    SimListener& from = listener(request.fd);
    Descriptor accepted;
    accepted.connection = std::move(from.waiting.front());
    from.waiting.pop_front();
    *request.peer = accepted.connection->peer;
    if (request.local != nullptr) *request.local = accepted.connection->local;
    return add(std::move(accepted));
}

std::size_t SimKernel::part_of(std::size_t octets) {
    if (options_.octet_by_octet) return std::min<std::size_t>(octets, 1);
    if (!options_.short_reads || octets <= 1) return octets;
    return random_.coin() ? octets : static_cast<std::size_t>(1 + random_.below(octets));
}

/// An exchange in its first half.
bool SimKernel::is_sending(const Operation& operation) const {
    return operation.progress < operation.request.source.size();
}

std::int64_t SimKernel::receive(Operation& operation) {
    const std::size_t most =
        options_.short_reads ? 1 + random_.below(buffer_octets_max) : buffer_octets_max;
    received_ = std::make_unique_for_overwrite<char[]>(most);
    const std::span<char> buffer(received_.get(), most);
    const std::int64_t got = connection(operation).receive(buffer.first(part_of(most)));
    if (got > 0) operation.received_first = received_.get();
    return got;
}

std::int64_t SimKernel::send(Operation& operation) {
    const std::span<const char> source = operation.request.source;
    SimConnection& to = connection(operation);
    const std::size_t left = source.size() - static_cast<std::size_t>(operation.progress);
    const std::size_t part = part_of(std::min({left, to.send_room(), options_.window_octets}));
    const std::int64_t sent = to.send({source.data() + operation.progress, part});
    if (sent < 0) return sent;
    operation.progress += part;
    return operation.progress == source.size() ? static_cast<std::int64_t>(source.size())
                                               : would_block;
}

std::int64_t SimKernel::send_file(Operation& operation) {
    const Request& request = operation.request;
    SimConnection& to = connection(operation);
    const std::uint64_t left = request.octets - operation.progress;
    const std::size_t part = part_of(std::min({left, to.send_room(), options_.window_octets}));
    std::vector<char> octets(random_.chance(options_.cold_probability) ? 0 : part);
    octets.resize(inode(request.file)->content.read(request.offset + operation.progress, octets));
    if (octets.empty()) return static_cast<std::int64_t>(operation.progress);
    const std::int64_t sent = to.send({octets.data(), octets.size()});
    if (sent < 0) return sent;
    operation.progress += octets.size();
    return operation.progress == request.octets ? static_cast<std::int64_t>(request.octets)
                                                : would_block;
}

std::int64_t SimKernel::map(const Request& request) {
    if (random_.chance(options_.cold_probability)) return 0;
    std::vector<char> octets(request.octets);
    const std::size_t got = inode(request.fd)->content.read(request.offset, octets);
    if (got < octets.size()) return 0;
    request.mapping->hold(std::move(octets));
    return static_cast<std::int64_t>(got);
}

std::int64_t SimKernel::open(const Request& request) {
    if (!has_room()) return -EMFILE;
    const std::string_view path = request.name;
    if (path.starts_with('/') && request.fd != AT_FDCWD) return -EXDEV;
    std::expected<InodeRef, int> opened = files_.open(inode(request.fd), path, request.open_what);
    if (!opened) return opened.error();
    Descriptor file;
    file.inode = std::move(*opened);
    if (request.file_status != nullptr) *request.file_status = file.inode->status(files_.device());
    return add(std::move(file));
}

std::int64_t SimKernel::status_at(const Request& request) {
    const bool is_absolute = std::string_view(request.name).starts_with('/');
    const std::expected<InodeRef, int> found =
        files_.walk(is_absolute ? files_.root() : inode(request.fd), request.name);
    if (!found) return found.error();
    request.file_status[0] = (*found)->status(files_.device());
    if (request.second == nullptr) return 0;
    return status_at(Request::status_at(request.fd, request.second, request.file_status[1]));
}

std::int64_t SimKernel::read(Operation& operation) {
    const std::size_t asked = operation.request.target.size();
    if (inode(operation.request.fd)->kind == InodeKind::directory) return -EISDIR;
    if (asked > 1 && random_.chance(options_.short_file_probability)) {
        const std::int64_t got = read_part(operation, random_.below(asked));
        return got;
    }
    if (!options_.torn_reads || asked < 2 || random_.coin()) return read_part(operation, asked);
    const std::uint64_t before = operation.progress;
    const std::int64_t got = read_part(operation, before + 1 + random_.below(asked - before));
    const bool is_over = operation.progress == before || operation.progress == asked;
    return is_over ? got : would_block;
}

// Up to `octets` in all, those of earlier parts among them.
std::int64_t SimKernel::read_part(Operation& operation, std::size_t octets) {
    const Request& request = operation.request;
    if (octets > operation.progress) {
        const std::span<char> target = request.target.first(octets).subspan(operation.progress);
        operation.progress +=
            inode(request.fd)->content.read(request.offset + operation.progress, target);
    }
    return static_cast<std::int64_t>(operation.progress);
}

// Some errors are a connection's end, others (no memory) pass.
void SimKernel::fail_connection(Operation& operation, int error) {
    if (error == -ENOMEM || error == -ENOBUFS || operation.request.kind == Request::Kind::shutdown)
        return;
    connection(operation).reset(random_.coin());
}

std::int64_t SimKernel::write(const Request& request) {
    written_[request.fd].append(request.source.data(), request.source.size());
    return static_cast<std::int64_t>(request.source.size());
}

std::int64_t SimKernel::lock(const Request& request) {
    const InodeRef directory = inode(request.fd);
    if (!options_.lock_by_file) return lock_with(request.fd, directory);
    std::expected<InodeRef, int> file = files_.open_or_create(directory, "restante.lock");
    if (!file) return file.error();
    Descriptor lock_file;
    lock_file.inode = *file;
    const std::int64_t opened = add(std::move(lock_file));
    if (opened < 0) return opened;
    const std::int64_t locked = lock_with(static_cast<int>(opened), *file);
    if (locked == 0) return opened;
    close(static_cast<int>(opened));
    return locked;
}

std::int64_t SimKernel::lock_with(int fd, const InodeRef& inode) {
    if (inode->lock_holder != not_locked && inode->lock_holder != fd) return -EWOULDBLOCK;
    inode->lock_holder = fd;
    descriptors_.at(fd).locked = inode;
    return 0;
}

std::int64_t SimKernel::list(Operation& operation) {
    const InodeRef directory = inode(operation.request.fd);
    if (directory->kind != InodeKind::directory) return -ENOTDIR;
    if (options_.listings_in_parts) return list_part(operation, *directory);
    list_all(operation.request, *directory);
    return 0;
}

// As ext4 does it: in the order of the names' hashes, from where the last part ended. A file that
// gets another name meanwhile has another place, which may be behind or ahead.
std::int64_t SimKernel::list_part(Operation& operation, const SimInode& directory) {
    const Request& request = operation.request;
    if (operation.progress == 0) request.listing->clear();
    using Entry = const std::pair<const std::string, InodeRef>*;
    std::map<std::uint64_t, Entry> ahead;
    for (const auto& entry : directory.entries) {
        const std::uint64_t place = SimRandom(std::hash<std::string>()(entry.first)).next() | 1;
        if (place > operation.progress) ahead.emplace(place, &entry);
    }
    std::size_t left = static_cast<std::size_t>(random_.below(ahead.size() + 1));
    for (const auto& [place, entry] : ahead) {
        if (left-- == 0) return would_block;
        request.listing->add(entry->first, entry->second->number, entry->second->file_kind());
        operation.progress = place;
    }
    return 0;
}

void SimKernel::list_all(const Request& request, const SimInode& directory) {
    request.listing->clear();
    std::vector<const std::pair<const std::string, InodeRef>*> entries;
    for (const auto& entry : directory.entries) entries.push_back(&entry);
    for (std::size_t left = entries.size(); options_.shuffle && left > 1; --left) {
        std::swap(entries[left - 1], entries[random_.below(left)]);
    }
    for (const auto* entry : entries) {
        request.listing->add(entry->first, entry->second->number, entry->second->file_kind());
    }
}

std::int64_t SimKernel::remove(const Request& request) {
    for (Removal& removal : request.removals) removal.result = remove_one(removal);
    return 0;
}

// What fails may be done all the same: an answer that a server of files never gave.
int SimKernel::remove_one(Removal& removal) {
    const int fault = faults_.next(Request::Kind::remove);
    if (fault == 0) return files_.remove(inode(removal.directory), removal);
    const bool is_done = fault == -EIO && options_.any_errno_probability > 0 && random_.coin();
    if (is_done) files_.remove(inode(removal.directory), removal);
    return fault;
}

int SimKernel::listen(std::string_view address) {
    Descriptor socket;
    socket.listener = std::make_shared<SimListener>(SimListener{address_of(address), {}});
    const std::int64_t fd = add(std::move(socket));
    ASSERT(fd >= 0);
    return static_cast<int>(fd);
}

Client SimKernel::connect(int fd, std::string_view peer) {
    const auto found = descriptors_.find(fd);
    const bool is_listening = found != descriptors_.end() && found->second.listener != nullptr;
    const SocketAddress local = is_listening ? found->second.listener->address : SocketAddress();
    auto connection =
        std::make_shared<SimConnection>(address_of(peer), local, options_.window_octets);
    if (is_listening) {
        found->second.listener->waiting.push_back(connection);
    } else {
        connection->reset(true);
    }
    return Client(std::move(connection));
}

int SimKernel::open_sink() {
    const std::int64_t fd = add({});
    ASSERT(fd >= 0);
    return static_cast<int>(fd);
}

void SimKernel::close(int fd) {
    if (fd < first_fd_) return;
    const auto found = descriptors_.find(fd);
    ASSERT(found != descriptors_.end());
    Descriptor& closing = found->second;
    if (closing.connection != nullptr) closing.connection->close_by_server();
    if (closing.listener != nullptr) {
        for (const auto& waiting : closing.listener->waiting) waiting->reset(true);
    }
    if (closing.locked != nullptr) closing.locked->lock_holder = not_locked;
    descriptors_.erase(found);
}

void SimKernel::restart() {
    for (auto& [fd, descriptor] : descriptors_) {
        if (descriptor.connection != nullptr) descriptor.connection->reset(true);
        if (descriptor.listener == nullptr) continue;
        for (const auto& waiting : descriptor.listener->waiting) waiting->reset(true);
    }
    descriptors_.clear();
    first_fd_ = next_fd_;
}

}  // namespace restante::sim
