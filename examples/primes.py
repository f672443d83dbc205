#!/usr/bin/env python3
"""Prints primes as it finds them; a streaming caller sees each line at once.

    scar local run --script examples/primes.py docker.io/library/python
"""
from itertools import count, islice


def primes():
    found = []
    for number in count(2):
        if all(number % prime for prime in found if prime * prime <= number):
            found.append(number)
            yield number


for prime in islice(primes(), 100):
    print(prime, flush=True)
