#include "gdb/description.hpp"

namespace bmbt::gdb {

namespace {

constexpr std::string_view eflags_type = R"xml(<flags id="i386_eflags" size="4">
<field name="CF" start="0" end="0"/>
<field name="PF" start="2" end="2"/>
<field name="AF" start="4" end="4"/>
<field name="ZF" start="6" end="6"/>
<field name="SF" start="7" end="7"/>
<field name="TF" start="8" end="8"/>
<field name="IF" start="9" end="9"/>
<field name="DF" start="10" end="10"/>
<field name="OF" start="11" end="11"/>
<field name="NT" start="14" end="14"/>
<field name="RF" start="16" end="16"/>
<field name="VM" start="17" end="17"/>
<field name="AC" start="18" end="18"/>
<field name="VIF" start="19" end="19"/>
<field name="VIP" start="20" end="20"/>
<field name="ID" start="21" end="21"/>
</flags>
)xml";

constexpr std::string_view sse_types = R"xml(<vector id="v4f" type="ieee_single" count="4"/>
<vector id="v2d" type="ieee_double" count="2"/>
<vector id="v16i8" type="int8" count="16"/>
<vector id="v8i16" type="int16" count="8"/>
<vector id="v4i32" type="int32" count="4"/>
<vector id="v2i64" type="int64" count="2"/>
<union id="vec128">
<field name="v4_float" type="v4f"/>
<field name="v2_double" type="v2d"/>
<field name="v16_int8" type="v16i8"/>
<field name="v8_int16" type="v8i16"/>
<field name="v4_int32" type="v4i32"/>
<field name="v2_int64" type="v2i64"/>
<field name="uint128" type="uint128"/>
</union>
<flags id="i386_mxcsr" size="4">
<field name="IE" start="0" end="0"/>
<field name="DE" start="1" end="1"/>
<field name="ZE" start="2" end="2"/>
<field name="OE" start="3" end="3"/>
<field name="UE" start="4" end="4"/>
<field name="PE" start="5" end="5"/>
<field name="DAZ" start="6" end="6"/>
<field name="IM" start="7" end="7"/>
<field name="DM" start="8" end="8"/>
<field name="ZM" start="9" end="9"/>
<field name="OM" start="10" end="10"/>
<field name="UM" start="11" end="11"/>
<field name="PM" start="12" end="12"/>
<field name="FZ" start="15" end="15"/>
</flags>
)xml";

// The debugger's own names, by which it knows an architecture.
constexpr std::string_view architectures[] = {"i386:x86-64", "i386", "i8086"};

}  // namespace

std::optional<Arch> arch_named(std::string_view name) {
    for (usize n = 0; n < std::size(arch_names); n++)
        if (arch_names[n] == name) return static_cast<Arch>(n);
    return {};
}

// Three features are the debugger's own, by which it knows an x86 processor; the last is shown as it is.
Description::Description(Arch arch) : arch_(arch) {
    text("<?xml version=\"1.0\"?>\n<!DOCTYPE target SYSTEM \"gdb-target.dtd\">\n<target version=\"1.0\">\n<architecture>");
    text(architectures[static_cast<usize>(arch)]);
    text("</architecture>\n");
    // The debugger has no operating system for it, and says so at length if it is let think of one.
    if (arch == Arch::I8086) text("<osabi>none</osabi>\n");
    text("<feature name=\"org.gnu.gdb.i386.core\">\n");
    core();
    text("</feature>\n<feature name=\"org.gnu.gdb.i386.sse\">\n");
    sse();
    text("</feature>\n");
    if (wide()) {
        text("<feature name=\"org.gnu.gdb.i386.segments\">\n");
        add("fs_base", reg::fs_base, 8, "int");
        add("gs_base", reg::gs_base, 8, "int");
        text("</feature>\n");
    }
    text("<feature name=\"org.bmbt.x86.system\">\n");
    system();
    text("</feature>\n</target>\n");
}

unsigned Description::number_of(u8 target) const {
    unsigned n = 0;
    while (n < count_ && registers_[n].target != target) n++;
    return n;
}

