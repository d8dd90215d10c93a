# What a small Unix does all day, with busybox alone. Its output must be the same wherever it runs: no times, no process
# numbers, no directory order. It works in the directory it is started in.
say() { echo "== $*"; }

say file trees
mkdir -p tree/a/b/c tree/d
for n in 1 2 3 4 5 6 7 8 9 10; do
    echo "file $n" > tree/a/f$n
    cp tree/a/f$n tree/a/b/g$n
    ln -s ../a/f$n tree/d/l$n
done
mv tree/a/b/g3 tree/a/b/c/moved
rm tree/a/f10
chmod 640 tree/a/f1
find tree | sort
find tree -type l | wc -l
cat tree/d/l5
cat tree/d/l10 2>/dev/null || echo "dangling"
stat -c '%a %s %F' tree/a/f1
cp -a tree copy
diff -r tree/a copy/a && echo "copy equals"
tar -cf - tree | tar -tf - | sort | sha256sum
rm -r copy tree
ls -A

say sort and uniq
seq 1 2000 | awk '{ print ($1 * 7919) % 1009, $1 }' > numbers
sort -n numbers | head -n 5
sort -k2,2nr numbers | tail -n 3
cut -d ' ' -f 1 numbers | sort | uniq -c | sort -k1,1nr -k2,2n | head -n 4
sort numbers | sha256sum

say awk
awk 'BEGIN { for (i = 1; i <= 15; i++) { f[i] = i < 3 ? 1 : f[i-1] + f[i-2]; printf "%d ", f[i] } print "" }'
awk '{ s += $1; q += $1 * $1 } END { printf "%d %d %.6f %.3e\n", s, q, q / NR, q }' numbers
awk 'BEGIN { x = 1; for (i = 0; i < 1000; i++) x = x * 1.01; printf "%.12g %.12g %d\n", x, 1 / x, 1024 * 1024 * 1024 * 1024 }'
awk '{ count[length($0)]++ } END { for (n = 3; n < 10; n++) print n, count[n] + 0 }' numbers

say sed and grep
seq 1 30 | sed -n -e '5,9p' -e 's/^2\(.\)$/<\1>/p'
echo 'the quick brown fox' | sed -e 's/\([a-z]*\) \([a-z]*\)/\2 \1/' -e 'y/abc/ABC/'
seq 1 500 | grep -c '7'
seq 1 500 | grep -E '^(1|2)[0-9]5$' | tr '\n' ' '
echo

say bc and dc
echo '2^200; 10^30 / 7; scale=40; sqrt(2); 355/113' | bc
echo 'define f(n) { if (n < 2) return (1); return (n * f(n-1)); }
f(40)' | bc
dc -e '2 64 ^ 1 - p 16 o p'

say shell arithmetic
i=0 s=0
while [ $i -lt 2000 ]; do s=$((s + i * i % 7)); i=$((i + 1)); done
echo $s $((0x7fffffffffffffff)) $((1 << 62)) $((-17 / 5)) $((-17 % 5)) $((3 > 2 ? 10 : 20)) $((~0 ^ 0xff))
a=12345 b=54321
while [ $b -ne 0 ]; do t=$((a % b)) a=$b b=$t; done
echo $a ${#a} "${HOME:+home}" $(printf '%08x %5.2f %o' 48879 3.14159 511)

say gzip round trip
seq 1 40000 > plain
gzip -c plain > packed.gz
gunzip -c packed.gz | cmp - plain && echo "gzip ok"
wc -c < packed.gz
sha1sum plain
md5sum < plain
crc32 plain

say sha256sum of 8 MiB
seq 1 1300000 | head -c 8388608 > big
wc -c < big
sha256sum big
sha512sum big
dd if=big bs=64k skip=3 count=20 2>/dev/null | sha256sum
cmp big big && rm big

say fork storms
n=0
while [ $n -lt 150 ]; do (exit $((n % 3))) || echo -n $?; n=$((n + 1)); done
echo
for n in $(seq 1 40); do (echo $((n * n)) > storm.$n) & done
wait
cat storm.* | sort -n | tail -n 2
rm storm.*
for n in $(seq 1 60); do busybox true || echo "true failed"; done
echo "stormed"

say pipes
seq 1 50000 | cat | cat | cat | tail -n 1
yes pipe | head -n 10000 | sha256sum
mkfifo fifo
cat fifo > out & { echo "through"; echo "a fifo"; } > fifo
wait
cat out
(echo one; echo two >&2) 2>&1 | sort
false | true; echo "status $?"

say signals
trap 'echo "caught usr1"' USR1
kill -USR1 $$
trap - USR1
sleep 100 & victim=$!
kill $victim
wait $victim
echo "terminated with $?"
sh -c 'trap "echo leaving" EXIT; exit 3'
echo "left with $?"
sh -c 'kill -SEGV $$' >/dev/null 2>&1
echo "killed with $?"
timeout 1 sleep 10
echo "timeout said $?"

say end
