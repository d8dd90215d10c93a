#include "coverage_trace.hpp"

#include <stdio.h>
#include <stdlib.h>

#include <memory>

#include "cpu/linear.hpp"
#include "interpreter.hpp"

namespace bmbt::oracle {
namespace {

class Tracer final : public Engine {
 public:
    Tracer(Rows& rows, const std::function<void(const Traced&)>& visit) : rows_(rows), visit_(visit) {}

    const char* run(Vcpu& v) override {
        Traced traced;
        for (unsigned n = 0; n < 100'000; n++) {
            const x86::CodeSize mode = code_size(v);
            const u64 at = v.rip;
            x86::Insn insn;
            Rows::Entry* entry = v.cpl == 3 ? entry_at(v, insn) : nullptr;  // the handlers are not the program's
            auto done = interpret(v);
            if (entry) {
                const bool again =
                    done && v.rip == at && entry->first.repeat;  // goes on where it is: not yet at its end
                const bool ended = done ? !again : done.error().trap;
                if (!again) (ended ? traced.done : traced.refused).insert({&entry->second, mode});
                if (ended && entry->first.form.place == 'm') {
                    traced.addresses.insert({address_kind(insn), mode});
                    traced.addresses.insert({segment_kind(insn), mode});
                }
            }
            if (!done) raise(v, done.error());
            if (v.shutdown) return "triple fault";
            if (!v.halted) continue;
            for (const Step& s : traced.done) traced.refused.erase(s);
            visit_(traced);
            return nullptr;
        }
        return "no end in sight";
    }

 private:
    Rows::Entry* entry_at(Vcpu& v, x86::Insn& insn) {
        auto fetched = fetch(v);
        if (!fetched) return nullptr;
        insn = *fetched;
        u64 linear = v.code64() ? v.rip : (v.seg[x86::Cs].base + v.rip) & 0xffff'ffff;
        u8 bytes[15];
        for (unsigned n = 0; n < insn.length; n++, linear++) {
            auto byte = translate(v, linear, 1, Access{.write = false, .fetch = true, .user = true});
            if (!byte) return nullptr;
            byte->load(v, bytes + n);
        }
        return rows_.find(code_size(v), {bytes, insn.length});
    }

    Rows& rows_;
    const std::function<void(const Traced&)>& visit_;
};

class Output final : public Report {
 public:
    void line(const char* text) override { puts(text); }
};

}  // namespace

bool trace_vectors(std::span<const u8> file, Rows& rows, const std::function<void(const Traced&)>& visit) {
    BareMachine bare;
    Tracer tracer(rows, visit);
    Output output;
    auto run = std::make_unique<VectorRun>(file, bare.machine(), bare.cpu(), output);
    Totals t = run_vectors(*run, bare.cpu(), tracer);
    return t.passed && !t.failed && !t.skipped && !t.malformed && !t.no_memory;
}

}  // namespace bmbt::oracle
