"""By design: threads that wait for work."""

import queue
import signal
import sys
import threading

work = queue.Queue()
threading.Thread(target=work.get, daemon=True).start()
open(sys.argv[1], "w").close()
signal.sigwait({signal.SIGTERM})
