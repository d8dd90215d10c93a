// Forms at the edge of the opcode maps: aliases, hints, far transfers, and what a program may only be refused.
#include "forms.hpp"

namespace bmbt::oracle {
namespace {

struct Named {
    const char *name, *opcode, *operands, *notes;
};

constexpr Named aliases[] = {
    {"test", "F6 /1 ib", "Eb", ""}, {"test", "F7 /1 iz", "Ev", ""},   {"bswap", "66: 0F C8 +r", "", ""},
    {"fcom", "DC D0 +i", "", "X"},  {"fcomp", "DC D8 +i", "", "X"},   {"fcomp", "DE D0 +i", "", "X"},
    {"fxch", "DD C8 +i", "", "X"},  {"fxch", "DF C8 +i", "", "X"},    {"fstp", "DF D0 +i", "", "X"},
    {"fstp", "DF D8 +i", "", "X"},  {"fstpnce", "D9 D8 +i", "", "X"}, {"ffreep", "DF C0 +i", "", "X"},
    {"feni", "DB E0", "", "X"},     {"fdisi", "DB E1", "", "X"},      {"fsetpm", "DB E4", "", "X"},
};

// Hints that name an operand and do nothing with it. ENDBR and MPX's moves are among them.
constexpr Named hints[] = {
    {"prefetch", "0F 0D /0", "M0", ""},   {"prefetch", "0F 0D /2", "M0", ""},   {"prefetch", "0F 0D /3", "M0", ""},
    {"prefetch", "0F 0D /4", "M0", ""},   {"prefetch", "0F 0D /5", "M0", ""},   {"prefetch", "0F 0D /6", "M0", ""},
    {"prefetch", "0F 0D /7", "M0", ""},   {"nop", "0F 18 /r", "Rv,Gv", ""},     {"nop", "0F 18 /4", "Ev", ""},
    {"nop", "0F 18 /5", "Ev", ""},        {"nop", "0F 18 /6", "Ev", ""},        {"nop", "0F 18 /7", "Ev", ""},
    {"nop", "0F 19 /r", "Ev,Gv", ""},     {"nop", "0F 1A /r", "Ev,Gv", ""},     {"nop", "0F 1B /r", "Ev,Gv", ""},
    {"nop", "0F 1C /r", "Ev,Gv", ""},     {"nop", "0F 1D /r", "Ev,Gv", ""},     {"nop", "0F 1E /r", "Ev,Gv", ""},
    {"nop", "0F 1F /r", "Ev,Gv", ""},     {"nop", "66: 0F 1E /r", "Ey,Gy", ""}, {"nop", "F2: 0F 1E /r", "Ev,Gv", ""},
    {"nop", "F3: 0F 1E /r", "Ev,Gv", ""}, {"lfence", "0F AE /5", "Rd", ""},     {"mfence", "0F AE /6", "Rd", ""},
    {"sfence", "0F AE /7", "Rd", ""},
};

// CPL 3 without rights to ports: #GP, and in its place among the other checks.
constexpr Named refused[] = {
    {"insb", "6C", "b", "TUA"},         {"ins", "6D", "v", "TUA"},
    {"outsb", "6E", "b", "TUA"},        {"outs", "6F", "v", "TUA"},
    {"swapgs", "0F 01 F8", "", "U4"},   {"sysexit", "0F 35", "", "U"},
    {"sysret", "0F 07", "", "U4"},      {"rdpmc", "0F 33", "", "U"},
    {"xsetbv", "0F 01 D1", "", "U"},    {"invpcid", "66: 0F 38 82 /r", "Gy,M16", "U"},
    {"mov", "0F 20 /r", "Ry,Gy", "U*"}, {"mov", "0F 21 /r", "Ry,Gy", "U*"},
    {"mov", "0F 22 /r", "Ry,Gy", "U*"}, {"mov", "0F 23 /r", "Ry,Gy", "U*"},
    {"int", "CD ib", "", "U*"},         {"int3", "CC", "", ""},
};

// Into another code segment, and so another code size. The state's registers count as the code size before has them.
constexpr Named far[] = {
    {"call", "9A ip", "v", "6SU*"}, {"jmp", "EA ip", "v", "6SU*"}, {"call", "FF /3", "Mp", "SU*"},
    {"jmp", "FF /5", "Mp", "SU*"},  {"ret", "CB", "v", "SU*"},     {"ret", "CA iw", "v", "SU*"},
    {"iret", "CF", "v", "SU*"},
};

// Near transfers with the other operand size, which cuts the target to 16 bits or has 32 of them.
constexpr Named near[] = {
    {"jmp", "EB cb", "v", "6"},     {"jmp", "E9 cv", "v", "6"},    {"call", "E8 cv", "v", "6S"},
    {"loopne", "E0 cb", "v", "6A"}, {"loope", "E1 cb", "v", "6A"}, {"loop", "E2 cb", "v", "6A"},
    {"jcxz", "E3 cb", "v", "6A"},   {"ret", "C3", "v", "6S*"},     {"ret", "C2 iw", "v", "6S*"},
};

constexpr Named state[] = {
    {"wrfsbase", "F3: 0F AE /2", "Rv", "4U*"}, {"wrgsbase", "F3: 0F AE /3", "Rv", "4U*"},
    {"fxsave64", "W 0F AE /0", "M512", "4X"},  {"fxrstor64", "W 0F AE /1", "M512", "4X*"},
    {"xsave", "0F AE /4", "M576", "X*"},       {"xsave64", "W 0F AE /4", "M576", "4X*"},
    {"xrstor", "0F AE /5", "M576", "X*"},      {"xrstor64", "W 0F AE /5", "M576", "4X*"},
};

}  // namespace

void add_edge_forms(std::vector<Form>& all) {
    auto group = [&](const char* name, const auto& rows) {
        for (const Named& n : rows) all.push_back({n.name, n.opcode, n.operands, n.notes, name});
    };
    group("alias", aliases);
    group("hint", hints);
    group("refused", refused);
    group("far", far);
    group("near", near);
    group("state", state);
    all.push_back({"undefined", "0F 0B", "", "*", "undefined"});  // see arrange.cpp: any bytes that are no instruction
}

}  // namespace bmbt::oracle
