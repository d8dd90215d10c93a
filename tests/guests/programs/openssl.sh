# openssl: digests, ciphers, keys and signatures.
echo == openssl
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
