#include "tasks/files/python_harness.h"

namespace minke {

// Values are lists [kind, content]. What is no plain value becomes an Opaque, which equals nothing but itself.
const std::string_view kPythonValues = R"py(
import collections.abc, itertools, json, os, sys

class Opaque:
    pass

def encode(v):
    if v is None: return ['n']
    if isinstance(v, bool): return ['b', bool(v)]
    if isinstance(v, int): return ['i', hex(int(v))]
    if isinstance(v, float): return ['f', float(v).hex()]
    if isinstance(v, complex): return ['c', v.real.hex(), v.imag.hex()]
    if isinstance(v, str): return ['s', str(v)]
    if isinstance(v, (bytes, bytearray)): return ['y', bytes(v).hex(), isinstance(v, bytearray)]
    if isinstance(v, list): return ['l', [encode(x) for x in v]]
    if isinstance(v, tuple): return ['t', [encode(x) for x in v]]
    if isinstance(v, frozenset): return ['z', [encode(x) for x in v]]
    if isinstance(v, (set, collections.abc.KeysView)): return ['S', [encode(x) for x in v]]
    if isinstance(v, dict): return ['d', [[encode(k), encode(x)] for k, x in v.items()]]
    if isinstance(v, range): return ['r', [encode(x) for x in (v.start, v.stop, v.step)]]
    if isinstance(v, collections.abc.Iterator): return ['I', [encode(x) for x in itertools.islice(v, 100000)]]
    return ['o']

def decode(e):
    kind = e[0]
    if kind == 'n': return None
    if kind == 'b': return e[1] is True
    if kind == 'i': return int(e[1], 16)
    if kind == 'f': return float.fromhex(e[1])
    if kind == 'c': return complex(float.fromhex(e[1]), float.fromhex(e[2]))
    if kind == 's' and type(e[1]) is str: return e[1]
    if kind == 'y': return bytearray.fromhex(e[1]) if e[2] else bytes.fromhex(e[1])
    if kind == 'l': return [decode(x) for x in e[1]]
    if kind == 't': return tuple(decode(x) for x in e[1])
    if kind == 'z': return frozenset(decode(x) for x in e[1])
    if kind == 'S': return set(decode(x) for x in e[1])
    if kind == 'd': return {decode(k): decode(x) for k, x in e[1]}
    if kind == 'r': return range(*[decode(x) for x in e[1]])
    if kind == 'I': return iter([decode(x) for x in e[1]])
    if kind == 'o': return Opaque()
    raise ValueError('no such kind')
)py";

// Names that the tests use and nobody defines are the candidate's functions; so are those that the reference defines, since a
// few of them have the names of builtins (sum). No reply can replace a builtin of the tests.
const std::string_view kPythonChecker = R"py(
import ast, builtins, subprocess
sys.setrecursionlimit(5000)
job = json.loads(sys.stdin.read())
child = subprocess.Popen([sys.executable, '-I', '-c', job['candidate']], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                         stderr=subprocess.DEVNULL, cwd='/tmp')

def send(message):
    child.stdin.write(json.dumps(message).encode() + b'\n')
    child.stdin.flush()

def stand_in(name):
    def call(*arguments, **named):
        send([name, encode(arguments), encode(named)])
        line = child.stdout.readline(1 << 24)
        if not line.endswith(b'\n'): raise RuntimeError('the candidate ended')
        kind, content = json.loads(line)
        if kind == 'value': return decode(content)
        known = getattr(builtins, content, None) if type(content) is str else None
        raise known() if isinstance(known, type) and issubclass(known, Exception) else RuntimeError('raised')
    return call

space = {'__name__': 'tests'}
exec(job['setup'], space)
tree = ast.parse(job['tests'])
names = [n for n in ast.walk(tree) if isinstance(n, ast.Name)]
defined = {n.id for n in names if isinstance(n.ctx, ast.Store)}
defined |= {n.name for n in ast.walk(tree) if isinstance(n, (ast.FunctionDef, ast.ClassDef))}
defined |= {a.arg for a in ast.walk(tree) if isinstance(a, ast.arg)}
defined |= {(a.asname or a.name).split('.')[0] for n in ast.walk(tree) if isinstance(n, (ast.Import, ast.ImportFrom)) for a in n.names}
for name in {n.id for n in names} - defined:
    if name in job['functions'] or (name not in space and not hasattr(builtins, name)): space[name] = stand_in(name)
send(job['program'])
exec(compile(tree, 'tests', 'exec'), space)
child.kill()
print(job['token'], flush=True)
os._exit(0)
)py";

const std::string_view kPythonCandidate = R"py(
commands = os.fdopen(os.dup(0), 'rb')
replies = os.fdopen(os.dup(1), 'wb')
nothing = os.open('/dev/null', os.O_RDWR)
os.dup2(nothing, 0)
os.dup2(nothing, 1)
space = {'__name__': 'candidate'}
exec(json.loads(commands.readline()), space)
for line in commands:
    name, arguments, named = json.loads(line)
    try:
        reply = ['value', encode(space[name](*decode(arguments), **decode(named)))]
    except Exception as e:
        reply = ['error', type(e).__name__]
    replies.write(json.dumps(reply).encode() + b'\n')
    replies.flush()
)py";

}  // namespace minke
