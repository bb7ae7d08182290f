"""The model in programs that make processes and end them in every way. As a program: one, by its name."""

import multiprocessing
import os
import signal
import sys
import time
from concurrent.futures import ProcessPoolExecutor

import served

EVENTS = 60


def process(method):
    """Processes that end by themselves."""
    context = multiprocessing.get_context(method)
    children = [context.Process(target=several, args=(EVENTS // 2,)) for _ in range(2)]
    for child in children:
        child.start()
    for child in children:
        child.join()


def several(count):
    """Log several predictions."""
    for number in range(count):
        served.predict(number)


def pool(method, recycled="0"):
    """A pool that is terminated as `with` does."""
    with multiprocessing.get_context(method).Pool(2, maxtasksperchild=int(recycled) or None) as workers:
        workers.map(served.predict, range(EVENTS), chunksize=1)


def executor(method):
    """Workers of concurrent.futures."""
    with ProcessPoolExecutor(2, mp_context=multiprocessing.get_context(method)) as workers:
        list(workers.map(served.predict, range(EVENTS)))


def loky():
    """Workers of joblib."""
    from joblib import Parallel, delayed  # noqa: PLC0415  the others do without

    Parallel(n_jobs=2)(delayed(served.predict)(number) for number in range(EVENTS))


def ray():
    """Tasks of Ray."""
    import ray as cluster  # noqa: PLC0415  the others do without

    cluster.init(num_cpus=2, include_dashboard=False, log_to_driver=False)
    task = cluster.remote(lambda number: __import__("served").predict(number))
    cluster.get([task.remote(number) for number in range(EVENTS)])
    cluster.shutdown()


def dask():
    """Tasks of Dask, in processes with nannies."""
    from distributed import Client, LocalCluster  # noqa: PLC0415  the others do without

    cluster = LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None)
    with cluster, Client(cluster) as client:
        client.gather(client.map(served.predict, range(EVENTS)))


def fork():
    """A child of os.fork that ends by os._exit, as many task runners have it."""
    served.predict()
    child = os.fork()
    if not child:
        several(EVENTS // 2)
        os._exit(0)
    os.waitpid(child, 0)


def flushed_fork():
    """The same, where the child flushes before."""
    child = os.fork()
    if not child:
        several(EVENTS)
        served.logger.flush()
        os._exit(0)
    os.waitpid(child, 0)


def replaced():
    """A process that becomes another program, and did not flush."""
    several(EVENTS)
    os.execv(sys.executable, [sys.executable, "-c", ""])


def flushed_and_replaced():
    """The same, and did."""
    several(EVENTS)
    served.logger.flush()
    os.execv(sys.executable, [sys.executable, "-c", ""])


def thrown():
    """A program that ends by an exception."""
    several(EVENTS)
    raise SystemExit("done for")


def endless():
    """A service that goes on until it is stopped."""
    while True:
        served.predict()
        time.sleep(0.01)


def killed():
    """A process that dies within the flush interval."""
    several(EVENTS)
    os.kill(os.getpid(), signal.SIGKILL)


def main():
    """Run one of these."""
    globals()[sys.argv[1]](*sys.argv[2:])


if __name__ == "__main__":
    main()
