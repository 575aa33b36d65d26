# Processes, threads, sockets, every way of waiting, shared memory, signals.
import asyncio
import mmap
import multiprocessing
import os
import select
import selectors
import signal
import socket
import subprocess
import tempfile
import threading


def square(number):
    return number * number


def threads():
    ours, theirs = socket.socketpair()
    sizes = []

    def read():
        while data := ours.recv(100):
            sizes.append(len(data))

    reader = threading.Thread(target=read)
    reader.start()
    for _ in range(50):
        theirs.send(b'x' * 10)
    theirs.close()
    reader.join()
    print('bytes', sum(sizes))


async def tasks():
    child = await asyncio.create_subprocess_exec('echo', 'from a task', stdout=subprocess.PIPE)
    print((await child.communicate())[0])
    print(len(await asyncio.gather(*[asyncio.sleep(0.01) for _ in range(50)])))


def waiting():
    for kind in (selectors.SelectSelector, selectors.PollSelector, selectors.EpollSelector):
        selector = kind()
        end, other = os.pipe()
        selector.register(end, selectors.EVENT_READ)
        before = selector.select(0.01)
        os.write(other, b'x')
        print(kind.__name__, before, len(selector.select(10)))
    end, other = os.pipe()
    os.close(other)
    print(select.select([end], [], [], 10)[0] == [end])
    try:
        select.select([999], [], [], 0)
    except OSError as error:
        print(error)


def shared_memory():
    with tempfile.TemporaryFile() as file:
        file.truncate(8192)
        memory = mmap.mmap(file.fileno(), 8192)
        memory[5:8] = b'abc'
        memory.flush()
        file.seek(5)
        print(file.read(3))


def signals():
    signal.signal(signal.SIGALRM, lambda *_: print('alarm'))
    signal.setitimer(signal.ITIMER_REAL, 0.05)
    print(select.select([os.pipe()[0]], [], [], 0.3))


if __name__ == '__main__':
    print(subprocess.run(['sort'], input='b\na\nc\n', capture_output=True, text=True).stdout.split())
    threads()
    with multiprocessing.Pool(4) as pool:
        print(sum(pool.map(square, range(1000))))
    asyncio.run(tasks())
    waiting()
    shared_memory()
    signals()
    print(os.getresuid(), os.getresgid())
