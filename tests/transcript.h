#pragma once
/// Transcripts (*.pop3): dialogues of RFC sections as files. The format is described in
/// transcripts/README.md; transcript_player.h plays one. std only.

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace restante_test {

inline constexpr std::string_view standard_user = "mrose";
inline constexpr std::string_view standard_password = "secret";
/// Stands for the APOP digest of this connection's timestamp, in lines of the client.
inline constexpr std::string_view apop_token = "{apop}";
/// Octets that one `\(...*count)` may become.
inline constexpr std::size_t repetition_octets_max = 16U << 20;

/// A message in the maildrop before the session: the file's octets, LF or CRLF as they stand.
struct StoredMessage {
    std::string file_name;  ///< with ":2," it belongs into cur/, else into new/
    std::string octets;
};

/// A configuration key, e.g. {"pop3.apop", "true"}; the value as TOML writes it.
struct Setting {
    std::string key;
    std::string value;
};

/// Text with gaps: `*` matches any octets, also none.
class Pattern {
public:
    Pattern() = default;
    /// A gap is between two pieces.
    explicit Pattern(std::vector<std::string> pieces) : pieces_(std::move(pieces)) {}
    bool matches(std::string_view line) const;
    /// For people: gaps as `*`, odd octets escaped.
    std::string text() const;

private:
    std::vector<std::string> pieces_ = {""};
};

enum class StepKind : std::uint8_t {
    open,             ///< a connection, `number`, which becomes the current one
    use,              ///< connection `number` becomes the current one
    send,             ///< `octets`
    line,             ///< one line of the server matches `pattern`
    skip,             ///< any lines up to, not including, the line "."
    client_closes,    ///< without QUIT or after it
    server_closes,    ///< and sends nothing before
    wait,             ///< `duration` passes
    outside_remove,   ///< another program removes message `number`
    outside_flag,     ///< another program moves message `number` to cur/ with the flag S
    outside_deliver,  ///< a message of `octets`, a file named `file_name`, arrives
};

/// Whether a line must be unlike all lines received before in the transcript, or like one.
enum class Novelty : std::uint8_t { any, fresh, seen };

/// Fields that the kind does not name are empty.
struct Step {
    StepKind kind;
    std::uint32_t source_line = 0;
    std::uint32_t number = 0;
    std::string octets{};
    std::string file_name{};
    Pattern pattern{};
    Novelty novelty = Novelty::any;
    std::chrono::seconds duration{0};
};

struct Transcript {
    std::string name;                  ///< of the file, without ".pop3"
    std::vector<std::string> sources;  ///< the comment lines at its top
    std::string password{standard_password};
    bool has_maildrop = true;  ///< false: there is no directory yet
    std::vector<StoredMessage> messages;
    std::vector<Setting> settings;                  ///< over the defaults of transcripts/README.md
    std::vector<std::uint32_t> removals_that_fail;  ///< message-numbers (fault: remove)
    std::vector<Step> steps;                        ///< the first is an `open`
    /// Messages there at the end, ascending, by number; one that arrived has the next number.
    std::vector<std::uint32_t> left;
};

/// What is wrong in a transcript; no error where `transcript` is there.
struct ParsedTranscript {
    std::optional<Transcript> transcript;
    std::uint32_t error_line = 0;
    std::string error;
};

ParsedTranscript parse_transcript(std::string_view name, std::string_view text);
/// The file of that path, whose name names the transcript.
ParsedTranscript read_transcript(const std::string& path);

/// An LF message whose octets at the client are `octets`, which is not 1.
std::string generated_message(std::uint64_t octets);
/// The lines of it that follow "+OK" of RETR, without line ends, stuffed, without the final ".".
std::vector<std::string> wire_lines(std::string_view stored);
/// For people: control octets and octets above 0x7E as `\r`, `\n`, `\0`, `\xNN`.
std::string escaped(std::string_view octets);

}  // namespace restante_test
