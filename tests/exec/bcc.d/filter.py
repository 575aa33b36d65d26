# A socket filter and its table.
import ctypes
import socket

from bcc import BPF

program = BPF(text=r'''
BPF_ARRAY(counts, u64, 4);
int count(struct __sk_buff *packet) {
  int key = 0;
  u64 *value = counts.lookup(&key);
  if (value) (*value)++;
  return 0;
}
''')
function = program.load_func('count', BPF.SOCKET_FILTER)
print('loaded', function.fd > 0)
counts = program['counts']
counts[ctypes.c_int(1)] = ctypes.c_ulonglong(5)
print([(key.value, value.value) for key, value in counts.items()])
counts.clear()
print([value.value for value in counts.values()])
