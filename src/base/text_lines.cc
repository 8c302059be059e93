#include "base/text_lines.h"

#include <cstdint>
#include <cstring>

#include "base/assert.h"

// Highway compiles this file once for each set of instructions: foreach_target.h includes it again
// each time with another HWY_NAMESPACE. HWY_EXPORT makes a table of the compiled functions, and
// HWY_DYNAMIC_DISPATCH picks from it by what the processor has. Nothing of std in between: the
// linker keeps one copy of an inline function, which may be one that the processor cannot run.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "base/text_lines.cc"
#include <hwy/foreach_target.h>  // first

#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace restante {
namespace HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

/// Octets of one register, at most as many as a word has bits.
using Block = hn::CappedTag<std::uint8_t, 64>;
using Octets = hn::Vec<Block>;
using Marks = hn::Mask<Block>;

constexpr std::size_t block_octets_max = hn::MaxLanes(Block());
constexpr std::size_t marks_octets = block_octets_max < 8 ? 1 : block_octets_max / 8;

/// Bit n is mark n. Through a word as wide as the marks, which stays in a register.
HWY_INLINE std::uint64_t bits_of(Marks marks) {
    hwy::UnsignedFromSize<marks_octets> bits = 0;
    hn::StoreMaskBits(Block(), marks, reinterpret_cast<std::uint8_t*>(&bits));
    return bits;
}

HWY_INLINE Marks equal(Octets octets, char octet) {
    return hn::Eq(octets, hn::Set(Block(), static_cast<std::uint8_t>(octet)));
}

// `before` is what stands before each of the octets, `before2` what stands before that.

HWY_INLINE Marks bare_lfs(Octets octets, Octets before) {
    return hn::AndNot(equal(before, '\r'), equal(octets, '\n'));
}

HWY_INLINE Marks line_dots(Octets octets, Octets before) {
    return hn::And(equal(before, '\n'), equal(octets, '.'));
}

HWY_INLINE Marks blank_lines(Octets octets, Octets before, Octets before2) {
    const Marks after_cr_line = hn::And(equal(before, '\r'), equal(before2, '\n'));
    // In this order: g++ 12 makes Or(comparison, mask) scalar code for SVE, wrong after 16 octets.
    return hn::And(equal(octets, '\n'), hn::Or(after_cr_line, equal(before, '\n')));
}

/// Each block is written whole. Where an octet is inserted, the block that follows it is written
/// over what is there already. Reads from the octet before `in` to a block after the `blocks`,
/// writes up to a block more than it says.
HWY_INLINE StuffedText stuff_blocks(const std::uint8_t* in, std::size_t blocks, std::uint8_t* out) {
    const Block block;
    const std::size_t block_octets = hn::Lanes(block);
    std::uint8_t* target = out;
    std::size_t doubled_dots = 0;
    for (; blocks > 0; --blocks) {
        const Octets octets = hn::LoadU(block, in);
        hn::StoreU(octets, block, target);
        const Octets before = hn::LoadU(block, in - 1);
        std::uint64_t inserts =
            bits_of(hn::Or(bare_lfs(octets, before), line_dots(octets, before)));
        for (; inserts != 0; inserts &= inserts - 1) {
            const std::size_t at = hwy::Num0BitsBelowLS1Bit_Nonzero64(inserts);
            const bool is_dot = in[at] == '.';
            doubled_dots += is_dot ? 1 : 0;
            target[at] = is_dot ? '.' : '\r';
            ++target;
            hn::StoreU(hn::LoadU(block, in + at), block, target + at);
        }
        in += block_octets;
        target += block_octets;
    }
    return {static_cast<std::size_t>(target - out), doubled_dots};
}

