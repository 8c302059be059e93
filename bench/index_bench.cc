// What opening a maildrop costs from its index, and what a rescan adds.

#include <benchmark/benchmark.h>

#include <string>
#include <vector>

#include "maildir/index_file.h"
#include "maildir/kept_ids.h"
#include "maildir/unique_ids.h"

namespace {

using namespace restante;

std::string name_of(std::int64_t at) {
    return std::to_string(1'700'000'000 + at) +
           ".M123456P12345.mx1.example.org,S=34816,W=35512:2,S";
}

pop3::MessageMeasure measure_of(std::int64_t at) {
    pop3::MessageMeasure measure;
    measure.stored_octets = 34'816;
    measure.octets = pop3::Octets(35'512);
    measure.header_octets = 2'048;
    measure.stuffed_dots = at % 8 == 0 ? 1 : 0;
    return measure;
}

std::shared_ptr<const MaildropIndex> index_of(std::int64_t messages) {
    IndexBuilder builder(static_cast<std::size_t>(messages));
    std::string scratch;
    for (std::int64_t at = 0; at < messages; ++at) {
        const std::string name = name_of(at);
        const std::string_view id = derived_unique_id(base_name(name), scratch);
        builder.add({name, id, Folder::current, UniqueIdKind::derived,
                     1'000'000U + static_cast<std::uint64_t>(at)},
                    measure_of(at));
    }
    IndexTrust trust;
    trust.policy = UniqueIdPolicy().hash();
    return builder.build(trust);
}

// Without the copy that stands for reading the file.
void decode(benchmark::State& state) {
    const auto index = index_of(state.range(0));
    for (auto _ : state) {
        state.PauseTiming();
        std::vector<char> file(index->encoded().begin(), index->encoded().end());
        state.ResumeTiming();
        benchmark::DoNotOptimize(MaildropIndex::decode(std::move(file)));
    }
    state.counters["octets/message"] =
        static_cast<double>(index->encoded().size()) / static_cast<double>(state.range(0));
}
BENCHMARK(decode)->Arg(20)->Arg(10'000);

void encode(benchmark::State& state) {
    for (auto _ : state) benchmark::DoNotOptimize(index_of(state.range(0)));
}
BENCHMARK(encode)->Arg(20)->Arg(10'000);

void make_lookup(benchmark::State& state) {
    const auto index = index_of(state.range(0));
    for (auto _ : state) benchmark::DoNotOptimize(IndexLookup(index));
}
BENCHMARK(make_lookup)->Arg(20)->Arg(10'000);

void look_up(benchmark::State& state) {
    const IndexLookup lookup(index_of(state.range(0)));
    std::vector<std::string> names;
    for (std::int64_t at = 0; at < state.range(0); ++at) names.push_back(name_of(at));
    std::uint64_t at = 0;
    for (auto _ : state) {
        const std::uint64_t message = ++at * 7919 % names.size();
        benchmark::DoNotOptimize(lookup.find(base_name(names[message]), 1'000'000 + message));
    }
}
BENCHMARK(look_up)->Arg(20)->Arg(10'000);

// All that UIDL and LIST ask of an index.
void walk(benchmark::State& state) {
    const auto index = index_of(state.range(0));
    for (auto _ : state) {
        for (std::uint32_t at = 0; at < index->count(); ++at) {
            const MaildropIndex::Listed listed = index->listed(at);
            benchmark::DoNotOptimize(listed);
        }
    }
}
BENCHMARK(walk)->Arg(20)->Arg(10'000);

// A listing of the messages of index_of(), which views `names`.
std::vector<ScannedFile> listing_of(const std::vector<std::string>& names) {
    std::vector<ScannedFile> files;
    for (std::size_t at = names.size(); at-- > 0;)
        files.emplace_back(names[at], 1'000'000 + at, Folder::current);
    return files;
}

std::vector<std::string> names_of(std::int64_t messages) {
    std::vector<std::string> names;
    for (std::int64_t at = 0; at < messages; ++at) names.push_back(name_of(at));
    return names;
}

// A rescan: with the index of the same messages, and without any.
void assign_ids(benchmark::State& state) {
    const auto index = index_of(state.range(0));
    const bool with_index = state.range(1) != 0;
    const std::vector<std::string> names = names_of(state.range(0));
    const std::vector<ScannedFile> files = listing_of(names);
    const UniqueIdPolicy policy;
    for (auto _ : state) {
        const IndexLookup lookup(index);
        UniqueIdSources sources;
        if (with_index) sources.previous = &lookup;
        UniqueIdAssignment assignment(policy, sources, files);
        benchmark::DoNotOptimize(assignment.finish({}));
    }
}
BENCHMARK(assign_ids)->Args({20, 1})->Args({10'000, 1})->Args({10'000, 0})->Args({100'000, 1});

// The same, where one message has come and the short way tells.
void keep_ids(benchmark::State& state) {
    const auto index = index_of(state.range(0));
    const std::vector<std::string> names = names_of(state.range(0) + 1);
    const std::vector<ScannedFile> files = listing_of(names);
    const UniqueIdPolicy policy;
    for (auto _ : state) {
        const IndexLookup lookup(index);
        const auto ids = restante::keep_ids(policy, {.previous = &lookup}, files);
        if (!ids) state.SkipWithError("the long way decides");
        benchmark::DoNotOptimize(ids);
    }
}
BENCHMARK(keep_ids)->Arg(20)->Arg(10'000)->Arg(100'000);

void parse_uidlist(benchmark::State& state) {
    std::string text = "3 V1130000000 N999999 G3085f01b7f11094c501100008c4a11c1\n";
    for (std::int64_t at = 0; at < state.range(0); ++at) {
        text += std::to_string(at + 1) + " W35512 S34816 :" + name_of(at) + "\n";
    }
    for (auto _ : state) benchmark::DoNotOptimize(DovecotUidlist::parse(text));
}
BENCHMARK(parse_uidlist)->Arg(10'000);

}  // namespace
