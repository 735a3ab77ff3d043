"""By design: a child that sleeps."""

import multiprocessing
import sys
import time

if __name__ == "__main__":
    child = multiprocessing.Process(target=time.sleep, args=(60,), daemon=True)
    child.start()
    open(sys.argv[1], "w").close()
    child.join()
