#include "tasks/korean.h"

#include <array>

namespace minke {
namespace {

enum class Ending { kVowel, kConsonant, kRieul };  // -로 follows ㄹ as it follows a vowel

// 영 일 이 삼 사 오 육 칠 팔 구; a number that ends in 0 ends in 영, 십, 백, 천 or 만, all with a consonant.
constexpr std::array kDigitEndings = {Ending::kConsonant, Ending::kRieul,     Ending::kVowel, Ending::kConsonant, Ending::kVowel,
                                      Ending::kVowel,     Ending::kConsonant, Ending::kRieul, Ending::kRieul,     Ending::kVowel};

Ending ending_of(std::string_view word) {
  if (word.empty()) return Ending::kVowel;
  const char last = word.back();
  if (last >= '0' && last <= '9') return kDigitEndings[static_cast<size_t>(last - '0')];
  if (word.size() < 3) return Ending::kVowel;
  const std::string_view tail = word.substr(word.size() - 3);
  const auto byte = [&](size_t i) { return static_cast<uint32_t>(static_cast<unsigned char>(tail[i])); };
  if ((byte(0) & 0xF0) != 0xE0) return Ending::kVowel;
  const uint32_t code = (byte(0) & 0x0F) << 12 | (byte(1) & 0x3F) << 6 | (byte(2) & 0x3F);
  constexpr uint32_t kFirstSyllable = 0xAC00, kLastSyllable = 0xD7A3, kFinals = 28, kFinalRieul = 8;
  if (code < kFirstSyllable || code > kLastSyllable) return Ending::kVowel;
  const uint32_t final_consonant = (code - kFirstSyllable) % kFinals;
  return final_consonant == 0 ? Ending::kVowel : final_consonant == kFinalRieul ? Ending::kRieul : Ending::kConsonant;
}

struct Forms {
  std::string_view after_consonant, after_vowel;
};

constexpr std::array<Forms, 6> kParticles = {{{"은", "는"}, {"이", "가"}, {"을", "를"}, {"과", "와"}, {"으로", "로"}, {"이다", "다"}}};

}  // namespace

std::string with_particle(std::string_view word, Particle particle) {
  const Forms& forms = kParticles[static_cast<size_t>(particle)];
  const Ending ending = ending_of(word);
  const bool is_vowel_form = ending == Ending::kVowel || (ending == Ending::kRieul && particle == Particle::kBy);
  return std::string(word).append(is_vowel_form ? forms.after_vowel : forms.after_consonant);
}

}  // namespace minke
