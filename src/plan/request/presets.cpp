#include "plan/request/presets.h"

#include <array>

namespace minke::plan {
namespace {

constexpr std::array<Preset, 7> kPresets = {{
    {"v3",
     {"V3 as published", "발표된 V3"},
     {"14.8 T tokens on 2,048 H800 at 2 $/h, with the 124 K hours of longer contexts and post-training: the 5.576 M$ of the V3 "
      "report (2024). Layout and batch are the report's; the speed is predicted.",
      "H800 2,048장, 시간당 2 $, 토큰 14.8조 개에 긴 컨텍스트와 후속 학습 12.4만 시간을 더한 값: V3 보고서(2024)의 557.6만 "
      "달러입니다. 배치와 한 스텝의 크기는 보고서의 것이고, 속도는 예측한 값입니다."},
     "run_usd",
     R"({"kind": "train", "model": "deepseek-v3", "device": "H800", "devices": 2048, "tokens": 14.8e12, "seq_len": 4096,
         "sequences": 15360, "with_mtp": true, "layout": "pp16,ep64,dp128,dualpipe,zero1", "extra_hours": 124000,
         "usd_per_hour": 2})"},
    {"v3-h20",
     {"V3 on H20", "H20로 학습한 V3"},
     {"The same run on the H20, which has more bandwidth than the H800 and a seventh of its compute. The layout is the fastest "
      "that "
      "fits; the price is that of the tables.",
      "같은 학습을 H20에서 한다면: H800보다 대역폭은 크지만 연산 성능은 7분의 1입니다. 배치는 메모리에 맞는 가장 빠른 것, "
      "가격은 "
      "표의 값입니다."},
     "run_usd",
     R"({"kind": "train", "model": "deepseek-v3", "device": "H20", "devices": 2048, "tokens": 14.8e12, "seq_len": 4096,
         "sequences": 15360, "with_mtp": true, "extra_hours": 124000})"},
    {"v3-programme",
     {"V3 with every failed run", "실패한 실행까지 더한 V3"},
     {"Experiments, ablations and failed runs came to 1.5 to 10 times the final run at those who published it; DeepSeek did "
      "not. "
      "Amount (b) has them; move the multiplier to see what it decides.",
      "실험과 실패한 실행은 이를 발표한 곳에서 최종 실행의 1.5~10배였습니다. DeepSeek은 발표하지 않았습니다. (b)에 들어 "
      "있으며, "
      "배수를 움직이면 그 영향을 볼 수 있습니다."},
     "programme_usd",
     R"({"kind": "train", "model": "deepseek-v3", "device": "H800", "devices": 2048, "tokens": 14.8e12, "seq_len": 4096,
         "sequences": 15360, "with_mtp": true, "layout": "pp16,ep64,dp128,dualpipe,zero1", "extra_hours": 124000,
         "usd_per_hour": 2})"},
    {"r1-rl",
     {"R1's reinforcement learning", "R1의 강화 학습"},
     {"10,400 steps in 650 rounds of 8,192 answers on 512 H800. Published in 2025: 198 hours for R1-Zero, 80 for R1, 294 K$ in "
      "all. "
      "Here every token is counted from the devices' speeds.",
      "H800 512장에서 답변 8,192개씩 650라운드(10,400스텝). 2025년에 발표된 값은 R1-Zero 198시간, R1 80시간, 모두 29.4만 "
      "달러입니다. 여기서는 장치의 속도에서 토큰마다 계산합니다."},
     "usd",
     R"({"kind": "rl", "model": "deepseek-v3", "device": "H800", "devices": 512, "rounds": 650, "answers_per_round": 8192,
         "answer_tokens": 8000, "cap_tokens": 32768, "usd_per_hour": 2})"},
    {"r1-serve",
     {"Serving R1 for a day", "하루 동안의 R1 서비스"},
     {"DeepSeek's published day (2025): 1,814 H800 on average, 608 G input tokens of which 56 % came from the cache, 168 G "
      "out. The "
      "87,072 $ a day are those devices at 2 $/h.",
      "DeepSeek이 발표한 하루(2025): 평균 H800 1,814장, 입력 토큰 6,080억 개(56 %는 캐시), 출력 1,680억 개. 하루 87,072 달러는 "
      "이 장치들을 시간당 2 $로 셈한 값입니다."},
     "usd_per_million_out",
     R"({"kind": "serve", "model": "deepseek-r1", "device": "H800", "devices": 1814, "input_tokens": 3600, "output_tokens": 1000,
         "hit_share": 0.563, "usd_per_hour": 2, "api": "deepseek-r1"})"},
    {"home",
     {"V3 on a desk", "책상 위의 V3"},
     {"The whole model at 4.5 bits in the 512 GB of an M3 Ultra: each token reads the 37 B parameters that it uses.",
      "M3 Ultra의 메모리 512 GB에 4.5비트로 넣은 모델 전체: 토큰마다 쓰이는 파라미터 370억 개를 읽습니다."},
     "decode_tokens_per_s",
     R"({"kind": "run", "model": "deepseek-v3", "device": "M3-Ultra", "bits": 4.5})"},
    {"here",
     {"Your own machine", "내 컴퓨터"},
     {"This computer, from the speed at which it reads its memory. Other models and sizes: the controls.",
      "이 컴퓨터가 메모리를 읽는 속도에서 계산합니다. 다른 모델과 크기는 아래에서 바꿀 수 있습니다."},
     "decode_tokens_per_s",
     R"({"kind": "run", "model": "llama-3-8b", "bits": 4.82, "read_gb_per_s": 40, "compute_gops": 500})"},
}};

}  // namespace

std::span<const Preset> presets() { return kPresets; }

}  // namespace minke::plan
