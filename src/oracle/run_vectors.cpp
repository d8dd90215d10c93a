#include "oracle/run_vectors.hpp"

namespace bmbt::oracle {
namespace {

// A line of the report; what does not fit is cut off.
class Line {
 public:
    Line& text(const char* s) {
        while (*s && size_ < sizeof text_ - 1) text_[size_++] = *s++;
        text_[size_] = 0;
        return *this;
    }
    Line& hex(u64 v) { return number(v, 16, 0); }
    Line& byte(u8 v) { return number(v, 16, 2); }
    Line& decimal(u64 v) { return number(v, 10, 0); }
    const char* get() const { return text_; }

 private:
    Line& number(u64 v, unsigned base, unsigned width) {
        char digits[24];
        unsigned n = sizeof digits;
        digits[--n] = 0;
        do {
            digits[--n] = "0123456789abcdef"[v % base];
            v /= base;
        } while (v || sizeof digits - 1 - n < width);
        return text(digits + n);
    }
    char text_[400] = {};
    usize size_ = 0;
};

void describe(const Vector& v, u32 number, const char* gave_up, const Differences& d, Report& report) {
    static constexpr const char* sizes[] = {"16", "32", "64"};
    Line head;
    head.text("vector ").decimal(number).text(": ").text(sizes[static_cast<u8>(v.mode)]).text(" \"");
    for (usize i = 0; i < v.code.size(); i++) head.text(i ? " " : "").byte(v.code[i]);
    head.text("\" seed=").hex(v.seed);
    if (gave_up) head.text(": ").text(gave_up);
    report.line(head.get());

    static constexpr const char* kinds[] = {"exception", "error code", "fault address"};
    u32 shown = d.count < Differences::capacity ? d.count : Differences::capacity;
    for (u32 n = 0; n < shown; n++) {
        const Difference& f = d.first[n];
        Line line;
        line.text("    ");
        if (f.kind == Difference::Kind::Word)
            line.text(word_name(f.index));
        else if (f.kind == Difference::Kind::Memory)
            line.text("[").hex(layout::data + f.index).text("]");
        else
            line.text(kinds[static_cast<u8>(f.kind)]);
        report.line(line.text(": expected ").hex(f.expected).text(", is ").hex(f.actual).get());
    }
}

}  // namespace

Totals run_vectors(std::span<const u8> file, GuestMachine& machine, Vcpu& cpu, Engine& engine, Report& report,
                   Variant variant, u32 shown) {
    static ExpectedMemory expected;  // too large for the image's stack; one run at a time
    Totals totals;
    Reader reader(file);
    if (!reader.ok() || !machine.build(reader.header().memory_seed, variant)) {
        totals.malformed = !reader.ok();
        totals.no_memory = reader.ok();
        report.line(totals.malformed ? "this is not a file of instruction vectors"
                                     : "there is no guest memory for the vectors' pages");
        return totals;
    }
    engine.rebuilt(cpu);
    Vector v;
    for (u32 number = 0; reader.next(v); number++) {
        if (!v.recorded() || !variant.fits(v)) {
            totals.skipped++;
            continue;
        }
        State before, after;
        Outcome outcome;
        machine.load(v, before);
        const char* gave_up = engine.run(cpu);
        Differences found;
        if (!gave_up && !machine.store(v, after, outcome)) gave_up = "it halted outside of the exception handlers";
        if (!gave_up) {
            expected.prepare(v, machine.seeded());
            found = compare(v, before, after, outcome, expected, machine.data());
        }
        if (!gave_up && !found.count) {
            totals.passed++;
            continue;
        }
        if (totals.failed++ < shown) describe(v, number, gave_up, found, report);
    }
    machine.restore();
    totals.malformed = !reader.ok();
    if (totals.malformed) report.line("the file of vectors breaks off or is malformed");
    Line last;
    last.decimal(totals.passed).text(" passed, ").decimal(totals.failed).text(" failed");
    if (totals.skipped) last.text(", ").decimal(totals.skipped).text(" not for this mode");
    report.line(last.get());
    return totals;
}

}  // namespace bmbt::oracle
