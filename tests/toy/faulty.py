"""python -m toy.faulty CODE [together]: the second process ends with CODE (negative: by that signal), the first waits.

It waits for nothing, or "together" for the second one.
"""

import os
import sys
import time

together = "together" in sys.argv
if together:
    from shared.errors import UserError
    from shared.runs.parallel import make_accelerator, wait_for_others

    accelerator = make_accelerator()
if os.environ["RANK"] == "1":
    code = int(sys.argv[1])
    if code < 0:
        os.kill(os.getpid(), -code)
    os._exit(code)
if together:
    try:
        wait_for_others(accelerator)
    except UserError as error:
        sys.exit(f"error: {error}")
time.sleep(600 * (sys.argv[1] != "0"))
