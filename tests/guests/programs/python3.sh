# python3: arithmetic, text, compression, digests.
echo == python3
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
