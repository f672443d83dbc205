#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Prints primes as it finds them; whoever reads the stream sees each line at once."""

from itertools import count, islice


def primes():
    """All of them."""
    found = []
    for number in count(2):
        if all(number % prime for prime in found if prime * prime <= number):
            found.append(number)
            yield number


for prime in islice(primes(), 100):
    print(prime, flush=True)
