# perl: hashes, patterns, numbers, recursion.
echo == perl
perl -e '
    my %count; my $text = join " ", map { ($_ * 7919) % 101 } 1 .. 20000;
    $count{$_}++ for split " ", $text;
    printf "%s:%d ", $_, $count{$_} for (sort { $count{$b} <=> $count{$a} || $a <=> $b } keys %count)[0 .. 4];
    print "\n", scalar(() = $text =~ /\b(\d)\d\b/g), "\n";
    printf "%.15g %.15g %s\n", sqrt(2), atan2(1, 2), 1e15 / 7;
    print join(",", map { sprintf "%vd", pack "U", $_ } 65, 955), " ", unpack("%32C*", $text), "\n";
    sub fib { my $n = shift; $n < 2 ? $n : fib($n - 1) + fib($n - 2) } print fib(20), "\n";'