/// The last octets go through arrays that have the block which stuff_blocks() reads and writes too
/// far; the zeros there come out as zeros.
StuffedText stuff(const std::uint8_t* in, std::size_t octets, std::uint8_t* out) {
    const std::size_t block_octets = hn::Lanes(Block());
    const std::size_t blocks = octets / block_octets;
    const std::size_t early_blocks = blocks > 0 ? blocks - 1 : 0;
    const StuffedText early = stuff_blocks(in, early_blocks, out);
    const std::size_t left = octets - early_blocks * block_octets;
    std::uint8_t last_in[4 * block_octets_max];
    std::uint8_t last_out[5 * block_octets_max];
    for (std::size_t at = 0; at < sizeof last_in; at += block_octets) {
        hn::StoreU(hn::Zero(Block()), Block(), last_in + at);
    }
    std::memcpy(last_in, in + octets - left - 1, left + 1);
    const std::size_t last_blocks = (left + block_octets - 1) / block_octets;
    const StuffedText last = stuff_blocks(last_in + 1, last_blocks, last_out);
    const std::size_t last_octets = last.octets - (last_blocks * block_octets - left);
    std::memcpy(out + early.octets, last_out, last_octets);
    return {early.octets + last_octets, early.doubled_dots + last.doubled_dots};
}

/// Counts a block but for its first octets, which were `seen` before; whether it stopped. Dots are
/// rare, so they are only counted where there are any.
HWY_INLINE bool scan_block(const std::uint8_t* in, std::size_t seen, LineStops stops,
                           ScannedLines& lines) {
    const Block block;
    const Octets octets = hn::LoadU(block, in);
    const Octets before = hn::LoadU(block, in - 1);
    const std::uint64_t lfs = bits_of(bare_lfs(octets, before)) >> seen;
    const std::uint64_t dots = bits_of(line_dots(octets, before)) >> seen;
    std::uint64_t blanks = 0;
    if (HWY_UNLIKELY(stops.blank_lines)) {
        blanks = bits_of(blank_lines(octets, before, hn::LoadU(block, in - 2))) >> seen;
    }
    if (HWY_UNLIKELY((dots | blanks) != 0)) {
        const std::uint64_t stop = stops.dots ? dots | blanks : blanks;
        const std::uint64_t counted = (stop & (0 - stop)) - 1;  // below the first; all if none
        lines.dots += hwy::PopCount(dots & counted);
        if (stop != 0) {
            lines.bare_lfs += hwy::PopCount(lfs & counted);
            lines.octets += hwy::Num0BitsBelowLS1Bit_Nonzero64(stop);
            return true;
        }
    }
    lines.bare_lfs += hwy::PopCount(lfs);
    lines.octets += hn::Lanes(block) - seen;
    return false;
}

ScannedLines scan(const std::uint8_t* in, std::size_t octets, LineStops stops) {
    const std::size_t block_octets = hn::Lanes(Block());
    ScannedLines lines;
    while (octets - lines.octets >= block_octets) {
        const bool is_stopped = scan_block(in + lines.octets, 0, stops, lines);
        if (HWY_UNLIKELY(is_stopped)) return lines;
    }
    if (lines.octets == octets) return lines;
    // The block that ends with the last octets, in place if there are so many.
    const std::size_t seen = block_octets - (octets - lines.octets);
    if (octets >= block_octets) {
        scan_block(in + octets - block_octets, seen, stops, lines);
    } else {
        std::uint8_t padded[2 + block_octets_max] = {};
        std::memcpy(padded + seen, in - 2, 2 + octets);
        scan_block(padded + 2, seen, stops, lines);
    }
    return lines;
}

}  // namespace HWY_NAMESPACE
}  // namespace restante
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace restante {

HWY_EXPORT(stuff);
HWY_EXPORT(scan);

StuffedText stuff_lines(std::span<const char> in, std::span<char> out) {
    ASSERT(!in.empty());
    ASSERT(out.size() >= 2 * (in.size() - 1));
    return HWY_DYNAMIC_DISPATCH(stuff)(reinterpret_cast<const std::uint8_t*>(in.data()) + 1,
                                       in.size() - 1, reinterpret_cast<std::uint8_t*>(out.data()));
}

ScannedLines scan_lines(std::span<const char> in, LineStops stops) {
    ASSERT(in.size() >= 2);
    return HWY_DYNAMIC_DISPATCH(scan)(reinterpret_cast<const std::uint8_t*>(in.data()) + 2,
                                      in.size() - 2, stops);
}

}  // namespace restante
#endif
