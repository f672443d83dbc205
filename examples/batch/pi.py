#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""How many of THROWS darts hit the circle. With 200,000 it takes a moment; with a hundred times as many, longer than the function has."""

import json
import os
import random

throws = int(os.environ["THROWS"])
dice = random.Random(1)
hits = sum(dice.random() ** 2 + dice.random() ** 2 < 1 for _ in range(throws))
print(json.dumps({"throws": throws, "pi": 4 * hits / throws}))
