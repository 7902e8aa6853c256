"""What a hostile program may try: each attempt prints ESCAPED where it gets through.

An attempt finds its targets in the dictionary `host`: files, a process, ports and sockets of the machine that runs the test.
"""

from __future__ import annotations

PRELUDE = """
import ctypes, errno, json, os, signal, socket, sys, time
host = json.loads(sys.stdin.readline())
libc = ctypes.CDLL(None, use_errno=True)
def escaped(*what): print("ESCAPED", *what, flush=True)
def no_error(call, *given):
    try: return escaped(call(*given))
    except (OSError, ValueError, RuntimeError, MemoryError) as error: print(type(error).__name__, error)
def system(number, *given):
    result = libc.syscall(number, *given)
    print(result, os.strerror(ctypes.get_errno()))
    if result >= 0: escaped(number)
"""

NETWORK = {
    "tcp": "no_error(socket.create_connection, ('127.0.0.1', host['port']), 1)",
    "udp": "no_error(lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b'x', ('127.0.0.1', host['port'])))",
    "raw socket": "no_error(lambda: socket.socket(socket.AF_INET, socket.SOCK_RAW, 1))",
    "packet socket": "no_error(lambda: socket.socket(socket.AF_PACKET, socket.SOCK_RAW))",
    "ipv6": "no_error(lambda: socket.socket(socket.AF_INET6).connect(('::1', host['port'])))",
    "netlink": "no_error(lambda: socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0))",
    "unix socket": "no_error(lambda: socket.socket(socket.AF_UNIX).connect(host['unix']))",
    "abstract socket": "no_error(lambda: socket.socket(socket.AF_UNIX).connect(host['abstract']))",
    "name look-up": "no_error(lambda: socket.getaddrinfo('example.com', 80))",
    "asyncio": "import asyncio\nno_error(lambda: asyncio.run(asyncio.open_connection('127.0.0.1', host['port'])))",
    "a server": "no_error(lambda: socket.create_server(('127.0.0.1', 0)))",
    "vsock": "no_error(lambda: socket.socket(40, socket.SOCK_STREAM).connect((2, 1)))",
}

FILES = {
    "read a file": "no_error(lambda: open(host['secret']).read())",
    "write a file": "no_error(lambda: open(host['file'], 'a').write('mine'))",
    "make a file": "no_error(lambda: open(host['folder'] + '/new', 'w').write('mine'))",
    "remove a file": "no_error(os.remove, host['doomed'])",
    "rename a file": "no_error(os.rename, host['moved'], host['moved'] + '2')",
    "symlink": "os.symlink(host['file'], 'link')\nno_error(lambda: open('link', 'a').write('mine'))",
    "hard link": "no_error(os.link, host['file'], 'hard')",
    "dots": "no_error(lambda: open('../' * 20 + host['secret'].lstrip('/')).read())",
    "list a folder": "no_error(os.listdir, host['folder'])",
    "passwords": "no_error(lambda: open('/etc/passwd').read())",
    "root of the first process": "no_error(lambda: open('/proc/1/root' + host['secret']).read())",
    "own root": "no_error(lambda: open('/proc/self/root' + host['secret']).read())",
    "command line of the parent": "no_error(lambda: open(f'/proc/{os.getppid()}/cmdline').read())",
    "kernel settings": "no_error(lambda: open('/proc/sys/kernel/hostname', 'w').write('mine'))",
    "sysfs": "no_error(os.listdir, '/sys')",
    "the interpreter's library": "no_error(lambda: open(os.path.dirname(os.__file__) + '/mine.py', 'w'))",
    "system folder": "no_error(lambda: open('/usr/bin/mine', 'w'))",
    "root folder": "no_error(lambda: open('/mine', 'w'))",
    "remount": "system({'x86_64': 165, 'aarch64': 40}[os.uname().machine], b'none', b'/', None, ctypes.c_ulong(32 | 4096), None)",
    "mount": "system({'x86_64': 165, 'aarch64': 40}[os.uname().machine], b'tmpfs', b'/tmp', b'tmpfs', ctypes.c_ulong(0), None)",
    "unmount": "system({'x86_64': 166, 'aarch64': 39}[os.uname().machine], b'/tmp', 2)",
    "chroot": "os.mkdir('jail')\nno_error(os.chroot, 'jail')",
    "device node": "no_error(lambda: os.mknod('disk', 0o60600, os.makedev(254, 0)) or os.open('disk', os.O_RDONLY))",
    "memory device": "no_error(lambda: open('/dev/mem', 'rb').read(1))",
    "terminal": "import fcntl\nno_error(lambda: fcntl.ioctl(os.open('/dev/tty', os.O_RDWR), 0x5412, b'x'))",
    "handle of a file": "system({'x86_64': 304, 'aarch64': 265}[os.uname().machine], -100, b'\\0' * 32, 0)",
    "environment": "if host['variable'] in os.environ: escaped()",
    "inherited files": """
for number in range(3, 1024):
    try: os.fstat(number)
    except OSError: continue
    escaped(number)
""",
}

