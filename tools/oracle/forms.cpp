#include "forms.hpp"

#include <stdio.h>
#include <stdlib.h>

namespace bmbt::oracle {
namespace {

struct Table {
    std::vector<Form> rows;
    std::string group;

    void add(const char* name, std::string opcode, std::string operands = "", std::string notes = "") {
        rows.push_back({name, std::move(opcode), std::move(operands), std::move(notes), group});
    }
    // Many rows that differ in name and last opcode byte.
    struct Named {
        const char* name;
        u8 opcode;
    };
    void each(std::string before, std::string after, std::string operands, std::string notes,
              std::vector<Named> names) {
        for (auto [name, opcode] : names) add(name, before + hex(opcode) + after, operands, notes);
    }
    static std::string hex(unsigned v) {
        char b[8];
        snprintf(b, sizeof b, "%02X", v);
        return b;
    }
};

constexpr const char* alu_names[] = {"add", "or", "adc", "sbb", "and", "sub", "xor", "cmp"};
constexpr const char* shift_names[] = {"rol", "ror", "rcl", "rcr", "shl", "shr", "sal", "sar"};
constexpr const char* condition_names[][3] = {
    {"jo", "seto", "cmovo"}, {"jno", "setno", "cmovno"}, {"jb", "setb", "cmovb"},    {"jnb", "setnb", "cmovnb"},
    {"jz", "setz", "cmovz"}, {"jnz", "setnz", "cmovnz"}, {"jbe", "setbe", "cmovbe"}, {"ja", "seta", "cmova"},
    {"js", "sets", "cmovs"}, {"jns", "setns", "cmovns"}, {"jp", "setp", "cmovp"},    {"jnp", "setnp", "cmovnp"},
    {"jl", "setl", "cmovl"}, {"jge", "setge", "cmovge"}, {"jle", "setle", "cmovle"}, {"jg", "setg", "cmovg"}};

void integer(Table& t) {
    t.group = "alu";
    for (unsigned n = 0; n < 8; n++) {
        const char *name = alu_names[n], *lock = n == 7 ? "" : "L";
        auto op = [&](unsigned low) { return Table::hex(n * 8 + low); };
        t.add(name, op(0) + " /r", "Eb,Gb", lock);
        t.add(name, op(1) + " /r", "Ev,Gv", lock);
        t.add(name, op(2) + " /r", "Gb,Eb");
        t.add(name, op(3) + " /r", "Gv,Ev");
        t.add(name, op(4) + " ib");
        t.add(name, op(5) + " iz", "v");
        std::string digit = " /" + std::to_string(n);
        t.add(name, "80" + digit + " ib", "Eb", lock);
        t.add(name, "81" + digit + " iz", "Ev", lock);
        t.add(name, "83" + digit + " ib", "Ev", lock);
        t.add(name, "82" + digit + " ib", "Eb", std::string(lock) + "6");
    }
    t.add("test", "84 /r", "Eb,Gb");
    t.add("test", "85 /r", "Ev,Gv");
    t.add("test", "A8 ib");
    t.add("test", "A9 iz", "v");
    t.add("test", "F6 /0 ib", "Eb");
    t.add("test", "F7 /0 iz", "Ev");
    t.add("not", "F6 /2", "Eb", "L");
    t.add("not", "F7 /2", "Ev", "L");
    t.add("neg", "F6 /3", "Eb", "L");
    t.add("neg", "F7 /3", "Ev", "L");
    t.add("inc", "FE /0", "Eb", "L");
    t.add("dec", "FE /1", "Eb", "L");
    t.add("inc", "FF /0", "Ev", "L");
    t.add("dec", "FF /1", "Ev", "L");
    t.add("inc", "40 +r", "v", "6");
    t.add("dec", "48 +r", "v", "6");
    t.group = "muldiv";
    t.each("", " /4", "Eb", "", {{"mul", 0xf6}});
    t.each("", " /4", "Ev", "", {{"mul", 0xf7}});
    t.each("", " /5", "Eb", "", {{"imul", 0xf6}});
    t.each("", " /5", "Ev", "", {{"imul", 0xf7}});
    t.each("", " /6", "Eb", "*", {{"div", 0xf6}});
    t.each("", " /6", "Ev", "*", {{"div", 0xf7}});
    t.each("", " /7", "Eb", "*", {{"idiv", 0xf6}});
    t.each("", " /7", "Ev", "*", {{"idiv", 0xf7}});
    t.add("imul", "0F AF /r", "Gv,Ev");
    t.add("imul", "69 /r iz", "Gv,Ev");
    t.add("imul", "6B /r ib", "Gv,Ev");
    t.group = "shift";
    for (unsigned n = 0; n < 8; n++) {
        std::string digit = " /" + std::to_string(n);
        t.add(shift_names[n], "C0" + digit + " ib", "Eb", "c");
        t.add(shift_names[n], "C1" + digit + " ib", "Ev", "c");
        t.add(shift_names[n], "D0" + digit, "Eb");
        t.add(shift_names[n], "D1" + digit, "Ev");
        t.add(shift_names[n], "D2" + digit, "Eb", "*");
        t.add(shift_names[n], "D3" + digit, "Ev", "*");
    }
    t.add("shld", "0F A4 /r ib", "Ev,Gv", "c");
    t.add("shld", "0F A5 /r", "Ev,Gv", "*");
    t.add("shrd", "0F AC /r ib", "Ev,Gv", "c");
    t.add("shrd", "0F AD /r", "Ev,Gv", "*");
    t.group = "bit";
    t.each("0F ", " /r", "Ev,Gv", "N", {{"bt", 0xa3}});
    t.each("0F ", " /r", "Ev,Gv", "NL", {{"bts", 0xab}, {"btr", 0xb3}, {"btc", 0xbb}});
    t.add("bt", "0F BA /4 ib", "Ev");
    t.add("bts", "0F BA /5 ib", "Ev", "L");
    t.add("btr", "0F BA /6 ib", "Ev", "L");
    t.add("btc", "0F BA /7 ib", "Ev", "L");
    t.add("bsf", "0F BC /r", "Gv,Ev");
    t.add("bsr", "0F BD /r", "Gv,Ev");
    t.add("popcnt", "F3: 0F B8 /r", "Gv,Ev");
    t.add("crc32", "F2: 0F 38 F0 /r", "Gv,Eb");
    t.add("crc32", "F2: 0F 38 F1 /r", "Gv,Ev");
    t.add("bswap", "0F C8 +r", "y");
    t.group = "condition";
    for (unsigned n = 0; n < 16; n++) {
        t.add(condition_names[n][0], Table::hex(0x70 + n) + " cb", "", "");
        t.add(condition_names[n][0], "0F " + Table::hex(0x80 + n) + " cz", "", "");
        t.add(condition_names[n][1], "0F " + Table::hex(0x90 + n) + " /r", "Eb");
        t.add(condition_names[n][2], "0F " + Table::hex(0x40 + n) + " /r", "Gv,Ev");
    }
    t.group = "near";  // with the other operand size, as in edge_forms.cpp
    for (unsigned n = 0; n < 16; n++) {
        t.add(condition_names[n][0], Table::hex(0x70 + n) + " cb", "v", "6");
        t.add(condition_names[n][0], "0F " + Table::hex(0x80 + n) + " cv", "v", "6");
    }
    t.group = "decimal";
    t.each("", "", "", "6", {{"daa", 0x27}, {"das", 0x2f}, {"aaa", 0x37}, {"aas", 0x3f}, {"salc", 0xd6}});
    t.each("", " ib", "", "6*", {{"aam", 0xd4}, {"aad", 0xd5}});
    t.group = "flag";
    t.each("", "", "", "",
           {{"cmc", 0xf5}, {"clc", 0xf8}, {"stc", 0xf9}, {"cld", 0xfc}, {"std", 0xfd}, {"sahf", 0x9e}, {"lahf", 0x9f}});
    t.each("", "", "v", "", {{"cbw", 0x98}, {"cwd", 0x99}});
}

void move(Table& t) {
    t.group = "mov";
    t.add("mov", "88 /r", "Eb,Gb");
    t.add("mov", "89 /r", "Ev,Gv");
    t.add("mov", "8A /r", "Gb,Eb");
    t.add("mov", "8B /r", "Gv,Ev");
    t.add("mov", "C6 /0 ib", "Eb");
    t.add("mov", "C7 /0 iz", "Ev");
    t.add("mov", "B0 +r ib");
    t.add("mov", "B8 +r iv", "v");
    t.add("mov", "A0 mo", "Mb");
    t.add("mov", "A1 mo", "Mv");
    t.add("mov", "A2 mo", "Mb");
    t.add("mov", "A3 mo", "Mv");
    t.add("mov", "8C /r", "Ev,Sw", "U*");
    t.add("movzx", "0F B6 /r", "Gv,Eb");
    t.add("movzx", "0F B7 /r", "Gv,Ew");
    t.add("movsx", "0F BE /r", "Gv,Eb");
    t.add("movsx", "0F BF /r", "Gv,Ew");
    t.add("movsxd", "63 /r", "Gv,Ed", "4");
    t.add("lea", "8D /r", "Gv,M0", "A");
    t.add("xchg", "86 /r", "Eb,Gb", "L");
    t.add("xchg", "87 /r", "Ev,Gv", "L");
    t.add("xchg", "90 +r", "v");
    t.add("xadd", "0F C0 /r", "Eb,Gb", "L");
    t.add("xadd", "0F C1 /r", "Ev,Gv", "L");
    t.add("cmpxchg", "0F B0 /r", "Eb,Gb", "L*");
    t.add("cmpxchg", "0F B1 /r", "Ev,Gv", "L*");
    t.add("cmpxchg8b", "0F C7 /1", "Mq", "L*");
    t.add("cmpxchg16b", "W 0F C7 /1", "Mx", "L4*");
    t.add("movnti", "0F C3 /r", "My,Gy");
    t.add("nop", "0F 1F /0", "Ev");
    t.add("nop", "90");
    t.add("pause", "F3: 90");
    t.each("0F 18 /", "", "M0", "", {{"prefetchnta", 0}, {"prefetcht0", 1}, {"prefetcht1", 2}, {"prefetcht2", 3}});
    t.add("prefetchw", "0F 0D /1", "M0");
    t.add("clflush", "0F AE /7", "Mb");
    t.add("lfence", "0F AE E8");
    t.add("mfence", "0F AE F0");
    t.add("sfence", "0F AE F8");
    t.add("rdfsbase", "F3: 0F AE /0", "Rv", "4");
    t.add("rdgsbase", "F3: 0F AE /1", "Rv", "4");

    t.group = "stack";
    t.add("push", "50 +r", "v", "FS");
    t.add("pop", "58 +r", "v", "FS");
    t.add("push", "FF /6", "Ev", "FS");
    t.add("pop", "8F /0", "Ev", "FS");
    t.add("push", "68 iz", "v", "FS");
    t.add("push", "6A ib", "v", "FS");
    t.add("pusha", "60", "v", "6S");
    t.add("popa", "61", "v", "6S");
    t.add("pushf", "9C", "v", "FSU");
    t.add("popf", "9D", "v", "FSU*");
    t.add("enter", "C8 iw ib", "v", "FS*");
    t.add("leave", "C9", "v", "FS*");
    t.each("", "", "v", "6SU", {{"push es", 0x06}, {"push cs", 0x0e}, {"push ss", 0x16}, {"push ds", 0x1e}});
    t.each("0F ", "", "v", "FSU", {{"push fs", 0xa0}, {"push gs", 0xa8}});

    t.group = "branch";
    t.add("jmp", "EB cb");
    t.add("jmp", "E9 cz");
    t.add("call", "E8 cz", "", "S");
    t.add("loopne", "E0 cb", "", "A");
    t.add("loope", "E1 cb", "", "A");
    t.add("loop", "E2 cb", "", "A");
    t.add("jcxz", "E3 cb", "", "A");
    t.add("ret", "C3", "", "S*");
    t.add("ret", "C2 iw", "", "S*");
    t.add("jmp", "FF /4", "Ev", "FI");
    t.add("call", "FF /2", "Ev", "FIS");

    t.group = "string";
    t.each("", "", "b", "TA", {{"movsb", 0xa4}, {"cmpsb", 0xa6}, {"stosb", 0xaa}, {"lodsb", 0xac}, {"scasb", 0xae}});
    t.each("", "", "v", "TA", {{"movs", 0xa5}, {"cmps", 0xa7}, {"stos", 0xab}, {"lods", 0xad}, {"scas", 0xaf}});
    t.add("xlat", "D7", "b", "A*");

    t.group = "segment";
    t.add("mov", "8E /r", "Sw,Ew", "U*");
    t.each("", "", "v", "6SU*", {{"pop es", 0x07}, {"pop ss", 0x17}, {"pop ds", 0x1f}});
    t.each("0F ", "", "v", "FSU*", {{"pop fs", 0xa1}, {"pop gs", 0xa9}});
    t.add("les", "C4 /r", "Gz,Mp", "6U*");
    t.add("lds", "C5 /r", "Gz,Mp", "6U*");
    t.each("0F ", " /r", "Gz,Mp", "U*", {{"lss", 0xb2}, {"lfs", 0xb4}, {"lgs", 0xb5}});
    t.add("lar", "0F 02 /r", "Gv,Ew", "U*");
    t.add("lsl", "0F 03 /r", "Gv,Ew", "U*");
    t.add("verr", "0F 00 /4", "Ew", "U*");
    t.add("verw", "0F 00 /5", "Ew", "U*");
    t.add("arpl", "63 /r", "Ew,Gw", "6");

    t.group = "fault";
    t.add("ud2", "0F 0B");
    t.add("into", "CE", "", "6");
    t.add("bound", "62 /r", "Gz,Mp", "6*");
    t.each("", "", "", "U",
           {{"hlt", 0xf4}, {"cli", 0xfa}, {"sti", 0xfb}, {"in", 0xec}, {"out", 0xee}});
    t.each("", "", "v", "U", {{"in", 0xed}, {"out", 0xef}});
    t.each("", " ib", "", "U", {{"in", 0xe4}, {"out", 0xe6}});
    t.each("", " ib", "v", "U", {{"in", 0xe5}, {"out", 0xe7}});
    t.each("0F ", "", "", "U", {{"clts", 0x06}, {"invd", 0x08}, {"wbinvd", 0x09}, {"wrmsr", 0x30}, {"rdmsr", 0x32}});
    t.add("mov", "0F 20 C0", "", "U");
    t.add("mov", "0F 22 D8", "", "U");
    t.add("mov", "0F 21 C0", "", "U");
    t.add("lgdt", "0F 01 /2", "M10", "U");
    t.add("lidt", "0F 01 /3", "M10", "U");
    t.add("lmsw", "0F 01 /6", "Ew", "U");
    t.add("invlpg", "0F 01 /7", "M0", "U");
    t.add("lldt", "0F 00 /2", "Ew", "U");
    t.add("ltr", "0F 00 /3", "Ew", "U");
    t.add("lock", "F0 01 C0");  // LOCK on a register is no instruction
}

void x87(Table& t) {
    t.group = "x87";
    static constexpr const char* arithmetic[] = {"fadd", "fmul", "fcom", "fcomp", "fsub", "fsubr", "fdiv", "fdivr"};
    static constexpr const char* integer[] = {"fiadd", "fimul",  "ficom", "ficomp",
                                              "fisub", "fisubr", "fidiv", "fidivr"};
    for (unsigned n = 0; n < 8; n++) {
        std::string digit = " /" + std::to_string(n);
        t.add(arithmetic[n], "D8" + digit, "Md", "Xs");
        t.add(arithmetic[n], "DC" + digit, "Mq", "Xd");
        t.add(integer[n], "DA" + digit, "Md", "X");
        t.add(integer[n], "DE" + digit, "Mw", "X");
        t.add(arithmetic[n], "D8 " + Table::hex(0xc0 + n * 8) + " +i", "", "X");
        if (n == 2 || n == 3) continue;
        t.add(arithmetic[n], "DC " + Table::hex(0xc0 + n * 8) + " +i", "", "X");
        t.add(arithmetic[n], "DE " + Table::hex(0xc0 + n * 8) + " +i", "", "X");
    }
    t.add("fld", "D9 /0", "Md", "Xs");
    t.add("fld", "DD /0", "Mq", "Xd");
    t.add("fld", "DB /5", "Mt", "X*");
    t.add("fst", "D9 /2", "Md", "X");
    t.add("fst", "DD /2", "Mq", "X");
    t.add("fstp", "D9 /3", "Md", "X");
    t.add("fstp", "DD /3", "Mq", "X");
    t.add("fstp", "DB /7", "Mt", "X");
    t.each("", " /0", "Mw", "X", {{"fild", 0xdf}});
    t.each("", " /0", "Md", "X", {{"fild", 0xdb}});
    t.each("", " /5", "Mq", "X", {{"fild", 0xdf}});
    t.each("", " /2", "Mw", "X", {{"fist", 0xdf}});
    t.each("", " /2", "Md", "X", {{"fist", 0xdb}});
    t.each("", " /3", "Mw", "X", {{"fistp", 0xdf}});
    t.each("", " /3", "Md", "X", {{"fistp", 0xdb}});
    t.each("", " /7", "Mq", "X", {{"fistp", 0xdf}});
    t.each("", " /1", "Mw", "X", {{"fisttp", 0xdf}});
    t.each("", " /1", "Md", "X", {{"fisttp", 0xdb}});
    t.each("", " /1", "Mq", "X", {{"fisttp", 0xdd}});
    t.add("fbld", "DF /4", "Mt", "X*");
    t.add("fbstp", "DF /6", "Mt", "X");
    t.each("D9 ", " +i", "", "X", {{"fld", 0xc0}, {"fxch", 0xc8}});
    t.each("DD ", " +i", "", "X", {{"ffree", 0xc0}, {"fst", 0xd0}, {"fstp", 0xd8}, {"fucom", 0xe0}, {"fucomp", 0xe8}});
    t.each("DA ", " +i", "", "X", {{"fcmovb", 0xc0}, {"fcmove", 0xc8}, {"fcmovbe", 0xd0}, {"fcmovu", 0xd8}});
    t.each("DB ", " +i", "", "X",
           {{"fcmovnb", 0xc0},
            {"fcmovne", 0xc8},
            {"fcmovnbe", 0xd0},
            {"fcmovnu", 0xd8},
            {"fucomi", 0xe8},
            {"fcomi", 0xf0}});
    t.each("DF ", " +i", "", "X", {{"fucomip", 0xe8}, {"fcomip", 0xf0}});
    t.add("fcompp", "DE D9", "", "X");
    t.add("fucompp", "DA E9", "", "X");
    t.each("D9 ", "", "", "X",
           {{"fnop", 0xd0},    {"fchs", 0xe0},   {"fabs", 0xe1},    {"ftst", 0xe4},    {"fxam", 0xe5},
            {"fld1", 0xe8},    {"fldl2t", 0xe9}, {"fldl2e", 0xea},  {"fldpi", 0xeb},   {"fldlg2", 0xec},
            {"fldln2", 0xed},  {"fldz", 0xee},   {"fxtract", 0xf4}, {"fprem1", 0xf5},  {"fdecstp", 0xf6},
            {"fincstp", 0xf7}, {"fprem", 0xf8},  {"fsqrt", 0xfa},   {"frndint", 0xfc}, {"fscale", 0xfd}});
    t.each("DB ", "", "", "X", {{"fnclex", 0xe2}, {"fninit", 0xe3}});
    t.add("fnstsw", "DF E0", "", "X");
    t.add("fnstsw", "DD /7", "Mw", "X");
    t.add("fnstcw", "D9 /7", "Mw", "X");
    t.add("fldcw", "D9 /5", "Mw", "X*");
    t.add("fwait", "9B", "", "X");
    t.add("fnstenv", "D9 /6", "M28,v", "X");
    t.add("fnsave", "DD /6", "M108,v", "X");
    t.add("fldenv", "D9 /4", "M28,v", "X*");
    t.add("frstor", "DD /4", "M108,v", "X*");
    t.add("fxsave", "0F AE /0", "M512", "X");
    t.add("fxrstor", "0F AE /1", "M512", "X*");
    t.group = "transcendental";
    t.each("D9 ", "", "", "X",
           {{"f2xm1", 0xf0},
            {"fyl2x", 0xf1},
            {"fptan", 0xf2},
            {"fpatan", 0xf3},
            {"fyl2xp1", 0xf9},
            {"fsincos", 0xfb},
            {"fsin", 0xfe},
            {"fcos", 0xff}});
}

// Instructions that exist for MMX and, with 66, for XMM registers.
void integer_vectors(Table& t) {
    static const std::vector<Table::Named> both[] = {
        {{"punpcklbw", 0x60}, {"punpcklwd", 0x61}, {"punpckldq", 0x62}, {"packsswb", 0x63},  {"pcmpgtb", 0x64},
         {"pcmpgtw", 0x65},   {"pcmpgtd", 0x66},   {"packuswb", 0x67},  {"punpckhbw", 0x68}, {"punpckhwd", 0x69},
         {"punpckhdq", 0x6a}, {"packssdw", 0x6b},  {"pcmpeqb", 0x74},   {"pcmpeqw", 0x75},   {"pcmpeqd", 0x76},
         {"psrlw", 0xd1},     {"psrld", 0xd2},     {"psrlq", 0xd3},     {"paddq", 0xd4},     {"pmullw", 0xd5},
         {"psubusb", 0xd8},   {"psubusw", 0xd9},   {"pminub", 0xda},    {"pand", 0xdb},      {"paddusb", 0xdc},
         {"paddusw", 0xdd},   {"pmaxub", 0xde},    {"pandn", 0xdf},     {"pavgb", 0xe0},     {"psraw", 0xe1},
         {"psrad", 0xe2},     {"pavgw", 0xe3},     {"pmulhuw", 0xe4},   {"pmulhw", 0xe5},    {"psubsb", 0xe8},
         {"psubsw", 0xe9},    {"pminsw", 0xea},    {"por", 0xeb},       {"paddsb", 0xec},    {"paddsw", 0xed},
         {"pmaxsw", 0xee},    {"pxor", 0xef},      {"psllw", 0xf1},     {"pslld", 0xf2},     {"psllq", 0xf3},
         {"pmuludq", 0xf4},   {"pmaddwd", 0xf5},   {"psadbw", 0xf6},    {"psubb", 0xf8},     {"psubw", 0xf9},
         {"psubd", 0xfa},     {"psubq", 0xfb},     {"paddb", 0xfc},     {"paddw", 0xfd},     {"paddd", 0xfe}},
        {{"pshufb", 0x00},
         {"phaddw", 0x01},
         {"phaddd", 0x02},
         {"phaddsw", 0x03},
         {"pmaddubsw", 0x04},
         {"phsubw", 0x05},
         {"phsubd", 0x06},
         {"phsubsw", 0x07},
         {"psignb", 0x08},
         {"psignw", 0x09},
         {"psignd", 0x0a},
         {"pmulhrsw", 0x0b},
         {"pabsb", 0x1c},
         {"pabsw", 0x1d},
         {"pabsd", 0x1e}}};
    for (unsigned map = 0; map < 2; map++) {
        std::string opcode = map ? "0F 38 " : "0F ";
        t.group = "mmx";
        for (auto [name, byte] : both[map]) {
            bool low = map == 0 && byte >= 0x60 && byte <= 0x62;
            t.add(name, opcode + Table::hex(byte) + " /r", low ? "Pq,Qd" : "Pq,Qq", "X");
        }
        t.group = "ssei";
        t.each("66: " + opcode, " /r", "Vx,Wx", "", both[map]);
    }
    static constexpr struct {
        const char* name;
        u8 opcode, digit;
    } shifts[] = {{"psrlw", 0x71, 2}, {"psraw", 0x71, 4}, {"psllw", 0x71, 6}, {"psrld", 0x72, 2},  {"psrad", 0x72, 4},
                  {"pslld", 0x72, 6}, {"psrlq", 0x73, 2}, {"psllq", 0x73, 6}, {"psrldq", 0x73, 3}, {"pslldq", 0x73, 7}};
    for (auto [name, opcode, digit] : shifts) {
        std::string form = "0F " + Table::hex(opcode) + " /" + std::to_string(digit) + " ib";
        t.group = "ssei";
        t.add(name, "66: " + form, "Ux", "c");
        t.group = "mmx";
        if (!(digit & 1)) t.add(name, form, "Nq", "Xc");
    }
    t.group = "mmx";
    t.add("palignr", "0F 3A 0F /r ib", "Pq,Qq", "Xc");
    t.add("pshufw", "0F 70 /r ib", "Pq,Qq", "X");
    t.add("movd", "0F 6E /r", "Pq,Ey", "X");
    t.add("movd", "0F 7E /r", "Ey,Pq", "X");
    t.add("movq", "0F 6F /r", "Pq,Qq", "X");
    t.add("movq", "0F 7F /r", "Qq,Pq", "X");
    t.add("pinsrw", "0F C4 /r ib", "Pq,Rd", "X");
    t.add("pinsrw", "0F C4 /r ib", "Pq,Mw", "X");
    t.add("pextrw", "0F C5 /r ib", "Gd,Nq", "X");
    t.add("pmovmskb", "0F D7 /r", "Gd,Nq", "X");
    t.add("maskmovq", "0F F7 /r", "Pq,Nq", "XA*");
    t.add("movntq", "0F E7 /r", "Mq,Pq", "X");
    t.add("emms", "0F 77", "", "X");
    t.add("movq2dq", "F3: 0F D6 /r", "Vx,Nq", "X");
    t.add("movdq2q", "F2: 0F D6 /r", "Pq,Ux", "X");

    t.group = "ssei";
    t.each("66: 0F ", " /r", "Vx,Wx", "", {{"punpcklqdq", 0x6c}, {"punpckhqdq", 0x6d}});
    t.add("pshufd", "66: 0F 70 /r ib", "Vx,Wx");
    t.add("pshufhw", "F3: 0F 70 /r ib", "Vx,Wx");
    t.add("pshuflw", "F2: 0F 70 /r ib", "Vx,Wx");
    t.add("palignr", "66: 0F 3A 0F /r ib", "Vx,Wx", "c");
    t.add("movd", "66: 0F 6E /r", "Vx,Ey");
    t.add("movd", "66: 0F 7E /r", "Ey,Vx");
    t.add("movq", "F3: 0F 7E /r", "Vx,Wq");
    t.add("movq", "66: 0F D6 /r", "Wq,Vx");
    t.add("movdqa", "66: 0F 6F /r", "Vx,Wx");
    t.add("movdqa", "66: 0F 7F /r", "Wx,Vx");
    t.add("movdqu", "F3: 0F 6F /r", "Vx,Wu");
    t.add("movdqu", "F3: 0F 7F /r", "Wu,Vx");
    t.add("lddqu", "F2: 0F F0 /r", "Vx,Mu");
    t.add("movntdq", "66: 0F E7 /r", "Mx,Vx");
    t.add("movntdqa", "66: 0F 38 2A /r", "Vx,Mx");
    t.add("pinsrw", "66: 0F C4 /r ib", "Vx,Rd");
    t.add("pinsrw", "66: 0F C4 /r ib", "Vx,Mw");
    t.add("pextrw", "66: 0F C5 /r ib", "Gd,Ux");
    t.add("pmovmskb", "66: 0F D7 /r", "Gd,Ux");
    t.add("maskmovdqu", "66: 0F F7 /r", "Vx,Ux", "A*");
    t.add("pinsrb", "66: 0F 3A 20 /r ib", "Vx,Rd");
    t.add("pinsrb", "66: 0F 3A 20 /r ib", "Vx,Mb");
    t.add("pinsrd", "66: 0F 3A 22 /r ib", "Vx,Ey");
    t.add("pextrb", "66: 0F 3A 14 /r ib", "Rd,Vx");
    t.add("pextrb", "66: 0F 3A 14 /r ib", "Mb,Vx");
    t.add("pextrw", "66: 0F 3A 15 /r ib", "Rd,Vx");
    t.add("pextrw", "66: 0F 3A 15 /r ib", "Mw,Vx");
    t.add("pextrd", "66: 0F 3A 16 /r ib", "Ey,Vx");
    t.each("66: 0F 38 ", " /r", "Vx,Wx", "",
           {{"pblendvb", 0x10},
            {"blendvps", 0x14},
            {"blendvpd", 0x15},
            {"ptest", 0x17},
            {"pmuldq", 0x28},
            {"pcmpeqq", 0x29},
            {"packusdw", 0x2b},
            {"pcmpgtq", 0x37},
            {"pminsb", 0x38},
            {"pminsd", 0x39},
            {"pminuw", 0x3a},
            {"pminud", 0x3b},
            {"pmaxsb", 0x3c},
            {"pmaxsd", 0x3d},
            {"pmaxuw", 0x3e},
            {"pmaxud", 0x3f},
            {"pmulld", 0x40},
            {"phminposuw", 0x41}});
    t.each("66: 0F 38 ", " /r", "Vx,Wq", "",
           {{"pmovsxbw", 0x20},
            {"pmovsxwd", 0x23},
            {"pmovsxdq", 0x25},
            {"pmovzxbw", 0x30},
            {"pmovzxwd", 0x33},
            {"pmovzxdq", 0x35}});
    t.each("66: 0F 38 ", " /r", "Vx,Wd", "",
           {{"pmovsxbd", 0x21}, {"pmovsxwq", 0x24}, {"pmovzxbd", 0x31}, {"pmovzxwq", 0x34}});
    t.each("66: 0F 38 ", " /r", "Vx,Ww", "", {{"pmovsxbq", 0x22}, {"pmovzxbq", 0x32}});
    t.each("66: 0F 3A ", " /r ib", "Vx,Wx", "",
           {{"blendps", 0x0c}, {"blendpd", 0x0d}, {"pblendw", 0x0e}, {"mpsadbw", 0x42}});
    t.group = "string42";
    t.each("66: 0F 3A ", " /r ib", "Vx,Wu", "*",
           {{"pcmpestrm", 0x60}, {"pcmpestri", 0x61}, {"pcmpistrm", 0x62}, {"pcmpistri", 0x63}});
    t.each("W 66: 0F 3A ", " /r ib", "Vx,Wu", "4*", {{"pcmpestrm", 0x60}, {"pcmpestri", 0x61}});  // lengths of 64 bits
}

void float_vectors(Table& t) {
    t.group = "ssef";
    static const std::vector<Table::Named> four = {{"sqrt", 0x51}, {"add", 0x58}, {"mul", 0x59}, {"sub", 0x5c},
                                                   {"min", 0x5d},  {"div", 0x5e}, {"max", 0x5f}};
    for (auto [name, byte] : four) {
        std::string rest = "0F " + Table::hex(byte) + " /r";
        t.add(name, rest, "Vx,Wx", "s");
        t.add(name, "66: " + rest, "Vx,Wx", "d");
        t.add(name, "F3: " + rest, "Vx,Wd", "s");
        t.add(name, "F2: " + rest, "Vx,Wq", "d");
    }
    t.add("cmpps", "0F C2 /r ib", "Vx,Wx", "s*");
    t.add("cmppd", "66: 0F C2 /r ib", "Vx,Wx", "d*");
    t.add("cmpss", "F3: 0F C2 /r ib", "Vx,Wd", "s*");
    t.add("cmpsd", "F2: 0F C2 /r ib", "Vx,Wq", "d*");
    t.each("0F ", " /r", "Vx,Wd", "s", {{"ucomiss", 0x2e}, {"comiss", 0x2f}});
    t.each("66: 0F ", " /r", "Vx,Wq", "d", {{"ucomisd", 0x2e}, {"comisd", 0x2f}});
    t.each("0F ", " /r", "Vx,Wx", "s", {{"rsqrtps", 0x52}, {"rcpps", 0x53}});
    t.each("F3: 0F ", " /r", "Vx,Wd", "s", {{"rsqrtss", 0x52}, {"rcpss", 0x53}});
    t.each(
        "0F ", " /r", "Vx,Wx", "s",
        {{"andps", 0x54}, {"andnps", 0x55}, {"orps", 0x56}, {"xorps", 0x57}, {"unpcklps", 0x14}, {"unpckhps", 0x15}});
    t.each(
        "66: 0F ", " /r", "Vx,Wx", "d",
        {{"andpd", 0x54}, {"andnpd", 0x55}, {"orpd", 0x56}, {"xorpd", 0x57}, {"unpcklpd", 0x14}, {"unpckhpd", 0x15}});
    t.add("shufps", "0F C6 /r ib", "Vx,Wx", "s");
    t.add("shufpd", "66: 0F C6 /r ib", "Vx,Wx", "d");
    t.add("movaps", "0F 28 /r", "Vx,Wx");
    t.add("movaps", "0F 29 /r", "Wx,Vx");
    t.add("movapd", "66: 0F 28 /r", "Vx,Wx");
    t.add("movapd", "66: 0F 29 /r", "Wx,Vx");
    t.add("movups", "0F 10 /r", "Vx,Wu");
    t.add("movups", "0F 11 /r", "Wu,Vx");
    t.add("movupd", "66: 0F 10 /r", "Vx,Wu");
    t.add("movupd", "66: 0F 11 /r", "Wu,Vx");
    t.add("movss", "F3: 0F 10 /r", "Vx,Wd");
    t.add("movss", "F3: 0F 11 /r", "Wd,Vx");
    t.add("movsd", "F2: 0F 10 /r", "Vx,Wq");
    t.add("movsd", "F2: 0F 11 /r", "Wq,Vx");
    t.add("movlps", "0F 12 /r", "Vx,Wq");
    t.add("movlps", "0F 13 /r", "Mq,Vx");
    t.add("movhps", "0F 16 /r", "Vx,Wq");
    t.add("movhps", "0F 17 /r", "Mq,Vx");
    t.add("movlpd", "66: 0F 12 /r", "Vx,Mq");
    t.add("movlpd", "66: 0F 13 /r", "Mq,Vx");
    t.add("movhpd", "66: 0F 16 /r", "Vx,Mq");
    t.add("movhpd", "66: 0F 17 /r", "Mq,Vx");
    t.add("movddup", "F2: 0F 12 /r", "Vx,Wq");
    t.add("movsldup", "F3: 0F 12 /r", "Vx,Wx");
    t.add("movshdup", "F3: 0F 16 /r", "Vx,Wx");
    t.add("movntps", "0F 2B /r", "Mx,Vx");
    t.add("movntpd", "66: 0F 2B /r", "Mx,Vx");
    t.add("movmskps", "0F 50 /r", "Gy,Ux");
    t.add("movmskpd", "66: 0F 50 /r", "Gy,Ux");
    t.add("addsubps", "F2: 0F D0 /r", "Vx,Wx", "s");
    t.add("addsubpd", "66: 0F D0 /r", "Vx,Wx", "d");
    t.each("F2: 0F ", " /r", "Vx,Wx", "s", {{"haddps", 0x7c}, {"hsubps", 0x7d}});
    t.each("66: 0F ", " /r", "Vx,Wx", "d", {{"haddpd", 0x7c}, {"hsubpd", 0x7d}});
    t.add("insertps", "66: 0F 3A 21 /r ib", "Vx,Wd", "s");
    t.add("extractps", "66: 0F 3A 17 /r ib", "Ed,Vx", "s");
    t.add("roundps", "66: 0F 3A 08 /r ib", "Vx,Wx", "s*");
    t.add("roundpd", "66: 0F 3A 09 /r ib", "Vx,Wx", "d*");
    t.add("roundss", "66: 0F 3A 0A /r ib", "Vx,Wd", "s*");
    t.add("roundsd", "66: 0F 3A 0B /r ib", "Vx,Wq", "d*");
    t.add("dpps", "66: 0F 3A 40 /r ib", "Vx,Wx", "s");
    t.add("dppd", "66: 0F 3A 41 /r ib", "Vx,Wx", "d");
    t.add("ldmxcsr", "0F AE /2", "Md", "*");
    t.add("stmxcsr", "0F AE /3", "Md");

    t.group = "convert";
    t.add("cvtps2pd", "0F 5A /r", "Vx,Wq", "s");
    t.add("cvtpd2ps", "66: 0F 5A /r", "Vx,Wx", "d");
    t.add("cvtss2sd", "F3: 0F 5A /r", "Vx,Wd", "s");
    t.add("cvtsd2ss", "F2: 0F 5A /r", "Vx,Wq", "d");
    t.add("cvtdq2ps", "0F 5B /r", "Vx,Wx");
    t.add("cvtps2dq", "66: 0F 5B /r", "Vx,Wx", "s");
    t.add("cvttps2dq", "F3: 0F 5B /r", "Vx,Wx", "s");
    t.add("cvttpd2dq", "66: 0F E6 /r", "Vx,Wx", "d");
    t.add("cvtdq2pd", "F3: 0F E6 /r", "Vx,Wq");
    t.add("cvtpd2dq", "F2: 0F E6 /r", "Vx,Wx", "d");
    t.add("cvtpi2ps", "0F 2A /r", "Vx,Qq", "X");
    t.add("cvtpi2pd", "66: 0F 2A /r", "Vx,Qq", "X");
    t.add("cvtsi2ss", "F3: 0F 2A /r", "Vx,Ey");
    t.add("cvtsi2sd", "F2: 0F 2A /r", "Vx,Ey");
    t.add("cvttps2pi", "0F 2C /r", "Pq,Wq", "Xs");
    t.add("cvttpd2pi", "66: 0F 2C /r", "Pq,Wx", "Xd");
    t.add("cvttss2si", "F3: 0F 2C /r", "Gy,Wd", "s");
    t.add("cvttsd2si", "F2: 0F 2C /r", "Gy,Wq", "d");
    t.add("cvtps2pi", "0F 2D /r", "Pq,Wq", "Xs");
    t.add("cvtpd2pi", "66: 0F 2D /r", "Pq,Wx", "Xd");
    t.add("cvtss2si", "F3: 0F 2D /r", "Gy,Wd", "s");
    t.add("cvtsd2si", "F2: 0F 2D /r", "Gy,Wq", "d");
}

}  // namespace

const std::vector<Form>& forms() {
    static const std::vector<Form> all = [] {
        Table t;
        integer(t);
        move(t);
        x87(t);
        integer_vectors(t);
        float_vectors(t);
        add_edge_forms(t.rows);
        return t.rows;
    }();
    return all;
}

}  // namespace bmbt::oracle
