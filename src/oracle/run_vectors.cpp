#include "oracle/run_vectors.hpp"

#include "cpu/platform.hpp"

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

bool VectorRun::begin(Variant variant) {
    variant_ = variant;
    totals_ = {};
    number_ = next_ = 0;
    reader_ = Reader(file_);
    if (!reader_.ok()) {
        totals_.malformed = true;
        report_.line("this is not a file of instruction vectors");
        return false;
    }
    if (!machine_.build(reader_.header().memory_seed, variant)) {
        totals_.no_memory = true;
        report_.line("there is no guest memory for the vectors' pages");
        return false;
    }
    if (v_.platform) {
        v_.platform->switch_address_space(v_, false);
        v_.platform->flush_all(v_);
    }
    return load_next();
}

bool VectorRun::load_next() {
    while (reader_.next(vector_)) {
        number_ = next_++;
        if (vector_.recorded() && variant_.fits(vector_)) {
            machine_.load(vector_, before_);
            return true;
        }
        totals_.skipped++;
    }
    finish();
    return false;
}

void VectorRun::finish() {
    machine_.restore();
    totals_.malformed = !reader_.ok();
    if (totals_.malformed) report_.line("the file of vectors breaks off or is malformed");
    Line last;
    last.decimal(totals_.passed).text(" passed, ").decimal(totals_.failed).text(" failed");
    if (totals_.skipped) last.text(", ").decimal(totals_.skipped).text(" not for this mode");
    if (ignored_mxcsr_) last.text(" (not compared: MXCSR bits ").hex(ignored_mxcsr_).text(")");
    report_.line(last.get());
}

bool VectorRun::halted() {
    State after;
    Outcome outcome;
    if (!machine_.store(vector_, after, outcome)) return gave_up("it halted outside of the exception handlers");
    expected_.prepare(vector_, machine_.seeded());
    Differences found = compare(vector_, before_, after, outcome, expected_, machine_.data(), ignored_mxcsr_);
    if (!found.count)
        totals_.passed++;
    else if (totals_.failed++ < shown_)
        describe(vector_, number_, nullptr, found, report_);
    return load_next();
}

bool VectorRun::gave_up(const char* why) {
    if (totals_.failed++ < shown_) describe(vector_, number_, why, {}, report_);
    return load_next();
}

Totals run_vectors(VectorRun& run, Vcpu& v, Engine& engine, Variant variant) {
    for (bool more = run.begin(variant); more;) {
        const char* why = engine.run(v);
        more = why ? run.gave_up(why) : run.halted();
    }
    return run.totals();
}

}  // namespace bmbt::oracle
