#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Which digit the picture is, and how sure the network is. A picture is seven lines of five characters; # is ink."""

import json
import sys
from pathlib import Path

import torch

weights = json.loads((Path(__file__).parent / "weights.json").read_text())
network = torch.nn.Sequential(torch.nn.Linear(35, 16), torch.nn.ReLU(), torch.nn.Linear(16, 10), torch.nn.Softmax(dim=0))
network.load_state_dict({name: torch.tensor(value) for name, value in weights.items()})
ink = [float(point == "#") for point in "".join(Path(sys.argv[1]).read_text().split())]
with torch.no_grad():
    sure, digit = network(torch.tensor(ink)).max(0)
print(json.dumps({"digit": digit.item(), "probability": round(sure.item(), 3)}))
