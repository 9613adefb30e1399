"""Hashes with argon2-cffi as pwdlib does (threads = lanes). One line in: m t p n. One line out: CPU seconds of
n hashes in a row, after one that is not measured, and the tag."""

import sys
import time

from argon2.low_level import Type, hash_secret_raw

for line in sys.stdin:
    m, t, p, n = map(int, line.split())
    tag = hash_secret_raw(b"password", b"saltsaltsaltsalt", t, m, p, 32, Type.ID)
    start = time.process_time()
    for _ in range(n):
        hash_secret_raw(b"password", b"saltsaltsaltsalt", t, m, p, 32, Type.ID)
    print(time.process_time() - start, tag.hex(), flush=True)
