#include "report_json.h"

#include <algorithm>
#include <cmath>

#include "base/version.h"
#include "derived.h"
#include "json_writer.h"
#include "machine.h"

namespace pop3load {
namespace {

constexpr unsigned spectrum_steps_per_half = 10;

/// As the schema has durations: microseconds, exact to the nanosecond.
double microseconds(double nanoseconds) { return nanoseconds / 1e3; }
double microseconds(std::uint64_t nanoseconds) {
    return microseconds(static_cast<double>(nanoseconds));
}

double thousandths(double value) { return std::round(value * 1e3) / 1e3; }

void write_optional(JsonWriter& json, std::string_view key, std::optional<double> value) {
    json.key(key);
    value ? json.number(thousandths(*value)) : json.null();
}

void write_run(JsonWriter& json, const Results& results) {
    const bool is_open = results.model == Model::open;
    json.key("run").open_object();
    json.key("command_line").string(results.command_line);
    json.key("target").string(results.target);
    json.key("profile").string(results.profile);
    json.key("model").string(is_open ? "open" : "closed");
    json.key("rate_per_second");
    is_open ? json.number(results.rate) : json.null();
    json.key("connections");
    is_open ? json.null() : json.integer(results.connections);
    json.key("seed").integer(results.seed);
    json.key("threads").integer(results.threads);
    json.close_object();
}

void write_machine(JsonWriter& json) {
    const Machine machine = this_machine();
    json.key("machine").open_object();
    json.key("processor").string(machine.processor);
    json.key("logical_processors").integer(machine.logical_processors);
    json.key("memory_octets").integer(machine.memory_octets);
    json.key("kernel").string(machine.kernel);
    json.close_object();
}

void write_measured(JsonWriter& json, const Results& results) {
    json.key("measured").open_object();
    json.key("started_unix_seconds");
    json.integer(
        static_cast<std::uint64_t>(std::max<std::int64_t>(0, results.started_unix_seconds)));
    json.key("seconds").number(results.seconds);
    json.key("sessions_begun").integer(results.sessions_begun);
    json.key("sessions_ended").integer(results.sessions_ended);
    json.key("sessions_per_second").number(thousandths(rate_reached(results)));
    json.key("commands").integer(results.commands);
    json.key("messages").integer(results.messages);
    json.key("octets").integer(results.octets);
    json.key("messages_late").integer(results.messages_late);
    json.key("tls_handshakes").integer(results.tls_handshakes);
    json.key("tls_resumed").integer(results.tls_resumed);
    write_optional(json, "looked_again_seconds", results.looked_again_seconds);
    json.key("bodies_verified").integer(results.bodies_verified);
    json.key("bodies_unmarked").integer(results.bodies_unmarked);
    json.close_object();
}

void write_faults(JsonWriter& json, const Results& results) {
    json.key("faults").open_object();
    json.key("total").integer(results.fault_total());
    json.key("share").number(fault_share(results));
    json.key("wrong_answers").integer(wrong_answers(results));
    json.key("kinds").open_array();
    for (std::size_t kind = 0; kind < faults; ++kind) {
        if (results.fault_counts[kind] == 0) continue;
        json.open_object();
        json.key("kind").string(fault_names[kind]);
        json.key("count").integer(results.fault_counts[kind]);
        json.key("wrong_answer").boolean(is_wrong_answer(static_cast<Fault>(kind)));
        json.key("example").string(results.fault_examples[kind]);
        json.close_object();
    }
    json.close_array();
    json.close_object();
}

/// Count, extremes, mean and the usual percentiles, as members of the open object.
void write_distribution(JsonWriter& json, const restante::Histogram& histogram) {
    json.key("count").integer(histogram.count());
    json.key("min_us").number(microseconds(histogram.min()));
    json.key("mean_us").number(thousandths(microseconds(histogram.mean())));
    json.key("standard_deviation_us");
    json.number(thousandths(microseconds(histogram.standard_deviation())));
    json.key("p50_us").number(microseconds(histogram.value_at(50)));
    json.key("p90_us").number(microseconds(histogram.value_at(90)));
    json.key("p99_us").number(microseconds(histogram.value_at(99)));
    json.key("p99_9_us").number(microseconds(histogram.value_at(99.9)));
    json.key("p99_99_us").number(microseconds(histogram.value_at(99.99)));
    json.key("max_us").number(microseconds(histogram.max()));
}

void write_latencies(JsonWriter& json, const restante::Histogram& histogram) {
    json.open_object();
    write_distribution(json, histogram);
    json.key("spectrum").open_array();
    for (const SpectrumPoint& point : percentile_spectrum(histogram, spectrum_steps_per_half)) {
        json.open_array().number(point.percentile).number(microseconds(point.value));
        json.close_array();
    }
    json.close_array();
    json.close_object();
}

void write_generator(JsonWriter& json, const Results& results) {
    json.key("generator").open_object();
    json.key("name").string("pop3load");
    json.key("version").string(restante::version);
    json.key("cpu_seconds").number(results.generator_cpu_seconds);
    json.key("cpu_share").number(generator_cpu_share(results));
    json.key("idle_seconds").number(results.generator_idle_seconds);
    json.key("saturated").boolean(is_saturated(results));
    json.key("send_lag").open_object();
    write_distribution(json, results.send_lag);
    json.close_object();
    json.key("waited_for_user").integer(results.waited_for_user);
    json.key("waited_for_connection").integer(results.waited_for_connection);
    json.key("fell_behind").boolean(results.fell_behind);
    json.key("own_fault").boolean(results.has_own_fault);
    json.key("fell_behind_cause").string(results.fell_behind_cause);
    json.close_object();
}

void write_server(JsonWriter& json, const Results& results) {
    json.key("server");
    if (!results.server) {
        json.null();
        return;
    }
    const ServerUsage& server = *results.server;
    json.open_object();
    json.key("source").string(server.source);
    json.key("cpu_seconds").number(server.cpu_seconds);
    json.key("memory_octets_max").integer(server.memory_octets_max);
    json.key("voluntary_switches").integer(server.voluntary_switches);
    json.key("involuntary_switches").integer(server.involuntary_switches);
    write_optional(json, "cpu_us_per_session",
                   server_microseconds_per(results, results.sessions_ended));
    write_optional(json, "cpu_us_per_command", server_microseconds_per(results, results.commands));
    write_optional(json, "cpu_us_per_message", server_microseconds_per(results, results.messages));
    json.close_object();
}

void write_steps(JsonWriter& json, const Results& results) {
    json.key("steps").open_array();
    for (std::size_t step = 0; step < steps; ++step) {
        const Latencies& latencies = results.latencies[step];
        if (latencies.corrected.count() == 0) continue;
        json.open_object();
        json.key("step").string(step_names[step]);
        json.key("corrected");
        write_latencies(json, latencies.corrected);
        json.key("uncorrected");
        write_latencies(json, latencies.uncorrected);
        json.close_object();
    }
    json.close_array();
}

void write_interval(JsonWriter& json, const Interval& interval, bool with_server) {
    json.open_object();
    json.key("arrivals").integer(interval.arrivals);
    json.key("ended").integer(interval.ended);
    json.key("faults").integer(interval.faults);
    json.key("octets").integer(interval.octets);
    json.key("in_flight").integer(interval.in_flight);
    if (with_server) {
        json.key("server_cpu_seconds").number(interval.server_cpu_seconds);
        json.key("server_memory_octets").integer(interval.server_memory_octets);
    }
    json.key("latency_buckets").open_array();
    for (std::size_t bucket = 0; bucket < interval.latency_buckets.size(); ++bucket) {
        if (interval.latency_buckets[bucket] == 0) continue;
        json.open_array().integer(bucket).integer(interval.latency_buckets[bucket]).close_array();
    }
    json.close_array();
    json.close_object();
}

/// Without stages, of a run by itself, null.
void write_stages(JsonWriter& json, const std::vector<StageSummary>& stages) {
    json.key("stages");
    if (stages.empty()) {
        json.null();
        return;
    }
    json.open_array();
    for (const StageSummary& stage : stages) {
        json.open_object();
        json.key("rate_per_second");
        stage.is_probe() ? json.null() : json.number(stage.rate);
        json.key("sessions_per_second").number(thousandths(stage.reached));
        json.key("p50_us").number(microseconds(stage.p50));
        json.key("p99_us").number(microseconds(stage.p99));
        json.key("p99_9_us").number(microseconds(stage.p99_9));
        json.key("faults").integer(stage.faults);
        json.key("holds");
        stage.is_probe() ? json.null() : json.boolean(stage.why_not.empty());
        json.key("why_not").string(stage.why_not);
        json.close_object();
    }
    json.close_array();
}

}  // namespace

std::string json_report(const Results& results) {
    JsonWriter json;
    json.open_object();
    json.key("schema").integer(report_schema);
    write_run(json, results);
    write_machine(json);
    write_measured(json, results);
    write_faults(json, results);
    write_generator(json, results);
    write_server(json, results);
    write_steps(json, results);
    write_stages(json, results.stages);
    json.key("intervals").open_array();
    for (const Interval& interval : results.intervals)
        write_interval(json, interval, results.server.has_value());
    json.close_array();
    json.close_object();
    return json.take();
}

}  // namespace pop3load
