#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Makes payload/weights.json: a network that knows the digits of a 5 by 7 font, also with a few points wrong."""

import json
from pathlib import Path

import torch

FONT = """
.###. ..#.. .###. ##### ...#. ##### ..##. ##### .###. .###.
#...# .##.. #...# ...#. ..##. #.... .#... ....# #...# #...#
#..## ..#.. ....# ..#.. .#.#. ####. #.... ...#. #...# #...#
#.#.# ..#.. ...#. ...#. #..#. ....# ####. ..#.. .###. .####
##..# ..#.. ..#.. ....# ##### ....# #...# .#... #...# ....#
#...# ..#.. .#... #...# ...#. #...# #...# .#... #...# ...#.
.###. .###. ##### .###. ...#. .###. .###. .#... .###. .##..
"""
torch.manual_seed(1)
rows = [line.split() for line in FONT.split("\n") if line]
digits = torch.tensor([[float(point == "#") for row in rows for point in row[digit]] for digit in range(10)])
network = torch.nn.Sequential(torch.nn.Linear(35, 16), torch.nn.ReLU(), torch.nn.Linear(16, 10))
optimizer = torch.optim.Adam(network.parameters(), lr=0.01)
for _ in range(2000):
    wrong = (torch.rand(20, 10, 35) < 0.06).float()
    pictures = (digits + wrong) % 2
    loss = torch.nn.functional.cross_entropy(network(pictures).reshape(-1, 10), torch.arange(10).repeat(20))
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
weights = {name: [[round(x, 4) for x in row] if isinstance(row, list) else round(row, 4) for row in value.tolist()] for name, value in network.state_dict().items()}
Path(__file__).with_name("payload").joinpath("weights.json").write_text(json.dumps(weights) + "\n")