PROCESSES = {
    "kill the parent": "no_error(os.kill, os.getppid(), signal.SIGKILL)",
    "stop the parent": "no_error(os.kill, os.getppid(), signal.SIGSTOP)",
    "kill a process": "no_error(os.kill, host['pid'], signal.SIGKILL)",
    "kill everything": "no_error(os.kill, -1, signal.SIGTERM)",
    "kill a group": "no_error(os.killpg, os.getpgid(os.getppid()) if os.getppid() > 1 else 1, signal.SIGKILL)",
    "signal by descriptor": "no_error(lambda: signal.pidfd_send_signal(os.pidfd_open(os.getppid()), signal.SIGKILL))",
    "ptrace": "system({'x86_64': 101, 'aarch64': 117}[os.uname().machine], 16, os.getppid(), 0, 0)",
    "read the parent's memory": """
class Vector(ctypes.Structure): _fields_ = [('base', ctypes.c_void_p), ('size', ctypes.c_size_t)]
buffer = ctypes.create_string_buffer(8)
here, there = Vector(ctypes.addressof(buffer), 8), Vector(id(os), 8)
system({'x86_64': 310, 'aarch64': 270}[os.uname().machine], os.getppid(), ctypes.byref(here), 1, ctypes.byref(there), 1, 0)
""",
    "memory of the parent as a file": "no_error(lambda: open(f'/proc/{os.getppid()}/mem', 'rb').read(1))",
    "limits of the parent": "import resource\nno_error(resource.prlimit, os.getppid(), resource.RLIMIT_CPU, (1, 1))",
    "priority of the parent": "no_error(os.setpriority, os.PRIO_PROCESS, os.getppid(), 19)",
    "fork": "no_error(os.fork)",
    "fork bomb": "for _ in range(100): no_error(os.fork)",
    "double fork": "no_error(lambda: os.fork() or os.setsid() or os.fork())",
    "clone": "system({'x86_64': 56, 'aarch64': 220}[os.uname().machine], 17, 0, 0, 0, 0)",
    "clone3": "system(435, (ctypes.c_uint64 * 11)(0, 0, 0, 0, 17), 88)",
    "vfork": "import subprocess\nno_error(subprocess.run, ['/bin/true'])",
    "shell": "if os.system('true') == 0: escaped()",
    "multiprocessing": "import multiprocessing\nno_error(lambda: multiprocessing.get_context('fork').Process(target=print).start())",
    "user namespace": "system({'x86_64': 272, 'aarch64': 97}[os.uname().machine], 0x10000000)",
    "enter a namespace": "no_error(lambda: libc.setns(os.open('/proc/1/ns/net', os.O_RDONLY), 0) == 0 or 1 / 0)",
}

