#include "plan/request/left_out.h"

#include <initializer_list>

namespace minke::plan {
namespace {

struct Sentence {
  const char* english;
  const char* korean;
};

std::vector<std::string> in(Language language, std::initializer_list<Sentence> sentences) {
  std::vector<std::string> out;
  for (const Sentence& s : sentences) out.emplace_back(language == Language::kKorean ? s.korean : s.english);
  return out;
}

}  // namespace

std::vector<std::string> left_out_of_training(Language language) {
  return in(language, {{"in (a): experiments, ablations, failed runs; (b) has them, as a factor of what others published",
                        "(a)에는 실험과 실패한 실행이 없습니다. (b)에는 다른 곳이 발표한 배수로 들어 있습니다"},
                       {"people, data and its licences, storage, evaluation, serving",
                        "인건비, 데이터와 사용권, 저장 장치, 평가, 서비스"},
                       {"discounts, taxes, idle time between runs", "할인, 세금, 실행 사이의 유휴 시간"}});
}

std::vector<std::string> left_out_of_rl(Language language) {
  return in(language, {{"computing rewards: running code, judging by other models", "보상 계산: 코드 실행, 다른 모델의 채점"},
                       {"moving new weights to the devices that write, loading and saving",
                        "새 가중치를 생성 장치로 옮기는 시간, 읽기와 저장"},
                       {"runs that failed, and the supervised training around it", "실패한 실행과 그 앞뒤의 지도 학습"}});
}

std::vector<std::string> left_out_of_serving(Language language) {
  return in(language,
            {{"people, software, networks to users, storage of caches", "인건비, 소프트웨어, 사용자까지의 망, 캐시 저장 장치"},
             {"idle hours, unless the use of the capacity says so: at 30 % use every token costs 3.3 times as much",
              "유휴 시간 (용량 사용률로 정하지 않는 한): 30 %만 쓰면 토큰마다 3.3배가 듭니다"},
             {"training the model", "모델 학습"}});
}

std::vector<std::string> left_out_of_running(Language language) {
  return in(language, {{"loading, the text's tokenization, and whatever else the machine does",
                        "읽어 들이는 시간, 토크나이즈, 컴퓨터가 하는 다른 일"},
                       {"drafts and prompt caches, which make it faster", "더 빠르게 하는 초안과 프롬프트 캐시"}});
}

}  // namespace minke::plan
