#include "kill/ending_ring.h"

#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <iterator>
#include <utility>

#include "passing_ring.h"

namespace restante {
namespace {

struct NamedKind {
    std::string_view name;
    Request::Kind kind;
};

constexpr NamedKind kinds[] = {
    {"accept", Request::Kind::accept},
    {"receive", Request::Kind::receive},
    {"send", Request::Kind::send},
    {"exchange", Request::Kind::exchange},
    {"send_file", Request::Kind::send_file},
    {"shutdown", Request::Kind::shutdown},
    {"sleep", Request::Kind::sleep},
    {"open", Request::Kind::open},
    {"status", Request::Kind::status},
    {"status_at", Request::Kind::status_at},
    {"read", Request::Kind::read},
    {"map", Request::Kind::map},
    {"write", Request::Kind::write},
    {"lock", Request::Kind::lock},
    {"list_directory", Request::Kind::list_directory},
    {"remove", Request::Kind::remove},
    {"sync", Request::Kind::sync},
    {"replace_file", Request::Kind::replace_file},
    {"offload", Request::Kind::offload},
};

class EndingRing final : public PassingRing {
public:
    EndingRing(std::unique_ptr<Ring> ring, const Ending& ending)
        : PassingRing(*ring), ring_(std::move(ring)), ending_(ending) {}

    bool attempt(Operation& operation) override {
        begin(operation);
        const bool is_answered = inner().attempt(operation);
        if (!is_answered) attempted_ = &operation;
        if (is_answered && is_last(operation)) end();
        return is_answered;
    }
    void submit(Operation& operation) override {
        if (std::exchange(attempted_, nullptr) != &operation) begin(operation);
        if (is_last(operation)) end_when_complete(operation);
        inner().submit(operation);
    }

private:
    void begin(const Operation& operation) {
        attempted_ = nullptr;
        if (operation.request.kind != ending_.kind) return;
        ++begun_;
        if (is_last(operation) && !ending_.is_after) end();
    }
    /// Of an operation that was just begun: it is the one that was meant.
    bool is_last(const Operation& operation) const {
        return operation.request.kind == ending_.kind && begun_ == ending_.number;
    }
    /// Whoever waits for it does not hear of it.
    void end_when_complete(Operation& operation) {
        operation.context = this;
        operation.on_complete = [](Operation& done) {
            static_cast<const EndingRing*>(done.context)->end();
        };
    }
    void end() const {
        static constexpr std::string_view said = "ended as RESTANTE_ENDING says\n";
        [[maybe_unused]] const ssize_t told = ::write(STDERR_FILENO, said.data(), said.size());
        std::raise(ending_.signal);
    }

    const std::unique_ptr<Ring> ring_;  // the inner one
    const Ending ending_;
    std::uint64_t begun_ = 0;               ///< of that kind
    const Operation* attempted_ = nullptr;  ///< begun, and not answered inline
};

std::string_view next_word(std::string_view& text) {
    const std::size_t end = std::min(text.find(' '), text.size());
    const std::string_view word = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    return word;
}

}  // namespace

std::optional<Ending> Ending::parse(std::string_view text) {
    const std::string_view moment = next_word(text);
    const std::string_view name = next_word(text);
    const std::string_view digits = next_word(text);
    const NamedKind* const kind = std::ranges::find(kinds, name, &NamedKind::name);
    const bool is_moment = moment == "before" || moment == "after";
    const bool is_signal = text == "STOP" || text == "KILL";
    if (kind == std::end(kinds) || !is_moment || !is_signal) return std::nullopt;
    Ending ending{moment == "after", kind->kind, 0, text == "STOP" ? SIGSTOP : SIGKILL};
    const char* const last = digits.data() + digits.size();
    const std::from_chars_result read = std::from_chars(digits.data(), last, ending.number);
    if (read.ec != std::errc() || read.ptr != last) return std::nullopt;
    return ending;
}

std::unique_ptr<Ring> make_ending_ring(std::unique_ptr<Ring> ring, const Ending& ending) {
    return std::make_unique<EndingRing>(std::move(ring), ending);
}

}  // namespace restante
