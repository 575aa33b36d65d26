# What a program sends to a perf buffer and a ring buffer, and its hash.
import ctypes
import struct
import threading

from bcc import BPF

program = BPF(text=r'''
#include <uapi/linux/bpf.h>
BPF_PERF_OUTPUT(samples);
BPF_RINGBUF_OUTPUT(records, 1);
BPF_HASH(seen, u32, u64);
int say(struct xdp_md *context) {
  u64 value = 77;
  u32 key = 3;
  seen.increment(key);
  samples.perf_submit(context, &value, sizeof(value));
  records.ringbuf_output(&value, sizeof(value), 0);
  return XDP_PASS;
}
''')
function = program.load_func('say', BPF.XDP)


def number(data):
    return ctypes.cast(data, ctypes.POINTER(ctypes.c_ulonglong)).contents.value


def run():
    packet = ctypes.create_string_buffer(64)
    test = struct.pack('<IIIIQQ', function.fd, 0, len(packet), 0, ctypes.addressof(packet), 0)
    attribute = ctypes.create_string_buffer(test, 80)
    if ctypes.CDLL(None, use_errno=True).syscall(321, 10, attribute, 80) != 0:
        print('not run:', ctypes.get_errno())


program['samples'].open_perf_buffer(lambda cpu, data, size: print('sample', number(data), size))
program['records'].open_ring_buffer(lambda context, data, size: print('record', number(data), size))
sender = threading.Timer(0.1, run)
sender.start()
program.perf_buffer_poll(timeout=10000)
program.ring_buffer_poll(timeout=10000)
sender.join()
print([(key.value, value.value) for key, value in program['seen'].items()])