KERNEL = {
    "become root": "no_error(os.setuid, 0) if os.getuid() else system({'x86_64': 135, 'aarch64': 92}[os.uname().machine], 0xffffffff)",
    "capabilities": """
head = (ctypes.c_uint32 * 2)(0x20080522, 0)
data = (ctypes.c_uint32 * 6)(*[0xffffffff] * 6)
if libc.capset(head, data) == 0: escaped()
libc.capget(head, data)
if any(data): escaped(list(data))
""",
    "raise the limits": """
import resource
for kind in (resource.RLIMIT_AS, resource.RLIMIT_CPU, resource.RLIMIT_FSIZE, resource.RLIMIT_NOFILE):
    no_error(resource.setrlimit, kind, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
""",
    "32-bit calls": """
import mmap
if os.uname().machine == 'x86_64':
    page = mmap.mmap(-1, 4096, prot=7)
    page.write(bytes.fromhex('b814000000cd80c3'))
    ctypes.CFUNCTYPE(ctypes.c_int)(ctypes.addressof(ctypes.c_char.from_buffer(page)))()
    escaped()
""",
    "x32 calls": "if os.uname().machine == 'x86_64': system(0x40000000 + 39)",
    "bpf": "system({'x86_64': 321, 'aarch64': 280}[os.uname().machine], 0, ctypes.create_string_buffer(64), 64)",
    "io_uring": "system(425, 8, ctypes.create_string_buffer(120))",
    "userfaultfd": "system({'x86_64': 323, 'aarch64': 282}[os.uname().machine], 1)",
    "perf events": "system({'x86_64': 298, 'aarch64': 241}[os.uname().machine], ctypes.create_string_buffer(120), 0, -1, -1, 0)",
    "keys": "system({'x86_64': 250, 'aarch64': 219}[os.uname().machine], 0, -3, 1)",
    "clock": "no_error(time.clock_settime, time.CLOCK_REALTIME, 0)",
    "host name": "no_error(socket.sethostname, 'mine')",
    "reboot": "system({'x86_64': 169, 'aarch64': 142}[os.uname().machine], 0xfee1dead, 672274793, 0x89abcdef, 0)",
    "kernel module": "system({'x86_64': 175, 'aarch64': 105}[os.uname().machine], b'', 0, b'')",
}

HUNGER = {
    "memory": "try:\n    hoard = [bytearray(1 << 20) for _ in range(1 << 14)]\n    escaped()\nexcept MemoryError: print('refused')",
    "shared memory": "import mmap\nno_error(lambda: [mmap.mmap(-1, 64 << 20) for _ in range(64)] and None)",
    "files in memory": "no_error(lambda: [os.truncate(os.memfd_create('x'), 1 << 30) for _ in range(4)])",
    "old shared memory": "system({'x86_64': 29, 'aarch64': 194}[os.uname().machine], 0, 1 << 30, 0o1600)",
    "disk": """
def fill():
    for number in range(24):
        with open(f'fill{number}', 'wb') as file: file.write(bytes(1 << 20))
no_error(fill)
""",
    "a sparse file": "no_error(lambda: os.truncate(os.open('sparse', os.O_RDWR | os.O_CREAT), 1 << 40))",
    "inodes": "no_error(lambda: [os.close(os.open(f'f{number}', os.O_CREAT)) for number in range(20000)] and None)",
    "descriptors": "no_error(lambda: [os.dup(1) for _ in range(5000)] and None)",
    "standard output": "while True: os.write(1, b'y' * 65536)",
    "standard error": "while True: os.write(2, b'y' * 65536)",
    "threads": """
import threading
try:
    for _ in range(20000): threading.Thread(target=time.sleep, args=(60,), daemon=True).start()
    escaped()
except RuntimeError: print('refused')
""",
    "time": "signal.signal(signal.SIGXCPU, signal.SIG_IGN)\nwhile True: pass",
    "sleep": "time.sleep(3600)\nescaped()",
    "no end": "import atexit, threading\nthreading.Thread(target=time.sleep, args=(3600,)).start()\natexit.register(time.sleep, 3600)",
}

ATTEMPTS = {**NETWORK, **FILES, **PROCESSES, **KERNEL, **HUNGER}

LET_THROUGH_BY_LIMITS = {
    "read a file", "write a file", "make a file", "remove a file", "rename a file", "symlink", "hard link", "dots", "list a folder",
    "passwords", "own root", "command line of the parent", "sysfs", "disk", "inodes",
}  # fmt: skip
"""What limits and the system call filter alone do not stop (docs/programs.md): everything that is a file of the machine's."""
