"""By design: a pipe that nobody writes."""

import os
import sys

pipe = os.pipe()
open(sys.argv[1], "w").close()
os.read(pipe[0], 1)
