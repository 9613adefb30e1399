"""Hashes with argon2-cffi as pwdlib does (threads = lanes). One line in: m t p. One line out: CPU seconds, tag."""

import sys
import time

from argon2.low_level import Type, hash_secret_raw

for line in sys.stdin:
    m, t, p = map(int, line.split())
    start = time.process_time()
    tag = hash_secret_raw(b"password", b"saltsaltsaltsalt", t, m, p, 32, Type.ID)
    print(time.process_time() - start, tag.hex(), flush=True)
