# image: tools
# Processes, threads, numpy, sockets, mmap, sqlite, asyncio.

cat > program.py <<'END'
import asyncio, ctypes, json, mmap, multiprocessing, os, signal, socket, sqlite3, ssl, subprocess, tempfile, threading
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from multiprocessing import shared_memory
import numpy

def square(x):
    return x * x

def fill(name):
    memory = shared_memory.SharedMemory(name=name)
    memory.buf[:3] = b"abc"
    memory.close()

async def talk():
    server = await asyncio.start_unix_server(lambda r, w: echo(r, w), "socket")
    reader, writer = await asyncio.open_unix_connection("socket")
    writer.write(b"hello\n")
    print((await reader.readline()).decode().strip())
    writer.close()
    server.close()

async def echo(reader, writer):
    writer.write((await reader.readline()).upper())
    await writer.drain()
    writer.close()

if __name__ == "__main__":
    a = numpy.arange(1_000_000, dtype=numpy.float64).reshape(1000, 1000)
    print(float((a @ a.T).trace()), numpy.linalg.svd(a[:50, :50])[1][:2].round(3))
    with multiprocessing.Pool(3) as pool:
        print(sum(pool.map(square, range(1000))))
    with ProcessPoolExecutor(2, mp_context=multiprocessing.get_context("spawn")) as pool:
        print(list(pool.map(square, range(5))))
    with ThreadPoolExecutor(8) as pool:
        print(sum(pool.map(square, range(1000))))
    lock, queue = multiprocessing.Lock(), multiprocessing.Queue()
    worker = multiprocessing.Process(target=lambda: queue.put(os.getpid() != os.getppid()))
    worker.start(); print(queue.get()); worker.join()
    memory = shared_memory.SharedMemory(create=True, size=64)
    worker = multiprocessing.Process(target=fill, args=(memory.name,))
    worker.start(); worker.join(); print(bytes(memory.buf[:3])); memory.close(); memory.unlink()
    asyncio.run(talk())
    print(subprocess.run(["sh", "-c", "echo $0 $1; exit 4", "x", "y"], capture_output=True, text=True))
    with tempfile.TemporaryDirectory() as folder:
        database = sqlite3.connect(f"{folder}/db")
        database.execute("pragma journal_mode=wal")
        database.execute("create table t (x)"); database.executemany("insert into t values (?)", [(i,) for i in range(1000)]); database.commit()
        print(database.execute("select sum(x) from t").fetchone(), sorted(os.listdir(folder)))
        with open(f"{folder}/map", "w+b") as file:
            file.truncate(8192)
            view = mmap.mmap(file.fileno(), 8192); view[4096:4100] = b"page"; view.flush(); view.close()
            file.seek(4096); print(file.read(4))
    here, there = socket.socketpair(); here.sendall(b"x" * 100); print(len(there.recv(200)))
    signal.signal(signal.SIGUSR1, lambda *_: print("signal")); os.kill(os.getpid(), signal.SIGUSR1)
    print(ctypes.CDLL(None).abs(-5), ssl.create_default_context().verify_mode.name, os.path.realpath("/proc/self/exe"), json.dumps(os.getcwd()))
END
python3 program.py
