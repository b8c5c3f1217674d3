"""python -m toy.faulty CODE: the second process ends with CODE (negative: by that signal), the first one waits."""

import os
import sys
import time

if os.environ["RANK"] == "1":
    code = int(sys.argv[1])
    if code < 0:
        os.kill(os.getpid(), -code)
    sys.exit(code)
time.sleep(600 * (sys.argv[1] != "0"))
