# Debian's real programs: python3 and parts of its own test suite, perl, openssl, sqlite3, gcc. Its output must be the
# same wherever it runs.
say() { echo "== $*"; }

say python3
python3 - <<'PYTHON'
import decimal, fractions, hashlib, json, math, random, re, struct, zlib
print([math.sin(x) for x in (0.1, 1, 10, 1e5)], math.exp(1), math.gamma(0.3), math.erf(0.5))
print(sum(1.0 / n for n in range(1, 20001)), math.fsum([0.1] * 10), float("1e-310") / 3, 2.0 ** -1074)
print(struct.pack("<dfe", 1 / 3, 1 / 3, 1 / 3).hex(), (0.1).hex(), float.fromhex("0x1.8p-1"))
print(pow(3, 500), math.factorial(60), (1 << 300) // 12345678901234567, math.isqrt(10 ** 61), hash("x") == hash("x"))
print(decimal.Decimal(2).sqrt(decimal.Context(50)), fractions.Fraction(1, 3) + fractions.Fraction(2, 7))
random.seed(7)
numbers = [random.random() for _ in range(20000)]
print(sum(sorted(numbers)[:5]), hashlib.sha256(json.dumps(numbers).encode()).hexdigest())
data = bytes(i * i & 255 for i in range(300000))
print(zlib.crc32(data), len(zlib.compress(data)), hashlib.md5(data).hexdigest(), hashlib.blake2b(data).hexdigest()[:32])
print(re.sub(r"(\w+) (\w+)", r"\2 \1", "one two three four"), sorted({"b": 1, "a": 2}.items()))
try:
    1 / 0
except ZeroDivisionError as e:
    print(e)
PYTHON
for test in test_math test_float test_int test_struct test_json test_re test_hashlib test_threading; do
    if python3 -m test -q $test > log 2>&1; then echo "$test passed"; else echo "$test failed"; tail -n 30 log; fi
done

say perl
perl -e '
    my %count; my $text = join " ", map { ($_ * 7919) % 101 } 1 .. 20000;
    $count{$_}++ for split " ", $text;
    printf "%s:%d ", $_, $count{$_} for (sort { $count{$b} <=> $count{$a} || $a <=> $b } keys %count)[0 .. 4];
    print "\n", scalar(() = $text =~ /\b(\d)\d\b/g), "\n";
    printf "%.15g %.15g %s\n", sqrt(2), atan2(1, 2), 1e15 / 7;
    print join(",", map { sprintf "%vd", pack "U", $_ } 65, 955), " ", unpack("%32C*", $text), "\n";
    sub fib { my $n = shift; $n < 2 ? $n : fib($n - 1) + fib($n - 2) } print fib(20), "\n";'

say openssl
seq 1 100000 > data
for digest in md5 sha1 sha256 sha512 sha3-256 blake2s256 sm3; do openssl dgst -$digest data; done
openssl enc -aes-256-cbc -K 000102030405060708090a0b0c0d0e0f000102030405060708090a0b0c0d0e0f \
    -iv 000102030405060708090a0b0c0d0e0f -in data | openssl dgst -sha256
openssl enc -chacha20 -K 000102030405060708090a0b0c0d0e0f000102030405060708090a0b0c0d0e0f \
    -iv 000102030405060708090a0b0c0d0e0f -in data | openssl dgst -sha256
for kind in "RSA -pkeyopt rsa_keygen_bits:2048" "EC -pkeyopt ec_paramgen_curve:P-256"; do
    openssl genpkey -algorithm $kind -out key 2>/dev/null
    openssl pkey -in key -pubout -out public
    openssl dgst -sha256 -sign key -out signature data
    openssl dgst -sha256 -verify public -signature signature data
    echo changed | openssl dgst -sha256 -verify public -signature signature 2>/dev/null
done
openssl genpkey -algorithm ED25519 -out key
openssl pkey -in key -pubout -out public
openssl pkeyutl -sign -inkey key -rawin -in data -out signature
openssl pkeyutl -verify -pubin -inkey public -rawin -in data -sigfile signature

say sqlite3
sqlite3 database <<'SQL'
create table t (n integer primary key, square integer, text text, real real);
with recursive c(n) as (select 1 union all select n + 1 from c where n < 20000)
    insert into t select n, n * n, printf('%x', n), n / 7.0 from c;
create index by_text on t (text);
select count(*), sum(square), avg(real), max(text) from t;
select n, text, round(real, 6) from t where text like 'a%c' order by n desc limit 5;
update t set real = real * 2 where n % 3 = 0;
select total(real) from t;
delete from t where n > 100;
vacuum;
pragma integrity_check;
SQL

say gcc
cat > program.c <<'C'
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
static int compare(const void* a, const void* b) { return *(const int*)a - *(const int*)b; }
int main(int argc, char** argv) {
    int v[1000];
    long double product = 1;
    double sum = 0;
    unsigned x = 12345;
    for (int i = 0; i < 1000; i++) v[i] = (x = x * 1103515245u + 12345u) >> 8 & 0xffff;
    qsort(v, 1000, sizeof v[0], compare);
    for (int i = 1; i <= 60; i++) product *= 1 + 1.0L / i, sum += sin(i) / i;
    printf("%d %d %d %.18Lg %.15g %s\n", v[0], v[499], v[999], product, sum, argc > 1 ? argv[1] : "");
    return 7;
}
C
for level in 0 2 3; do
    gcc -O$level -Wall program.c -o program -lm && ./program "-O$level"
    echo "returned $?"
done
gcc -S -O2 -o - program.c | sha256sum
echo 'int main(void) { return x; }' | gcc -x c - 2>&1 | head -n 3

say end