void Description::text(std::string_view s) {
    for (char c : s)
        if (size_ < room) xml_[size_++] = c;
}

void Description::number(unsigned n) {
    if (n >= 10) number(n / 10);
    const char digit[] = {static_cast<char>('0' + n % 10)};
    text({digit, 1});
}

void Description::add(std::string_view name, u8 target, unsigned bytes, std::string_view type, std::string_view group) {
    registers_[count_++] = {target, static_cast<u8>(bytes)};
    text("<reg name=\""), text(name);
    text("\" bitsize=\""), number(bytes * 8);
    text("\" type=\""), text(type);
    if (!group.empty()) text("\" group=\""), text(group);
    text("\"/>\n");
}

// Registers whose names end in a number, from `first` on.
void Description::add_numbered(std::string_view name, unsigned first, unsigned end, u8 target, unsigned bytes, std::string_view type) {
    for (unsigned n = first; n < end; n++) {
        char whole[8];
        usize size = name.copy(whole, sizeof whole - 2);
        if (n >= 10) whole[size++] = static_cast<char>('0' + n / 10);
        whole[size++] = static_cast<char>('0' + n % 10);
        add({whole, size}, static_cast<u8>(target + n - first), bytes, type);
    }
}

void Description::core() {
    using namespace reg;
    text(eflags_type);
    if (wide()) {
        constexpr std::string_view names[] = {"rax", "rbx", "rcx", "rdx", "rsi", "rdi"};
        for (u8 n = 0; n < std::size(names); n++) add(names[n], n, 8, "int64");
        add("rbp", rbp, 8, "data_ptr"), add("rsp", rsp, 8, "data_ptr");
        add_numbered("r", 8, 16, r8, 8, "int64");
        add("rip", rip, 8, "code_ptr");
    } else {
        add("eax", rax, 4, "int32"), add("ecx", rcx, 4, "int32"), add("edx", rdx, 4, "int32"), add("ebx", rbx, 4, "int32");
        add("esp", rsp, 4, "data_ptr"), add("ebp", rbp, 4, "data_ptr");
        add("esi", rsi, 4, "int32"), add("edi", rdi, 4, "int32");
        add("eip", pc(), 4, "code_ptr");
    }
    add("eflags", eflags, 4, "i386_eflags");
    constexpr std::string_view segments[] = {"cs", "ss", "ds", "es", "fs", "gs"};
    for (u8 n = 0; n < std::size(segments); n++) add(segments[n], cs + n, 4, "int32");
    add_numbered("st", 0, 8, st0, 10, "i387_ext");
    constexpr std::string_view x87[] = {"fctrl", "fstat", "ftag", "fiseg", "fioff", "foseg", "fooff", "fop"};
    for (u8 n = 0; n < std::size(x87); n++) add(x87[n], fctrl + n, 4, "int", "float");
}

void Description::sse() {
    text(sse_types);
    add_numbered("xmm", 0, wide() ? 16 : 8, reg::xmm0, 16, "vec128");
    add("mxcsr", reg::mxcsr, 4, "i386_mxcsr", "vector");
}

void Description::system() {
    using namespace reg;
    const unsigned bytes = wide() ? 8 : 4;
    auto one = [&](std::string_view name, u8 target) { add(name, target, bytes, wide() ? "int64" : "int32", "system"); };
    if (wide()) one("k_gs_base", kernel_gs_base);
    else one("fs_base", fs_base), one("gs_base", gs_base);
    one("cs_base", cs_base), one("ss_base", ss_base), one("ds_base", ds_base), one("es_base", es_base);
    one("gdtr_base", gdtr), one("idtr_base", idtr);
    one("cr0", cr0), one("cr2", cr2), one("cr3", cr3), one("cr4", cr4);
    if (wide()) one("cr8", cr8);
    one("efer", efer);
    one("dr0", dr0), one("dr1", dr0 + 1), one("dr2", dr0 + 2), one("dr3", dr0 + 3), one("dr6", dr6), one("dr7", dr7);
    if (arch_ == Arch::I8086) one("ip", rip);
    else one("linear_pc", linear_pc);
}

}  // namespace bmbt::gdb
