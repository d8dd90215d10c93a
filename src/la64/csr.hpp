// The control and status registers of a hypervisor, with the names of LoongArch vol. 1, "Control and Status Registers".
// Each struct has the title of its register's section. Numbers come from csr.inc, which assembly shares.
#pragma once
#include "base/bits.hpp"
#include "la64/csr.inc"

namespace bmbt::la64 {

template <u32 n>
struct Csr {
    static constexpr u32 number = n;
#if defined(__loongarch__)
    static u64 read() { return __builtin_loongarch_csrrd_d(n); }
    static u64 write(u64 value) { return __builtin_loongarch_csrwr_d(value, n); }  // gives the old value
    // Changes the bits of mask only, in one csrxchg; gives the old value.
    static u64 update(u64 mask, u64 value) { return __builtin_loongarch_csrxchg_d(value, mask, n); }
    static u64 update(Field f, u64 value) { return update(f.mask(), f(value)); }
    static u64 update(Bit b, bool value) { return update(b.mask(), b(value)); }
#endif
};

// Memory access types: strongly-ordered uncached, coherent cached, weakly-ordered uncached.
enum class Mat : u8 { Suc = 0, Cc = 1, Wuc = 2 };

struct Crmd : Csr<CSR_CRMD> {  // "Current Mode Information"
    static constexpr Field plv{0, 2}, datf{5, 2}, datm{7, 2};
    static constexpr Bit ie{2}, da{3}, pg{4}, we{9};
};
struct Prmd : Csr<CSR_PRMD> {  // "Pre-exception Mode Information"
    static constexpr Field pplv{0, 2};
    static constexpr Bit pie{2}, pwe{3};
};
struct Euen : Csr<CSR_EUEN> {  // "Extended Component Unit Enable"
    static constexpr Bit fpe{0}, sxe{1}, asxe{2}, bte{3};
};
struct Misc : Csr<CSR_MISC> {  // "Miscellaneous Controller"; the digit is the privilege level
    static constexpr Bit va32l1{1}, va32l2{2}, va32l3{3}, drdtl1{5}, drdtl2{6}, drdtl3{7};
    static constexpr Bit rpcntl1{9}, rpcntl2{10}, rpcntl3{11};
    static constexpr Bit alcl0{12}, alcl1{13}, alcl2{14}, alcl3{15}, dwpl0{16}, dwpl1{17}, dwpl2{18};
};
struct Ecfg : Csr<CSR_ECFG> {  // "Exception Configuration"
    static constexpr Field lie{0, 13}, vs{16, 3};
};
struct Estat : Csr<CSR_ESTAT> {  // "Exception Status"
    static constexpr Field is{0, 13}, ecode{16, 6}, esubcode{22, 9};
};
struct Era : Csr<CSR_ERA> {};    // "Exception Return Address"
struct Badv : Csr<CSR_BADV> {};  // "Bad Virtual Address"
struct Badi : Csr<CSR_BADI> {    // "Bad Instruction"
    static constexpr Field inst{0, 32};
};
struct Eentry : Csr<CSR_EENTRY> {};  // "Exception Entry Base Address": 4 KiB aligned

// "Table of Exception Encoding", in Estat::ecode. Interrupts have 64 and up as vectors, 0 here.
enum class Ecode : u8 {
    Int = 0x0,    // interrupt
    Pil = 0x1,    // page invalid for a load
    Pis = 0x2,    // page invalid for a store
    Pif = 0x3,    // page invalid for a fetch
    Pme = 0x4,    // page modification: a store where D = 0
    Pnr = 0x5,    // page not readable
    Pnx = 0x6,    // page not executable
    Ppi = 0x7,    // page privilege level illegal
    Ade = 0x8,    // address error; see EsubcodeAde
    Ale = 0x9,    // address alignment
    Bce = 0xa,    // bound check
    Sys = 0xb,    // syscall
    Brk = 0xc,    // break
    Ine = 0xd,    // instruction does not exist
    Ipe = 0xe,    // instruction privilege
    Fpd = 0xf,    // floating point disabled
    Sxd = 0x10,   // LSX disabled
    Asxd = 0x11,  // LASX disabled
    Fpe = 0x12,   // floating-point error; see EsubcodeFpe
    Wpe = 0x13,   // watchpoint; see EsubcodeWpe
    Btd = 0x14,   // binary translation disabled
    Bte = 0x15,   // binary translation related
    Gspr = 0x16,  // guest sensitive privileged resource
    Hvc = 0x17,   // hypervisor call
    Gcc = 0x18,   // guest CSR changed
};
enum class EsubcodeAde : u8 { Adef = 0, Adem = 1 };
enum class EsubcodeFpe : u8 { Fpe = 0, Vfpe = 1 };
enum class EsubcodeWpe : u8 { Wpef = 0, Wpem = 1 };

// "Interrupt Types": bit numbers in Estat::is and Ecfg::lie.
enum class Interrupt : u8 {
    Swi0 = 0,
    Swi1 = 1,
    Hwi0 = 2,
    Hwi1 = 3,
    Hwi2 = 4,
    Hwi3 = 5,
    Hwi4 = 6,
    Hwi5 = 7,
    Hwi6 = 8,
    Hwi7 = 9,
    Pmcov = 10,
    Timer = 11,
    Ipi = 12,
};
constexpr u64 line(Interrupt i) { return u64{1} << static_cast<u8>(i); }

struct Tlbidx : Csr<CSR_TLBIDX> {  // "TLB Index"
    static constexpr Field index{0, 16}, ps{24, 6};
    static constexpr Bit ne{31};
};
struct Tlbehi : Csr<CSR_TLBEHI> {  // "TLB Entry High-order Bits"
    static constexpr Field vppn{13, 35};
};
// One page of a pair: "TLB Entry Low-order Bits". The place of the page number is that of the address.
struct TlbLow {
    static constexpr Bit v{0}, d{1}, g{6}, nr{61}, nx{62}, rplv{63};
    static constexpr Field plv{2, 2}, mat{4, 2}, ppn{12, 48};
    static constexpr u64 frame = ((u64{1} << 48) - 1) & ~u64{0xfff};  // the physical address, PALEN at most 48
};
struct Tlbelo0 : Csr<CSR_TLBELO0>, TlbLow {};
struct Tlbelo1 : Csr<CSR_TLBELO1>, TlbLow {};
struct Asid : Csr<CSR_ASID> {  // "Address Space Identifier"
    static constexpr Field asid{0, 10}, asidbits{16, 8};
};
struct Pgdl : Csr<CSR_PGDL> {};  // "Page Global Directory Base Address for Lower Half Address Space"
struct Pgdh : Csr<CSR_PGDH> {};  // ... "for Higher Half Address Space"
struct Pgd : Csr<CSR_PGD> {};    // one of the two, by the bad address
struct Pwcl : Csr<CSR_PWCL> {    // "Page Walk Controller for Lower Half Address Space"
    static constexpr Field ptbase{0, 5}, ptwidth{5, 5}, dir1_base{10, 5}, dir1_width{15, 5};
    static constexpr Field dir2_base{20, 5}, dir2_width{25, 5}, ptewidth{30, 2};
};
struct Pwch : Csr<CSR_PWCH> {  // ... "for Higher Half Address Space"
    static constexpr Field dir3_base{0, 6}, dir3_width{6, 6}, dir4_base{12, 6}, dir4_width{18, 6};
};
struct Stlbps : Csr<CSR_STLBPS> {  // "STLB Page Size"
    static constexpr Field ps{0, 6};
};
struct Rvacfg : Csr<CSR_RVACFG> {  // "Reduced Virtual Address Configuration"
    static constexpr Field rbits{0, 4};
};
struct Cpuid : Csr<CSR_CPUID> {  // "CPU Identity"
    static constexpr Field core_id{0, 9};
};
struct Prcfg1 : Csr<CSR_PRCFG1> {  // "Privileged Resource Configuration 1"
    static constexpr Field save_num{0, 4}, timer_bits{4, 8}, vs_max{12, 3};
};
struct Prcfg2 : Csr<CSR_PRCFG2> {};  // bit i: pages of 2^i bytes exist
struct Prcfg3 : Csr<CSR_PRCFG3> {
    static constexpr Field tlb_type{0, 4}, mtlb_entries{4, 8}, stlb_ways{12, 8}, stlb_sets{20, 6};
};
template <u32 n>
    requires(n < 16)
struct Save : Csr<CSR_SAVE0 + n> {};  // "Data Save Register"

struct Tid : Csr<CSR_TID> {  // "Timer Identity"
    static constexpr Field tid{0, 32};
};
struct Tcfg : Csr<CSR_TCFG> {  // "Timer Configuration": counts down from init_val * 4
    static constexpr Bit en{0}, periodic{1};
    static constexpr Field init_val{2, 62};
};
struct Tval : Csr<CSR_TVAL> {};  // "Timer Value"
struct Cntc : Csr<CSR_CNTC> {};  // "Counter Compensation"
struct Ticlr : Csr<CSR_TICLR> {  // "Timer Interrupt Clearing"
    static constexpr Bit clr{0};
};
struct Llbctl : Csr<CSR_LLBCTL> {  // "LLBit Controller"
    static constexpr Bit rollb{0}, wcllb{1}, klo{2};
};
struct Impctl1 : Csr<CSR_IMPCTL1> {                  // "Implementation-specific Controller 1"
    static constexpr Field load_store_order{28, 3};  // 5 orders all loads and stores where CPUCFG3 reports it
};
struct Impctl2 : Csr<CSR_IMPCTL2> {};

struct Tlbrentry : Csr<CSR_TLBRENTRY> {};  // "TLB Refill Exception Entry Base Address": physical, 4 KiB aligned
struct Tlbrbadv : Csr<CSR_TLBRBADV> {};    // "TLB Refill Exception Bad Virtual Address"
struct Tlbrera : Csr<CSR_TLBRERA> {        // "TLB Refill Exception Return Address"
    static constexpr Bit is_tlbr{0};
    static constexpr u64 pc = ~u64{3};
};
struct Tlbrsave : Csr<CSR_TLBRSAVE> {};
struct Tlbrelo0 : Csr<CSR_TLBRELO0>, TlbLow {};
struct Tlbrelo1 : Csr<CSR_TLBRELO1>, TlbLow {};
struct Tlbrehi : Csr<CSR_TLBREHI> {  // "TLB Refill Exception Entry High-order Bits"
    static constexpr Field ps{0, 6}, vppn{13, 35};
};
struct Tlbrprmd : Csr<CSR_TLBRPRMD> {  // "TLB Refill Exception Pre-exception Mode Information"
    static constexpr Field pplv{0, 2};
    static constexpr Bit pie{2}, pwe{4};
};
struct Merrctl : Csr<CSR_MERRCTL> {  // "Machine Error Controller"
    static constexpr Bit is_merr{0}, repairable{1}, pie{4}, pwe{6}, pda{7}, ppg{8};
    static constexpr Field pplv{2, 2}, pdatf{9, 2}, pdatm{11, 2}, cause{16, 8};
};
struct Merrinfo1 : Csr<CSR_MERRINFO1> {};
struct Merrinfo2 : Csr<CSR_MERRINFO2> {};
struct Merrentry : Csr<CSR_MERRENTRY> {};  // physical, 4 KiB aligned
struct Merrera : Csr<CSR_MERRERA> {};
struct Merrsave : Csr<CSR_MERRSAVE> {};
struct Ctag : Csr<CSR_CTAG> {};  // "Cache Tags"

template <u32 n>
    requires(n < 4)
struct Dmw : Csr<CSR_DMW0 + n> {  // "Direct Mapping Configuration Window n"; 2 and 3 are for data only
    static constexpr Bit plv0{0}, plv1{1}, plv2{2}, plv3{3};
    static constexpr Field mat{4, 2}, vseg{60, 4};
};
template <u32 n>
    requires(n < 32)
struct Pmcfg : Csr<CSR_PMCFG0 + 2 * n> {  // "Performance Monitor Configuration n"
    static constexpr Field ev_code{0, 10};
    static constexpr Bit plv0{16}, plv1{17}, plv2{18}, plv3{19}, pmi_en{20};
};
template <u32 n>
    requires(n < 32)
struct Pmcnt : Csr<CSR_PMCNT0 + 2 * n> {};  // "Performance Monitor Overall Counter n"

struct Dbg : Csr<CSR_DBG> {  // "Debug Register"
    static constexpr Bit dst{0}, dei{8}, dcl{9}, dfw{10}, dmw{11};
    static constexpr Field drev{1, 7}, ecode{16, 6};
};
struct Dera : Csr<CSR_DERA> {};
struct Dsave : Csr<CSR_DSAVE> {};

// The operations of invtlb: LoongArch vol. 1, "INVTLB".
enum class Invtlb : u8 {
    All = 0,
    AllToo = 1,
    Global = 2,            // G = 1
    Local = 3,             // G = 0
    LocalOfAsid = 4,       // G = 0 and the ASID
    LocalOfAsidAt = 5,     // ... and the address
    GlobalOrOfAsidAt = 6,  // G = 1 or the ASID, and the address
};

}  // namespace bmbt::la64
