# Parts of Python's own tests.
echo == python3-tests
for test in test_math test_float test_int test_struct test_json test_re test_hashlib test_threading; do
    if python3 -m test -q $test > log 2>&1; then echo "$test passed"; else echo "$test failed"; tail -n 30 log; fi
done
